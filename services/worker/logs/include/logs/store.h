/* store - what the instances of this host printed, on disk, within limits, and read back.
 *
 *     dir/ENDPOINT/AT_US.log     segments; each begins with the line that its name tells, and has 1 MiB of lines
 *
 * Lines are appended to memory, and written 100 ms later by a job; a crash of the host loses those. A segment is only
 * ever appended to or removed, so a reader needs no lock: what it cannot open any more has been dropped.
 *
 * What grows has a limit: an endpoint's lines (endpoint_limit), all lines (limit), their age (retention), and what
 * waits in memory while the disk is slow (256 KiB an endpoint; beyond it lines are counted, and the count is a line).
 * The oldest segment goes first. An endpoint's lines outlive the endpoint: that is when they are wanted most.
 *
 * Threads: with the turn.  Memory: owns its books; reads are embedded in their askers and stay theirs. */
#ifndef LOGS_STORE_H
#define LOGS_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "logs/line.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct log_store;

struct log_store_options {
    const char *dir;
    int64_t endpoint_limit_bytes;
    int64_t limit_bytes;
    int64_t retention_ms;
};

/* Creates the folder, and learns what is there; blocks. PL_PRECONDITION: it cannot be used. */
PL_MUST_CHECK enum pl_code log_store_open(struct log_store **out, struct loop *l, const struct log_store_options *o,
                                          struct pl_err *err);
/* No job of its own is running. */
bool log_store_idle(const struct log_store *s);
/* Writes what waits; blocks. Only when idle, and no read is open. NULL is fine. */
void log_store_close(struct log_store *s);

/* Keeps a line; 'l->at_us' is the store's to set. 'endpoint' is a resource name; nothing is kept of the arguments. */
void log_store_append(struct log_store *s, const char *endpoint, const struct log_line *l);
int64_t log_store_bytes(const struct log_store *s);

/* ---- reading ---- */

#define LOG_NAME_MAX       63
#define LOG_READ_MAX_LINES 10000u
#define LOG_READ_MAX_BYTES ((size_t)1 << 20)
#define LOG_STREAMS_MAX    1000u

struct log_query {
    char endpoint[LOG_NAME_MAX + 1];
    char variant[LOG_NAME_MAX + 1]; /* "" = any */
    uint64_t instance;              /* 0 = any  */
    int64_t after_us, before_us;    /* lines with after < at < before */
    unsigned limit;                 /* of lines, 1..LOG_READ_MAX_LINES; LOG_READ_MAX_BYTES limits too */
    bool newest;                    /* the last of them instead of the first; either way the oldest comes first */
};

/* One stream: the lines of one instance. */
struct log_stream {
    char variant[LOG_VARIANT_MAX + 1];
    uint64_t instance;
    int64_t first_us, last_us, bytes;
};

struct log_read {
    struct log_query query;
    /* Once, never from inside the call; the read is then the asker's again. */
    void (*done)(struct log_read *r);

    /* The answer. */
    struct pl_buf lines;        /* whole lines for log_line_read(), each with its '\n'; the asker frees it */
    bool more;                  /* there are more in the direction of reading */
    struct log_stream *streams; /* of log_store_streams(), most recently written first; the asker frees it */
    unsigned stream_count;

    /* The store's. */
    struct log_store *store;
    struct loop_job job;
    struct list link;
    uint64_t flush; /* begins when so many are over */
    bool streams_wanted;
    int64_t *segments; /* first_us of each */
    unsigned segment_count;
};

/* Lines that 'r->query' asks for. */
void log_store_read(struct log_store *s, struct log_read *r);
/* Streams of r->query.endpoint, at most LOG_STREAMS_MAX. */
void log_store_streams(struct log_store *s, struct log_read *r);

#endif
