/* copies - the worker's end of one template (sandbox/template.h): asks it for copies, and believes it nothing.
 *
 * Who takes a copy gets a process in its own control group, or, when the template cannot, lies or is silent, a blank
 * one of the runtime's stock, whose LOAD takes longer and is otherwise the same. One copy is kept ready: to fork a
 * process that has much takes the kernel tens of milliseconds, which nobody should wait for.
 *
 * Threads: with the turn.  Memory: its owner's, until copies_free(); a struct spawn (spawn.h) is its own owner's. */
#ifndef WORKER_COPIES_H
#define WORKER_COPIES_H

#include "base/err.h"
#include "sandbox/plan.h"

#include <stdbool.h>
#include <sys/types.h>

struct copies;
struct loop;
struct seats;
struct spawn;

struct copies_events {
    /* Is this process an instance already? */
    bool (*taken)(void *arg, pid_t pid);
    /* It is of no use any more, and nobody waits for it; once. */
    void (*broken)(void *arg, const char *why);
    /* The copy that is kept ready is this process; 0: none. */
    void (*ready)(void *arg, pid_t pid);
};

struct copies_options {
    struct seats *seats;
    enum sandbox_profile profile;
    unsigned processes; /* that one of them may have at most */
    int memory_size_mb;
    const struct copies_events *events;
    void *arg;
};

struct copies *copies_new(struct loop *l, const struct copies_options *o);
/* Those who wait get a blank one. NULL is fine. Never from inside 'broken'. */
void copies_free(struct copies *c);

/* 'fd': our end of the template's control socket; taken over, also on failure. */
PL_MUST_CHECK enum pl_code copies_open(struct copies *c, int fd, struct pl_err *err);

/* w->made hears of it, perhaps at once. */
void copies_take(struct copies *c, struct spawn *w);
void copies_cancel(struct spawn *w);

#endif
