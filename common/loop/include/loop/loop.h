/* loop - one turn at a time: timers, descriptors, signals, tasks and jobs of a service.
 *
 * A service's state has no locks of its own. It is touched only by whoever holds the loop's *turn*. The loop's own
 * thread holds it while it runs a callback; the rpc pump thread (common/rpc) takes it around each of its callbacks. So
 * every handler, timer and descriptor callback of a service runs as if there were one thread, yet a reply from an
 * instance does not have to be handed from one thread to another to reach its caller. A turn must be short: nothing in
 * it may block.
 *
 * What blocks (a download, a digest, waiting for a child) is a *job*: its work runs on a pool thread without the turn,
 * its done callback with the turn.
 *
 * Threads: loop_post(), loop_job(), loop_stop() and loop_enter() from any thread; everything else holding the turn.
 * Before loop_run(), the thread that sets up counts as holding it until it first takes it; where other threads run
 * already, it does take it.
 * Memory: timers, fds, tasks and jobs are embedded in their owners' structs, zeroed at first; the loop never frees
 * them. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

struct loop *loop_new(unsigned job_threads); /* job_threads 0 = 2; pool threads are started on first use */
/* After loop_run() has returned; NULL is fine. Waits for running jobs; jobs and tasks that wait are forgotten. */
void loop_free(struct loop *l);

/* Runs until loop_stop(). Call without holding the turn. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l); /* any thread */

/* Take and give the turn. Not recursive; asserts in debug builds. */
void loop_enter(struct loop *l);
void loop_leave(struct loop *l);
bool loop_taken(const struct loop *l); /* by the calling thread */
bool loop_held(const struct loop *l);  /* the same, and true for the thread that sets up; for asserts */

/* ---- timers: monotonic milliseconds (pl_now_ms), never early ---- */
struct loop_timer {
    void (*fire)(struct loop_timer *t); /* may set or clear any timer, this one too */
    int64_t at_ms;
    uint32_t slot; /* place in the heap + 1; 0 = not set */
};
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms); /* moves it when it is set already */
void loop_timer_clear(struct loop *l, struct loop_timer *t);              /* harmless when not set */

/* ---- descriptors: level-triggered epoll ---- */
struct loop_fd {
    void (*ready)(struct loop_fd *f, uint32_t events); /* EPOLLIN ...; may remove any descriptor, this one too */
    int fd;
    uint32_t events;
};
/* 'f->fd' and 'f->ready' are set by the caller, who keeps owning the descriptor. */
PL_MUST_CHECK enum pl_code loop_fd_add(struct loop *l, struct loop_fd *f, uint32_t events, struct pl_err *err);
void loop_fd_want(struct loop *l, struct loop_fd *f, uint32_t events);
/* Before close(). No callback for 'f' starts after this returns. */
void loop_fd_remove(struct loop *l, struct loop_fd *f);

/* ---- signals: blocked in all threads, delivered as callbacks ---- */
/* Call before any thread is started (loop_new() starts none). 'on' gets the turn. */
void loop_signal(struct loop *l, int signo, void (*on)(void *arg, int signo), void *arg);

/* ---- tasks: run 'run' soon, with the turn, on the loop thread; in order of posting. One that waits already is not
 * posted twice. ---- */
struct loop_task {
    struct list link;
    void (*run)(struct loop_task *t);
};
void loop_post(struct loop *l, struct loop_task *t);

/* With the turn taken by this thread: runs 'run' as soon as the callback that it is in has returned, before the turn
 * can go to anybody else. For what must not happen inside the function that found it, and should not cost a switch of
 * threads. */
void loop_later(struct loop *l, struct loop_task *t);

/* ---- jobs: 'work' on a pool thread without the turn, then 'done' with it ---- */
struct loop_job {
    struct list link;
    void (*work)(struct loop_job *j);
    void (*done)(struct loop_job *j); /* may free j's owner */
};
void loop_job(struct loop *l, struct loop_job *j);

#endif
