/* ingest - measured values into the store: batches of reporters exactly once, and data that anybody puts.
 *
 * Errors: PL_INVALID naming the field, PL_EXHAUSTED (no room for another metric), those of store.h; nothing is kept
 * then. Threads: with the store. */
#ifndef CONTROL_INGEST_H
#define CONTROL_INGEST_H

#include "base/err.h"

#include "pilotlight/internal/v1/report.pb-c.h"
#include "pilotlight/v1/metrics.pb-c.h"

struct limits;
struct store;

struct ingested {
    int64_t epoch, sequence; /* the last batch that is applied */
    unsigned applied;        /* batches of this report that were new */
    unsigned left_out;       /* metrics that were malformed, too old, or too many */
};

/* One transaction, with the reporter's numbers. What is malformed within a batch is left out; see report.proto. */
PL_MUST_CHECK enum pl_code ingest_report(struct store *s, const struct limits *l,
                                         const Pilotlight__Internal__V1__ReportRequest *r, int64_t wall_ms,
                                         struct ingested *out, struct pl_err *err);
/* All of it in one transaction, or nothing. */
PL_MUST_CHECK enum pl_code ingest_put(struct store *s, const struct limits *l,
                                      const Pilotlight__V1__PutMetricDataRequest *r, int64_t wall_ms,
                                      struct pl_err *err);

#endif
