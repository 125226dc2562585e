/* One round: fire what is due, run what was handed in, sleep, hear what happened. The turn is held for all of it but
 * the sleep, and given away between any two callbacks when somebody wants it.
 *
 * Falling asleep: 'asleep' is set first and 'pending' read after it; who hands something in sets 'pending' first and
 * reads 'asleep' after it. One of the two sees the other, so nothing waits for a sleeper. */
#include "loop_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define JOB_THREADS    2

/* Edge-triggered and never read: each write is one event. */
static void woken(struct loop_fd *f, uint32_t events)
{
    (void)f;
    (void)events;
}

struct loop *loop_new(unsigned job_threads)
{
    struct loop *l = PL_NEW(struct loop);
    struct pl_err err;
    turn_init(&l->turn);
    l->maker = turn_self();
    l->setting_up = true;
    fds_init(&l->fds);
    signals_init(&l->signals);
    tasks_init(&l->tasks);
    list_init(&l->later);
    jobs_init(&l->jobs, job_threads > 0 ? job_threads : JOB_THREADS);
    l->wake = (struct loop_fd){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = woken };
    if (l->wake.fd < 0)
        pl_die("loop: eventfd: %s", strerror(errno));
    if (loop_fd_add(l, &l->wake, EPOLLIN | EPOLLET, &err) != PL_OK)
        pl_die("loop: %s", err.message);
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    assert(!l->running);
    jobs_done(&l->jobs);
    tasks_done(&l->tasks);
    signals_done(&l->signals);
    timers_done(&l->timers);
    fds_done(&l->fds);
    (void)close(l->wake.fd);
    turn_done(&l->turn);
    free(l);
}

/* ---- the turn ---- */

void loop_enter(struct loop *l)
{
    assert(!loop_taken(l));
    turn_take(&l->turn);
    if (l->setting_up && l->maker == turn_self())
        l->setting_up = false;
}

void loop_leave(struct loop *l)
{
    assert(loop_taken(l));
    tasks_run_later(l);
    turn_give(&l->turn);
}

bool loop_taken(const struct loop *l)
{
    return atomic_load_explicit(&l->turn.holder, memory_order_relaxed) == turn_self();
}

bool loop_held(const struct loop *l)
{
    const void *self = turn_self();
    return atomic_load_explicit(&l->turn.holder, memory_order_relaxed) == self || (l->setting_up && l->maker == self);
}

/* A loop that does not run yet, or any more, belongs to whoever sets it up or takes it down. */
void loop_assert_turn(const struct loop *l)
{
    assert(loop_held(l) || !l->running);
    (void)l;
}

void loop_let_others(struct loop *l)
{
    tasks_run_later(l);
    if (!turn_wanted(&l->turn))
        return;
    turn_give(&l->turn);
    turn_take(&l->turn);
}

/* ---- waking ---- */

void loop_wake(struct loop *l)
{
    static const uint64_t one = 1;
    if (!atomic_exchange(&l->asleep, false))
        return;
    while (write(l->wake.fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void loop_pend(struct loop *l)
{
    atomic_store(&l->pending, true);
    loop_wake(l);
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
    loop_pend(l);
}

/* ---- rounds ---- */

/* With the turn: says until when the loop sleeps, and returns how long that is. An end that was planned before is kept
 * even if its timer is cleared by now: the deadline of the next request, set and cleared like this one's, then wakes
 * nobody. */
static int fall_asleep(struct loop *l)
{
    int64_t now_ms = pl_now_ms(), next_ms = timers_next_ms(l);
    if (l->asleep_until_ms <= now_ms || l->asleep_until_ms > next_ms)
        l->asleep_until_ms = next_ms;
    atomic_store(&l->asleep, true);
    if (atomic_load(&l->pending))
        return 0;
    if (l->asleep_until_ms == INT64_MAX)
        return -1;
    int64_t left = l->asleep_until_ms - now_ms;
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void sleep_and_hear(struct loop *l)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int timeout_ms = fall_asleep(l);
    loop_leave(l);
    int n = fds_wait(l, events, EVENTS_AT_ONCE, timeout_ms);
    atomic_store(&l->asleep, false);
    loop_enter(l);
    for (int i = 0; i < n; i++) {
        fds_dispatch(l, &events[i]);
        loop_let_others(l);
    }
}

void loop_run(struct loop *l)
{
    l->setting_up = false;
    l->running = true;
    loop_enter(l);
    while (!l->stopping) {
        timers_fire(l);
        if (atomic_exchange(&l->pending, false)) {
            tasks_run(l);
            jobs_finish(l);
        }
        if (!l->stopping)
            sleep_and_hear(l);
    }
    l->stopping = false;
    l->running = false;
    loop_leave(l);
}
