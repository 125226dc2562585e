/* metric_query - rows added up to the buckets that somebody asks for.
 *
 * A query's buckets are [start + i x period, ...), counted from the rounded start of the range (retention.h).
 * Threads: with the store.  Memory: at most LIMIT_datapoints buckets in one request. */
#ifndef CONTROL_METRIC_QUERY_H
#define CONTROL_METRIC_QUERY_H

#include "sketch/point.h"
#include "store.h"

#include "pilotlight/v1/metrics.pb-c.h"

struct limits;

/* ---- one metric ---- */

struct metric_range {
    int64_t start_s; /* rounded */
    int64_t end_s;   /* exclusive */
    int32_t period_s;
};
/* Buckets of one unit; those without values have count 0. */
struct metric_buckets {
    int unit;
    struct point *points; /* as many as the range has */
};
struct metric_result {
    struct metric_buckets *units;
    size_t unit_count;
    size_t bucket_count;
};
void metric_result_done(struct metric_result *r); /* for pl_cleanup too */
size_t metric_range_buckets(const struct metric_range *r);
/* 'key' as metric_key(); 'unit' -1 = all, each by itself. A metric that is not there has no units. */
PL_MUST_CHECK enum pl_code metric_read(struct store *s, const char *name_space, const char *name, const char *key,
                                       int unit, const struct metric_range *range, int64_t now_s,
                                       struct metric_result *out, struct pl_err *err);

/* ---- a whole request ---- */

/* '*out' is on the heap (record_free()). PL_INVALID naming the field. */
PL_MUST_CHECK enum pl_code metric_query(struct store *s, const struct limits *l,
                                        const Pilotlight__V1__GetMetricStatisticsRequest *r, int64_t wall_ms,
                                        Pilotlight__V1__GetMetricStatisticsResponse **out, struct pl_err *err);
/* A page of the list of metrics; as above. */
PL_MUST_CHECK enum pl_code metric_list(struct store *s, const struct limits *l,
                                       const Pilotlight__V1__ListMetricsRequest *r, int64_t wall_ms,
                                       Pilotlight__V1__ListMetricsResponse **out, struct pl_err *err);

#endif
