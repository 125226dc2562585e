/* store_metrics - what the store remembers of measurements: metrics, rows of values, reporters and usage.
 *
 * All that store.h says holds here too. Expected sizes: a row of one minute with a distribution is 60 to 300 bytes. */
#ifndef CONTROL_STORE_METRICS_H
#define CONTROL_STORE_METRICS_H

#include "sketch/point.h"
#include "store.h"

/* ---- metrics ---- */

/* '*out_id' 0: there is none. 'key' as metric_key(). */
PL_MUST_CHECK enum pl_code store_metric_find(struct store *s, const char *name_space, const char *name, const char *key,
                                             int64_t *out_id, struct pl_err *err);
/* As it, and makes it when there are fewer than 'most'; PL_EXHAUSTED. In a transaction. 'last_ms' of what is there
 * moves up. */
PL_MUST_CHECK enum pl_code store_metric_need(struct store *s, const char *name_space, const char *name, const char *key,
                                             int64_t last_ms, int64_t most, int64_t *out_id, struct pl_err *err);
struct store_metric_query {
    int64_t after_id;
    int64_t active_since_ms;
    const char *name_space, *name; /* "" = any */
};
/* By id; 'each' as in store_list(). */
PL_MUST_CHECK enum pl_code store_metrics_list(struct store *s, const struct store_metric_query *q,
                                              bool (*each)(void *arg, int64_t id, const char *name_space,
                                                           const char *name, const char *key),
                                              void *arg, struct pl_err *err);
/* The next ids behind 'after', at most 'max'; returns through '*out_count'. */
PL_MUST_CHECK enum pl_code store_metric_ids(struct store *s, int64_t after, int64_t *out_ids, size_t max,
                                            size_t *out_count, struct pl_err *err);
/* With their rows. */
PL_MUST_CHECK enum pl_code store_metrics_expire(struct store *s, int64_t last_before_ms, struct pl_err *err);

/* ---- rows ---- */

struct store_point {
    int64_t metric;
    int32_t resolution_s;
    int64_t start_s;
    int unit;
};
/* Adds 'p' to the row, which is made when it is not there. In a transaction. */
PL_MUST_CHECK enum pl_code store_point_merge(struct store *s, const struct store_point *key, const struct point *p,
                                             struct pl_err *err);
/* Rows of [from_s, before_s) by time; 'p' is gone after the call. 'each' returns false to end. */
PL_MUST_CHECK enum pl_code store_points(struct store *s, int64_t metric, int32_t resolution_s, int64_t from_s,
                                        int64_t before_s,
                                        bool (*each)(void *arg, int64_t start_s, int unit, const struct point *p),
                                        void *arg, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_points_delete(struct store *s, int64_t metric, int32_t resolution_s, int64_t before_s,
                                               struct pl_err *err);

/* ---- reporters ---- */

/* 0, 0 for one that has not been heard of. */
PL_MUST_CHECK enum pl_code store_reporter_get(struct store *s, const char *id, int64_t *out_epoch,
                                              int64_t *out_sequence, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_reporter_put(struct store *s, const char *id, int64_t epoch, int64_t sequence,
                                              int64_t now_ms, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_reporters_expire(struct store *s, int64_t seen_before_ms, struct pl_err *err);

/* ---- usage ---- */

struct store_usage {
    int64_t day; /* since 1970 UTC */
    const char *endpoint, *variant;
    int64_t memory_size_mb;
    int64_t invocations, billed_ms, provisioned_billed_ms, provisioned_ms, cold_starts, cold_start_ms;
    int64_t bytes_in, bytes_out;
};
/* Adds the numbers to those of its row. In a transaction. */
PL_MUST_CHECK enum pl_code store_usage_add(struct store *s, const struct store_usage *u, struct pl_err *err);
struct store_usage_query {
    int64_t from_day, to_day; /* both inclusive */
    const char *endpoint;     /* "" = any */
    /* Rows behind this one; the first three 0 and "": from the start. */
    int64_t after_day, after_memory;
    const char *after_endpoint, *after_variant;
    int64_t limit;
};
/* By day, endpoint, variant and memory size. */
PL_MUST_CHECK enum pl_code store_usage_list(struct store *s, const struct store_usage_query *q,
                                            void (*each)(void *arg, const struct store_usage *u), void *arg,
                                            struct pl_err *err);
PL_MUST_CHECK enum pl_code store_usage_expire(struct store *s, int64_t before_day, struct pl_err *err);

#endif
