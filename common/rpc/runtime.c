/* The pump, and the completions that do without it.
 *
 * A thread that blocks in the core's queue is woken for every completion, and a thread is expensive to wake: on the way
 * of a warm request the answer's two completions would cost more than the answer. So the batches of a server's calls
 * complete by callback. Mostly that happens inside the function that started the batch, on a thread that has the turn:
 * the completion is kept until its callback has returned (loop_later()). Any other thread hands the completion to the
 * pump, through a stack without a lock and a bell: an empty batch on a call that goes nowhere, which the core answers
 * at once. */
#include "core.h"

#include "base/mem.h"
#include "base/time.h"
#include "log/log.h"
#include "loop/loop.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* Servers and channels that are being closed end within a network round trip; longer means that an owner forgot one: a
 * bug, but none that a program on its way out should die of. */
#define RPC_FREE_WAIT_S 20
#define OWN_AT_ONCE     64

struct rpc {
    struct loop *loop;
    struct metrics *metrics;
    grpc_completion_queue *queue, *call_queue;
    pthread_t pump;

    struct rpc_completion *own_first, **own_last; /* with the turn: found by its holder */
    struct loop_task finish_own;
    _Atomic(struct rpc_completion *) others; /* any thread: found by others, the latest first */
    grpc_channel *nowhere;
    grpc_call *bell_call;
    struct rpc_completion bell;
    grpc_completion_queue_functor call_queue_over;

    pthread_mutex_t lock; /* guards 'held' only */
    pthread_cond_t idle;
    unsigned held;
    struct loop_task lost; /* a listener */
    void (*on_lost)(void *arg);
    void *on_lost_arg;
};

/* The newest one: the core's log knows of none. */
static struct {
    pthread_mutex_t lock;
    struct rpc *rpc;
} newest = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The whole of the polling thread. */
static void *rpc_pump(void *arg)
{
    struct rpc *r = arg;
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_REALTIME);
    for (;;) {
        grpc_event ev = grpc_completion_queue_next(r->queue, never, NULL);
        if (ev.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        struct rpc_completion *c = ev.tag;
        loop_enter(r->loop);
        c->done(c, ev.success != 0);
        loop_leave(r->loop);
    }
}

/* ---- completions by callback ---- */

static void rpc_ring(struct rpc *r)
{
    grpc_call_error failed = grpc_call_start_batch(r->bell_call, NULL, 0, &r->bell, NULL);
    if (failed != GRPC_CALL_OK)
        pl_die("rpc: the bell is refused: %s", grpc_call_error_to_string(failed));
}

/* Whoever puts the first one there rings; whoever answers the bell takes all. */
static void rpc_finish_elsewhere(struct rpc *r, struct rpc_completion *c)
{
    struct rpc_completion *first = atomic_load_explicit(&r->others, memory_order_relaxed);
    do
        c->next = first;
    while (!atomic_compare_exchange_weak_explicit(&r->others, &first, c, memory_order_release, memory_order_relaxed));
    if (!first)
        rpc_ring(r);
}

static void rpc_finish_others(struct rpc_completion *bell, bool ok)
{
    struct rpc *r = PL_CONTAINER(bell, struct rpc, bell);
    struct rpc_completion *latest = atomic_exchange_explicit(&r->others, NULL, memory_order_acquire), *first = NULL;
    (void)ok;
    while (latest) {
        struct rpc_completion *c = latest;
        latest = c->next;
        c->next = first;
        first = c;
    }
    while (first) {
        struct rpc_completion *c = first;
        first = c->next; /* 'done' may free it */
        c->done(c, c->ok);
    }
}

/* Finishing one may send another, as with the messages of a stream: not more than OWN_AT_ONCE before others had the
 * turn. */
static void rpc_finish_own(struct loop_task *t)
{
    struct rpc *r = PL_CONTAINER(t, struct rpc, finish_own);
    for (int left = OWN_AT_ONCE; left > 0 && r->own_first; left--) {
        struct rpc_completion *c = r->own_first;
        r->own_first = c->next;
        if (!r->own_first)
            r->own_last = &r->own_first;
        c->done(c, c->ok);
    }
    while (r->own_first) {
        struct rpc_completion *c = r->own_first;
        r->own_first = c->next;
        rpc_finish_elsewhere(r, c);
    }
    r->own_last = &r->own_first;
}

/* On any thread, inside some function of the core. */
static void rpc_over(grpc_completion_queue_functor *core, int ok)
{
    struct rpc_completion *c = (struct rpc_completion *)core;
    struct rpc *r = c->rpc;
    c->ok = ok != 0;
    if (!loop_taken(r->loop)) {
        rpc_finish_elsewhere(r, c);
        return;
    }
    c->next = NULL;
    *r->own_last = c;
    r->own_last = &c->next;
    loop_later(r->loop, &r->finish_own);
}

void rpc_completion_init(struct rpc_completion *c, struct rpc *r, void (*done)(struct rpc_completion *c, bool ok))
{
    *c = (struct rpc_completion){ .core = { .functor_run = rpc_over, .inlineable = 1 }, .done = done, .rpc = r };
}

void rpc_completion_over(struct rpc_completion *c)
{
    rpc_over(&c->core, true);
}

static void rpc_call_queue_over(grpc_completion_queue_functor *core, int ok)
{
    (void)ok;
    rpc_release(PL_CONTAINER(core, struct rpc, call_queue_over));
}

