/* instance_log - what an instance prints, line by line, into the worker's log, within limits: a line is cut at
 * INSTANCE_LOG_LINE bytes, and above INSTANCE_LOG_RATE lines a second the rest is counted, not written.
 * Threads: with the turn.  Memory: embedded in its owner; the names stay the owner's and outlive it. */
#ifndef WORKER_INSTANCE_LOG_H
#define WORKER_INSTANCE_LOG_H

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSTANCE_LOG_LINE 4096
#define INSTANCE_LOG_RATE 50

struct instance_log {
    struct loop *loop;
    struct loop_fd watch; /* -1: closed */
    const char *endpoint, *variant, *instance;
    size_t len;
    bool cutting; /* the rest of a line that was too long */
    int64_t second;
    uint32_t lines, dropped; /* in that second */
    char last[256];          /* the last line, for the reason of a death */
    char line[INSTANCE_LOG_LINE + 1];
};

/* Takes 'fd' over (non-blocking), also on failure. */
PL_MUST_CHECK enum pl_code instance_log_open(struct instance_log *g, struct loop *l, int fd, struct pl_err *err);
/* Reads what is still in the pipe, then closes it. Harmless when closed. */
void instance_log_close(struct instance_log *g);

#endif
