/* instance_log - what an instance prints, line by line, into the host's store (logs/store.h), each line with the
 * request that the instance had.
 *
 * Limits, so that a chatterbox costs its host little: a line is kept in pieces of INSTANCE_LOG_LINE bytes, at most
 * INSTANCE_LOG_PIECES of them; above INSTANCE_LOG_RATE lines a second the rest is counted and its count is a line;
 * above INSTANCE_LOG_BYTES a second nothing is read, and the instance waits in its write().
 *
 * Threads: with the turn.  Memory: embedded in its owner; the names stay the owner's and outlive it. */
#ifndef WORKER_INSTANCE_LOG_H
#define WORKER_INSTANCE_LOG_H

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSTANCE_LOG_LINE   4096
#define INSTANCE_LOG_PIECES 16
#define INSTANCE_LOG_RATE   500
#define INSTANCE_LOG_BYTES  ((size_t)32 << 20)

struct log_store;

struct instance_log {
    /* The owner's to set before it is opened; 'request' at any time: 0 = none. */
    struct log_store *store; /* NULL: a zygote's, which go into the worker's own log */
    const char *endpoint, *variant, *instance_text;
    uint64_t instance, request;
    /* There is something, and 'request' may not be the one that it belongs to. True: nothing is read until
     * instance_log_resume(). NULL: never. */
    bool (*asks_whose)(struct instance_log *g);

    struct loop *loop;
    struct loop_fd watch;     /* -1: closed */
    struct loop_timer resume; /* set while too much came */
    bool asked;               /* whose it is; not watched meanwhile */
    size_t len;
    unsigned pieces;   /* of the line that goes on */
    int64_t window_ms; /* start of the second that is counted */
    uint32_t lines;
    uint64_t dropped;
    size_t bytes;
    char last[256]; /* the last line, for the reason of a death */
    char line[INSTANCE_LOG_LINE + 1];
};

/* Takes 'fd' over (non-blocking), also on failure. */
PL_MUST_CHECK enum pl_code instance_log_open(struct instance_log *g, struct loop *l, int fd, struct pl_err *err);
/* A line of ours among the instance's. */
void instance_log_say(struct instance_log *g, const char *line);
/* Reads what is in the pipe now, so that it is kept under the request that is still set. Harmless when closed. */
void instance_log_catch_up(struct instance_log *g);
/* It is known whose, or does not matter any more. Harmless when nothing was asked. */
void instance_log_resume(struct instance_log *g);
/* The same as instance_log_catch_up(), then closes it. Harmless when closed. */
void instance_log_close(struct instance_log *g);

#endif