static void rpc_callbacks_open(struct rpc *r)
{
    r->own_last = &r->own_first;
    r->finish_own.run = rpc_finish_own;
    r->call_queue_over = (grpc_completion_queue_functor){ .functor_run = rpc_call_queue_over, .inlineable = 1 };
    r->call_queue = grpc_completion_queue_create_for_callback(&r->call_queue_over, NULL);
    r->nowhere = grpc_lame_client_channel_create("nowhere", GRPC_STATUS_UNAVAILABLE, "goes nowhere");
    r->bell_call = grpc_channel_create_call(r->nowhere, NULL, 0, r->queue, grpc_slice_from_static_string("/bell"), NULL,
                                            gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    rpc_completion_init(&r->bell, r, rpc_finish_others);
}

static void rpc_callbacks_close(struct rpc *r)
{
    grpc_call_unref(r->bell_call);
    grpc_channel_destroy(r->nowhere);
    grpc_completion_queue_destroy(r->call_queue);
}

/* Debian's abseil is built with its check for lock cycles on: each lock that the core takes is looked up in a graph
 * that is guarded by a lock of its own. That is a seventh of the time of a busy router, for finding bugs that are not
 * ours. Where there is no such function, or it is called otherwise in another version, nothing is lost. */
__attribute__((weak)) void lock_cycles_mode(int mode) __asm__(
    "_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE");
enum { LOCK_CYCLES_IGNORED };

static void rpc_core_tune(void)
{
    if (lock_cycles_mode)
        lock_cycles_mode(LOCK_CYCLES_IGNORED);
}

/* ---- the core's log ---- */

static void rpc_tell_lost(struct loop_task *t)
{
    struct rpc *r = PL_CONTAINER(t, struct rpc, lost);
    if (r->on_lost)
        r->on_lost(r->on_lost_arg);
}

void rpc_on_listener_lost(struct rpc *r, void (*lost)(void *arg), void *arg)
{
    r->on_lost = lost;
    r->on_lost_arg = arg;
}

/* On whatever thread the core was on. */
static void rpc_listener_lost(const char *why)
{
    log_error("listener_lost", LOG_STR("error", why));
    pthread_mutex_lock(&newest.lock);
    if (newest.rpc)
        loop_post(newest.rpc->loop, &newest.rpc->lost);
    pthread_mutex_unlock(&newest.lock);
}

static void rpc_set_newest(struct rpc *old, struct rpc *r)
{
    pthread_mutex_lock(&newest.lock);
    if (!old || newest.rpc == old)
        newest.rpc = r;
    pthread_mutex_unlock(&newest.lock);
}

/* The core's own log lines are diagnostics of failures that also reach us as statuses, but for this one. */
static void rpc_core_log(gpr_log_func_args *args)
{
    if (strncmp(args->message, "Failed accept", strlen("Failed accept")) == 0)
        rpc_listener_lost(args->message);
    log_debug("grpc", LOG_STR("severity", gpr_log_severity_string(args->severity)), LOG_STR("file", args->file),
              LOG_INT("line", args->line), LOG_STR("message", args->message));
}

struct rpc *rpc_new(struct loop *l, struct metrics *m)
{
    struct rpc *r = PL_NEW(struct rpc);
    r->loop = l;
    r->metrics = m;
    r->lost.run = rpc_tell_lost;
    rpc_set_newest(NULL, r);
    gpr_set_log_function(rpc_core_log);
    rpc_core_tune();
    grpc_init();
    r->queue = grpc_completion_queue_create_for_next(NULL);
    rpc_callbacks_open(r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->idle, &attr);
    pthread_condattr_destroy(&attr);
    int failed = pthread_create(&r->pump, NULL, rpc_pump, r);
    if (failed)
        pl_die("rpc: cannot start the pump thread: %s", strerror(failed));
    pthread_setname_np(r->pump, "rpc-pump");
    return r;
}

static bool rpc_wait_idle(struct rpc *r)
{
    int late = 0;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RPC_FREE_WAIT_S;
    pthread_mutex_lock(&r->lock);
    while (r->held > 0 && !late)
        late = pthread_cond_timedwait(&r->idle, &r->lock, &until);
    unsigned held = r->held;
    pthread_mutex_unlock(&r->lock);
    if (held > 0)
        log_error("rpc_not_freed", LOG_UINT("servers_and_channels", held));
    return held == 0;
}

/* grpc_shutdown() is not called: after a large write the core keeps a poller of its own for up to 10 s, and its
 * shutdown waits for that one. The core's idle threads end with the process; a later rpc_new() finds it initialised. */
void rpc_free(struct rpc *r)
{
    if (r)
        rpc_set_newest(r, NULL);
    if (!r || !rpc_wait_idle(r)) /* what may still be called back must stay */
        return;
    rpc_hold(r);
    grpc_completion_queue_shutdown(r->call_queue);
    if (!rpc_wait_idle(r))
        return;
    rpc_callbacks_close(r);
    grpc_completion_queue_shutdown(r->queue);
    pthread_join(r->pump, NULL);
    grpc_completion_queue_destroy(r->queue);
    pthread_cond_destroy(&r->idle);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct loop *rpc_loop(struct rpc *r)
{
    return r->loop;
}

struct metrics *rpc_metrics(struct rpc *r)
{
    return r->metrics;
}

grpc_completion_queue *rpc_queue(struct rpc *r)
{
    return r->queue;
}

grpc_completion_queue *rpc_call_queue(struct rpc *r)
{
    return r->call_queue;
}

void rpc_hold(struct rpc *r)
{
    pthread_mutex_lock(&r->lock);
    r->held++;
    pthread_mutex_unlock(&r->lock);
}

void rpc_release(struct rpc *r)
{
    pthread_mutex_lock(&r->lock);
    if (--r->held == 0)
        pthread_cond_broadcast(&r->idle);
    pthread_mutex_unlock(&r->lock);
}

gpr_timespec rpc_deadline_after_ms(int64_t ms)
{
    if (ms == INT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}
