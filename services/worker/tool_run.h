/* tool_run - one run of a tool (spawn.h), from the wish for its process to its end: watched, limited in time,
 * cancelled. Threads: with the turn.  Memory: embedded in its owner, who may free it in 'ended'. */
#ifndef WORKER_TOOL_RUN_H
#define WORKER_TOOL_RUN_H

#include "child.h"
#include "spawn.h"

#include <stdbool.h>
#include <stdint.h>

#define TOOL_WORDS 768

struct tool_end {
    const struct pl_err *err; /* NULL: it ran */
    int status;               /* of waitpid() */
    const char *how;          /* the same in words */
    const char *words;        /* the last line that it printed; "" = none */
};

struct disk_watch;

struct tool_run {
    struct loop *loop;
    struct spawn_tool *making; /* for the spawn_*() that starts it; NULL: there is a process, or none will come */
    struct child child;
    struct loop_timer timer, gone;
    int log_fd;
    struct disk_watch *watch; /* NULL: what it writes is not watched */
    bool cancelled, timed_out, overfull;
    /* Once, never from inside tool_run_*(). */
    void (*ended)(struct tool_run *r, const struct tool_end *e);
};

/* Before the spawn_*() call, which gets tool_run_made, the run, and &r->making; when that fails the run is over. */
void tool_run_init(struct tool_run *r, struct loop *l, void (*ended)(struct tool_run *r, const struct tool_end *e));
spawn_tool_made_fn tool_run_made;
/* After it: the clock runs. */
void tool_run_limit(struct tool_run *r, int64_t timeout_ms);
/* Likewise, once: it is ended when it has written more, 'overfull'. */
void tool_run_watch(struct tool_run *r, const char *dir, int64_t max_bytes, int64_t max_entries);
void tool_run_cancel(struct tool_run *r);

#endif
