/* up_child - one service under supervision: started, watched until it serves, started again when it ends, stopped.
 *
 * States and allowed moves are one table in up_child.c. A service that ends is started again after a pause of 100 ms,
 * doubling to 5 s, and 100 ms again once it has served for 10 s. Children are made with posix_spawn (never a bare
 * fork), lead their own process group, so that Ctrl-C reaches only `up`, which stops them in order, and get
 * PILOTLIGHT_PARENT_DEATH=1, so that they end when `up` is killed. Threads: with the turn; the readiness probe is a
 * job.  Memory: embedded in its owner. */
#ifndef CTL_UP_CHILD_H
#define CTL_UP_CHILD_H

#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct up_service;

enum up_child_state {
    UP_CHILD_DOWN,     /* not running; the pause before the next start runs, or it never ran */
    UP_CHILD_STARTING, /* running, does not serve yet                                        */
    UP_CHILD_SERVING,
    UP_CHILD_STOPPING, /* told to end                                                        */
    UP_CHILD_ENDED,    /* for good                                                           */
};

enum up_child_event { UP_CHILD_STARTED, UP_CHILD_SERVES, UP_CHILD_DIED, UP_CHILD_GONE };

struct up_child {
    const struct up_service *service;
    struct loop *loop;
    const char *probe_host;
    bool foreground_logs;
    void (*on)(struct up_child *c,
               enum up_child_event event); /* UP_CHILD_DIED: unasked; UP_CHILD_GONE: ended for good */
    void *owner;

    enum up_child_state state;
    pid_t pid;        /* 0 = not running */
    int64_t since_ms; /* in this state   */
    int64_t spawned_ms;
    int64_t pause_ms;  /* before the next start */
    char ending[96];   /* how it last ended: "killed by signal 9" */
    char unready[256]; /* why it does not serve yet */
    bool killed;       /* it did not end in time */
    struct loop_timer timer;
    struct loop_job probe;
    bool probing, probe_ok;
    pid_t probed_pid; /* the probe's answer is about this process */
    char probe_why[256];
};

#define UP_CHILD_STOP_MS 90000 /* longest wait after SIGTERM; services drain for 75 s at most by default */

void up_child_init(struct up_child *c, struct loop *l, const struct up_service *s);
/* False: it cannot be run at all; 'ending' says why. */
bool up_child_start(struct up_child *c);
/* SIGTERM, and SIGKILL after UP_CHILD_STOP_MS; ends in UP_CHILD_GONE, at once when it does not run. */
void up_child_stop(struct up_child *c);
void up_child_kill(struct up_child *c);
/* The process 'c->pid' was reaped with this status of waitpid(). */
void up_child_reaped(struct up_child *c, int status);

/* The pause after one of 'pause_ms' (0: the first), when the service had served for 'served_ms'. Pure. */
int64_t up_child_next_pause(int64_t pause_ms, int64_t served_ms);

#endif
