/* log_gather - one page of what an endpoint's instances printed, from all hosts: each is asked for its part, and the
 * parts are merged by time.
 *
 * A host that does not answer within a few seconds is named, and its part is missing; its place in the cursor stays.
 * A host whose part was cut short sets the horizon: lines of others beyond it wait for the next page, so that time
 * never runs backwards from one page to the next.
 *
 * Threads: with the turn.  Memory: ends with 'done' or log_gather_cancel(). */
#ifndef ROUTER_LOG_GATHER_H
#define ROUTER_LOG_GATHER_H

#include "log_cursor.h"
#include "pilotlight/v1/log.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

struct hosts;
struct log_gather;

struct log_want {
    const char *endpoint, *variant, *host, *instance; /* "" = any; kept by the caller until the end */
    int64_t start_us, end_us;                         /* 0 = none */
    int limit;
    bool newest;
    struct log_cursor *cursor; /* where to go on; moved to where the page ended */
};

struct log_page {
    Pilotlight__V1__LogLine **lines; /* by time */
    size_t count;
    bool more;
    const struct log_cursor *last; /* newest first: of each host that has lines, the last, on this page or not */
    char **missing;                /* hosts */
    size_t missing_count;
};
/* Once, never from inside log_gather_start(). The page is gone afterwards. */
typedef void log_gathered_fn(void *arg, const struct log_page *page);

struct log_gather *log_gather_start(struct hosts *hosts, const struct log_want *want, log_gathered_fn *done, void *arg);
/* 'done' is not called. */
void log_gather_cancel(struct log_gather *g);

/* ---- streams, the same way ---- */

struct log_streams_page {
    Pilotlight__V1__LogStream **streams; /* most recently written first */
    size_t count;
    char **missing;
    size_t missing_count;
};
typedef void log_streams_gathered_fn(void *arg, const struct log_streams_page *page);

struct log_gather *log_gather_streams(struct hosts *hosts, const char *endpoint, log_streams_gathered_fn *done,
                                      void *arg);

#endif
