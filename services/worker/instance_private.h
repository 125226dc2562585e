/* instance_private - what instance.c, instance_start.c and instance_lend.c share: the table of instances, and the only
 * ways by which one moves and ends. */
#ifndef WORKER_INSTANCE_PRIVATE_H
#define WORKER_INSTANCE_PRIVATE_H

#include "instance.h"

#define INSTANCE_EPOCH_SHIFT 24

struct instances {
    struct loop *loop;
    struct spawner *spawner;
    struct log_store *logs;
    struct network *network; /* NULL: there is no way out */
    uint64_t next_id;
    struct instance *by_id; /* uthash */
    struct list by_state[INSTANCE_STATE_COUNT];
    unsigned counts[INSTANCE_STATE_COUNT];
    struct instances_observer observer;
    int64_t measured_bytes, estimated_bytes; /* sums over all */
};

/* The only place where an instance changes state: it leaves one list and joins another. */
void instance_move(struct instance *in, enum instance_state to, const char *why);
/* Whatever it was doing, it ends now; its death comes by instance_exited(). 'why' is what its caller will read. */
void instance_kill(struct instance *in, const char *why);
/* Nothing of it runs: everybody who waits hears 'reason', and 'in' is freed. */
void instance_end(struct instance *in, const char *reason);
/* Of struct child. */
void instance_exited(struct child *c, int status, const char *how);
/* Of instance->timer, and of its channel. */
void instance_time_over(struct loop_timer *t);
extern const struct channel_events instance_channel_events;

/* The runner exits at end of file. */
void instance_let_exit(struct instance *in);
/* It has nothing to do any more, in a state from which it may become IDLE. */
void instance_free_again(struct instance *in, const char *why);
/* The host cannot believe it: "it " or "", and why. */
void instance_lied(struct instance *in, const char *who, const char *what);

/* instance_lend.c */
PL_MUST_CHECK bool instance_make_direct(int *out_ours, int *out_its);
void instance_take_back(struct instance *in); /* IDLE, and perhaps it does not know that it is not lent any more */
void instance_let_go(struct instance *in, size_t len); /* it has answered DETACH */
/* Asks whose its last lines are, where that has to be asked; true: instance_printed() ends it. */
bool instance_ask_for_last_lines(struct instance *in, const char *how);
/* Of struct instance_log. */
bool instance_asks_whose(struct instance_log *g);

/* instance.c: it is dead, and its last lines have been read. */
void instance_over(struct instance *in, const char *how);

/* instance_start.c: its process is not wanted any more, or will not come: it ends soon, never from inside. */
void instance_never_was(struct instance *in);

#endif
