/* loop_private - what the files of this room share. All of it is touched with the turn unless it says otherwise. */
#ifndef LOOP_PRIVATE_H
#define LOOP_PRIVATE_H

#include "loop/loop.h"
#include "turn.h"

#include <signal.h>

/* timers.c: a heap, the earliest first. */
struct timers {
    struct loop_timer **heap;
    uint32_t count, room;
};

/* fds.c: by descriptor number. Events carry number and generation, so that one which was fetched before its descriptor
 * was removed finds nothing. The table ends at the process's limit of descriptors. */
struct fd_slot {
    struct loop_fd *f; /* NULL: not watched */
    uint32_t generation;
};
struct fds {
    int epoll;
    struct fd_slot *slots;
    size_t room;
};

/* signals.c */
struct signals {
    struct loop_fd watch; /* a signalfd; fd -1 until the first signal is asked for */
    sigset_t set;
    struct {
        void (*on)(void *arg, int signo);
        void *arg;
    } handlers[NSIG];
};

/* tasks.c */
struct tasks {
    pthread_mutex_t lock; /* guards the list and the links in it */
    struct list waiting;
    size_t count;
};

/* jobs.c */
struct jobs {
    pthread_mutex_t lock; /* guards all of this */
    pthread_cond_t more;  /* for the threads: a job, or 'ending' */
    struct list waiting, finished;
    size_t waiting_count, finished_count;
    pthread_t *threads;
    unsigned thread_count, thread_max, idle_count;
    bool ending;
};

struct loop {
    struct turn turn;
    const void *maker;        /* the thread of loop_new() ...                                      */
    _Atomic(bool) setting_up; /* ... counts as holding the turn until it takes it, or the loop runs */
    _Atomic(bool) running;
    _Atomic(bool) stopping;
    _Atomic(bool) pending;   /* something was handed in from outside: stop, a task, a finished job    */
    _Atomic(bool) asleep;    /* in epoll_wait() or on the way there; who makes it false wakes it      */
    int64_t asleep_until_ms; /* when it wakes by itself; INT64_MAX = never, in the past = not planned   */
    struct loop_fd wake;     /* an eventfd */
    struct timers timers;
    struct fds fds;
    struct signals signals;
    struct tasks tasks;
    struct list later; /* of struct loop_task: before the turn is given away */
    struct jobs jobs;
};

/* loop.c */
void loop_assert_turn(const struct loop *l);
void loop_wake(struct loop *l); /* any thread: out of epoll_wait(), if it is there */
void loop_pend(struct loop *l); /* any thread: 'pending', and wake */
/* Between two callbacks: what was to be done later, and gives and takes the turn if somebody wants it. */
void loop_let_others(struct loop *l);

void timers_done(struct timers *t);
void timers_fire(struct loop *l);
int64_t timers_next_ms(const struct loop *l); /* INT64_MAX = none */

void fds_init(struct fds *t);
void fds_done(struct fds *t);
int fds_wait(struct loop *l, struct epoll_event *events, int room, int timeout_ms); /* without the turn */
void fds_dispatch(struct loop *l, const struct epoll_event *event);

void signals_init(struct signals *s);
void signals_done(struct signals *s);

void tasks_init(struct tasks *t);
void tasks_done(struct tasks *t);
void tasks_run(struct loop *l);
void tasks_run_later(struct loop *l);

void jobs_init(struct jobs *j, unsigned threads);
void jobs_done(struct jobs *j);
void jobs_finish(struct loop *l);

#endif
