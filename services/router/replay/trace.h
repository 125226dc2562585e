/* trace - what endpoints were called, and when: two CSV files, read and checked.
 *
 * NAME.endpoints.csv, in any order:            endpoint,memory_mb,init_ms,max_concurrency,kind
 *     init_ms is what a cold start takes, from asking for an instance until it is ready. 'kind' is for people only.
 * NAME.trace.csv, sorted by t_ms:              t_ms,endpoint,count,span_ms,duration_ms
 *     'count' requests of 'duration_ms' each, request k of them at t_ms + floor(k * span_ms / count).
 *
 * The first line of each is a comment that says "horizon_ms=N": the end of what was recorded. Then comes the line of
 * names; other lines that begin with '#' are comments, too. Numbers are decimal; nothing is quoted.
 *
 * Errors: PL_INVALID naming file, line, field, value and limits; PL_NOT_FOUND for a file that cannot be opened;
 * PL_EXHAUSTED for more than TRACE_*_MAX.  Memory: trace_done() frees it. */
#ifndef REPLAY_TRACE_H
#define REPLAY_TRACE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uthash.h>

#define TRACE_ENDPOINTS_MAX 100000
#define TRACE_ROWS_MAX      20000000
#define TRACE_REQUESTS_MAX  INT64_C(1000000000)
#define TRACE_TIME_MAX_MS   INT64_C(34560000000) /* 400 days */

struct trace_endpoint {
    UT_hash_handle hh;
    uint32_t index; /* in trace.endpoints */
    char name[64];
    int64_t memory_mb, init_ms, max_concurrency;
};

struct trace_row {
    int64_t t_ms, span_ms;
    uint32_t endpoint; /* its index */
    uint32_t count;
    int64_t duration_ms;
};

struct trace {
    struct trace_endpoint **endpoints;
    size_t endpoint_count, endpoint_room;
    struct trace_endpoint *by_name;
    struct trace_row *rows;
    size_t row_count, row_room;
    int64_t requests; /* sum of the rows' counts */
    int64_t horizon_ms;
};

/* NAME.endpoints.csv and NAME.trace.csv; NAME may be given as the path of either. */
PL_MUST_CHECK enum pl_code trace_load(struct trace *out, const char *name, struct pl_err *err);
/* The two parts, from any stream; 'name' is what errors call it. Endpoints first. */
PL_MUST_CHECK enum pl_code trace_read_endpoints(struct trace *t, FILE *in, const char *name, struct pl_err *err);
PL_MUST_CHECK enum pl_code trace_read_rows(struct trace *t, FILE *in, const char *name, struct pl_err *err);
void trace_done(struct trace *t); /* for pl_cleanup, too */

/* When request k of the row arrives. */
int64_t trace_arrival_ms(const struct trace_row *row, uint32_t k);

#endif
