/* What anybody else puts. */
#include "ingest.h"

#include "base/mem.h"
#include "check.h"
#include "metric_key.h"
#include "retention.h"
#include "store_metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PAST_MS   INT64_C(1209600000) /* two weeks, as CloudWatch */
#define FUTURE_MS INT64_C(7200000)
#define MAGNITUDE 0x1p360 /* CloudWatch: -2^360 to 2^360 */

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum pl_code try_ = (call);                                                                                    \
        if (try_ != PL_OK)                                                                                             \
            return try_;                                                                                               \
    } while (0)
#define FIELD(out, ...) (snprintf((out), sizeof(out), __VA_ARGS__), (out))

static enum pl_code check_value(const char *field, double value, struct pl_err *err)
{
    if (isfinite(value) && fabs(value) <= MAGNITUDE)
        return PL_OK;
    return pl_fail(err, PL_INVALID, field, "%s is %g: it must be a finite number of magnitude up to 2^360", field,
                   value);
}

static enum pl_code check_at(const char *field, int64_t at_ms, int64_t wall_ms, struct pl_err *err)
{
    if (at_ms == 0 || (at_ms >= wall_ms - PAST_MS && at_ms <= wall_ms + FUTURE_MS))
        return PL_OK;
    return pl_fail(err, PL_INVALID, field,
                   "%s is %lld: it must be at most two weeks ago and at most two hours from now (%lld)", field,
                   (long long)at_ms, (long long)wall_ms);
}

static enum pl_code read_values(const struct limits *l, const char *at, const Pilotlight__V1__ValueList *list,
                                struct point *out, struct pl_err *err)
{
    char field[96];
    TRY(check_count(l, LIMIT_metric_values, FIELD(field, "%s.values", at), list->n_values, err));
    if (list->n_counts != 0 && list->n_counts != list->n_values)
        return pl_fail(err, PL_INVALID, FIELD(field, "%s.counts", at),
                       "%s.counts has %zu: it must have as many as values, %zu", at, list->n_counts, list->n_values);
    for (size_t i = 0; i < list->n_values; i++) {
        double count = list->n_counts ? list->counts[i] : 1;
        TRY(check_value(FIELD(field, "%s.values[%zu]", at, i), list->values[i], err));
        if (!(count >= 1 && count <= 1e15 && floor(count) == count))
            return pl_fail(err, PL_INVALID, FIELD(field, "%s.counts[%zu]", at, i),
                           "%s.counts[%zu] is %g: it must be a whole number from 1 to 10^15", at, i, count);
        point_add(out, list->values[i], count);
    }
    return PL_OK;
}

static enum pl_code read_set(const char *at, const Pilotlight__V1__StatisticSet *set, struct point *out,
                             struct pl_err *err)
{
    char field[96];
    TRY(check_value(FIELD(field, "%s.sum", at), set->sum, err));
    TRY(check_value(FIELD(field, "%s.minimum", at), set->minimum, err));
    TRY(check_value(FIELD(field, "%s.maximum", at), set->maximum, err));
    if (!(set->sample_count > 0 && set->sample_count <= 1e15))
        return pl_fail(err, PL_INVALID, FIELD(field, "%s.sample_count", at),
                       "%s.sample_count is %g: it must be above 0 and at most 10^15", at, set->sample_count);
    if (set->minimum > set->maximum)
        return pl_fail(err, PL_INVALID, FIELD(field, "%s.minimum", at),
                       "%s.minimum is %g: it must be at most maximum, %g", at, set->minimum, set->maximum);
    point_add_set(out, set->sample_count, set->sum, set->minimum, set->maximum);
    return PL_OK;
}

static enum pl_code read_content(const struct limits *l, const char *at, const Pilotlight__V1__MetricDatum *d,
                                 struct point *out, struct pl_err *err)
{
    switch (d->content_case) {
    case PILOTLIGHT__V1__METRIC_DATUM__CONTENT_VALUES:
        return read_values(l, at, d->values, out, err);
    case PILOTLIGHT__V1__METRIC_DATUM__CONTENT_STATISTICS:
        return read_set(at, d->statistics, out, err);
    default:
        return pl_fail(err, PL_INVALID, at, "%s has no content: it must have values or statistics", at);
    }
}

static enum pl_code check_datum(const struct limits *l, const char *at, const Pilotlight__V1__MetricDatum *d,
                                int64_t wall_ms, struct pl_err *err)
{
    char field[96];
    TRY(metric_check(l, FIELD(field, "%s.metric", at), d->metric, err));
    if (strncmp(d->metric->namespace_, "AWS/", 4) == 0)
        return pl_fail(err, PL_INVALID, FIELD(field, "%s.metric.namespace", at),
                       "%s is \"%.80s\": namespaces that start with AWS/ are reserved", field, d->metric->namespace_);
    TRY(check_at(FIELD(field, "%s.at_unix_ms", at), d->at_unix_ms, wall_ms, err));
    TRY(metric_check_unit(FIELD(field, "%s.unit", at), d->unit, err));
    if (d->resolution_s != 0 && d->resolution_s != 1 && d->resolution_s != 60)
        return pl_fail(err, PL_INVALID, FIELD(field, "%s.resolution_s", at), "%s is %d: it must be 1 or 60", field,
                       d->resolution_s);
    return PL_OK;
}

static enum pl_code add_datum(struct store *s, const struct limits *l, const Pilotlight__V1__MetricDatum *d,
                              const struct point *p, int64_t wall_ms, struct pl_err *err)
{
    int64_t at_s = (d->at_unix_ms ? d->at_unix_ms : wall_ms) / 1000;
    const struct retention_class *class = retention_class_of(at_s, d->resolution_s == 1 ? 1 : 60, wall_ms / 1000);
    pl_cleanup(pl_free_p) char *key = metric_key(d->metric->dimensions, d->metric->n_dimensions);
    struct store_point at = {
        .resolution_s = class->resolution_s, /* two weeks are never too old */
        .start_s = retention_floor(at_s, class->resolution_s),
        .unit = metric_unit(d->unit),
    };
    TRY(store_metric_need(s, d->metric->namespace_, d->metric->name, key, at.start_s * 1000, l->row[LIMIT_metrics].max,
                          &at.metric, err));
    return store_point_merge(s, &at, p, err);
}

enum pl_code ingest_put(struct store *s, const struct limits *l, const Pilotlight__V1__PutMetricDataRequest *r,
                        int64_t wall_ms, struct pl_err *err)
{
    char at[32];
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(check_count(l, LIMIT_metric_data, "data", r->n_data, err));
    TRY(store_begin(&tx, s, err));
    for (size_t i = 0; i < r->n_data; i++) {
        pl_cleanup(point_done) struct point p = { 0 };
        TRY(check_datum(l, FIELD(at, "data[%zu]", i), r->data[i], wall_ms, err));
        TRY(read_content(l, at, r->data[i], &p, err));
        TRY(add_datum(s, l, r->data[i], &p, wall_ms, err));
    }
    return store_commit(&tx, err);
}
