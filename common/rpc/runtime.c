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

struct rpc {
    struct loop *loop;
    struct metrics *metrics;
    grpc_completion_queue *queue;
    pthread_t pump;
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
    grpc_init();
    r->queue = grpc_completion_queue_create_for_next(NULL);
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
