#include "metric_query.h"

#include "base/mem.h"
#include "check.h"
#include "metric_key.h"
#include "record.h"
#include "retention.h"
#include "statistic.h"
#include "store_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one metric ---- */

void metric_result_done(struct metric_result *r)
{
    for (size_t i = 0; i < r->unit_count; i++) {
        for (size_t k = 0; k < r->bucket_count; k++)
            point_done(&r->units[i].points[k]);
        free(r->units[i].points);
    }
    free(r->units);
    *r = (struct metric_result){ 0 };
}

size_t metric_range_buckets(const struct metric_range *r)
{
    return r->end_s <= r->start_s ? 0 : (size_t)((r->end_s - r->start_s + r->period_s - 1) / r->period_s);
}

struct reading {
    const struct metric_range *range;
    int unit;
    struct metric_result result;
};

static struct metric_buckets *buckets_of(struct metric_result *r, int unit)
{
    for (size_t i = 0; i < r->unit_count; i++)
        if (r->units[i].unit == unit)
            return &r->units[i];
    r->units = pl_grow(r->units, r->unit_count + 1, sizeof(*r->units));
    r->units[r->unit_count] = (struct metric_buckets){
        .unit = unit,
        .points = pl_new0(r->bucket_count, sizeof(struct point)),
    };
    return &r->units[r->unit_count++];
}

static bool take_row(void *arg, int64_t start_s, int unit, const struct point *p)
{
    struct reading *r = arg;
    if (r->unit < 0 || r->unit == unit)
        point_merge(&buckets_of(&r->result, unit)->points[(start_s - r->range->start_s) / r->range->period_s], p);
    return true;
}

enum pl_code metric_read(struct store *s, const char *name_space, const char *name, const char *key, int unit,
                         const struct metric_range *range, int64_t now_s, struct metric_result *out, struct pl_err *err)
{
    struct reading r = { .range = range, .unit = unit };
    int64_t id;
    *out = (struct metric_result){ .bucket_count = metric_range_buckets(range) };
    if (store_metric_find(s, name_space, name, key, &id, err) != PL_OK)
        return err->code;
    if (id == 0 || out->bucket_count == 0 || !retention_has_data(range->start_s, range->period_s, now_s))
        return PL_OK;
    r.result.bucket_count = out->bucket_count;
    for (size_t i = 0; i < RETENTION_CLASSES; i++) {
        int32_t resolution_s = retention_classes[i].resolution_s;
        if (resolution_s > range->period_s)
            continue; /* too coarse to say in which bucket its values were */
        if (store_points(s, id, resolution_s, range->start_s, range->end_s, take_row, &r, err) != PL_OK) {
            metric_result_done(&r.result);
            return err->code;
        }
    }
    *out = r.result;
    return PL_OK;
}

/* ---- the answer ---- */

static Pilotlight__V1__Datapoint *datapoint(const struct point *p, int64_t start_s, const struct statistic *extended,
                                            size_t count)
{
    Pilotlight__V1__Datapoint *d = PL_NEW(Pilotlight__V1__Datapoint);
    pilotlight__v1__datapoint__init(d);
    d->start_unix_ms = start_s * 1000;
    d->sample_count = p->count;
    d->sum = p->sum;
    d->minimum = p->min;
    d->maximum = p->max;
    if (count > 0)
        d->extended = pl_new0(count, sizeof(*d->extended));
    for (; d->n_extended < count; d->n_extended++)
        d->extended[d->n_extended] = statistic_of(&extended[d->n_extended], p);
    return d;
}

static Pilotlight__V1__UnitDatapoints *unit_message(const struct metric_buckets *b, size_t bucket_count,
                                                    const struct metric_range *range, const struct statistic *extended,
                                                    size_t extended_count)
{
    Pilotlight__V1__UnitDatapoints *u = PL_NEW(Pilotlight__V1__UnitDatapoints);
    pilotlight__v1__unit_datapoints__init(u);
    u->unit = pl_strdup(metric_unit_name(b->unit));
    u->datapoints = pl_new0(bucket_count, sizeof(*u->datapoints));
    for (size_t i = 0; i < bucket_count; i++)
        if (b->points[i].count > 0)
            u->datapoints[u->n_datapoints++] =
                datapoint(&b->points[i], range->start_s + (int64_t)i * range->period_s, extended, extended_count);
    return u;
}

struct asked {
    struct metric_range range;
    struct statistic extended[16];
    size_t extended_count;
};

static enum pl_code check_query(const struct limits *l, size_t i, const Pilotlight__V1__GetMetricStatisticsRequest *r,
                                int64_t now_s, struct asked *out, struct pl_err *err)
{
    const Pilotlight__V1__StatisticsQuery *q = r->queries[i];
    char field[64], at[32];
    (void)snprintf(at, sizeof(at), "queries[%zu]", i);
    (void)snprintf(field, sizeof(field), "%s.metric", at);
    if (metric_check(l, field, q->metric, err) != PL_OK)
        return err->code;
    (void)snprintf(field, sizeof(field), "%s.unit", at);
    if (metric_check_unit(field, q->unit, err) != PL_OK)
        return err->code;
    (void)snprintf(field, sizeof(field), "%s.period_s", at);
    if (!retention_period_valid(q->period_s))
        return pl_fail(err, PL_INVALID, field,
                       "%s is %d: it must be 1, 5, 10, 20, 30 or a multiple of 60 seconds, at most a year", field,
                       q->period_s);
    (void)snprintf(field, sizeof(field), "%s.extended_statistics", at);
    if (check_count(l, LIMIT_extended_statistics, field, q->n_extended_statistics, err) != PL_OK)
        return err->code;
    out->extended_count = q->n_extended_statistics;
    for (size_t k = 0; k < out->extended_count; k++)
        if (!statistic_parse(q->extended_statistics[k], &out->extended[k]) || !statistic_is_extended(&out->extended[k]))
            return pl_fail(
                err, PL_INVALID, field,
                "%s has \"%.40s\": it must be like p99, tm90, TM(10%%:90%%), wm90, tc90, ts90, PR(:300) or IQM", field,
                q->extended_statistics[k]);
    out->range = (struct metric_range){
        .start_s = retention_query_start(r->start_unix_ms, q->period_s, now_s),
        .end_s = (r->end_unix_ms + 999) / 1000,
        .period_s = q->period_s,
    };
    return PL_OK;
}

static enum pl_code check_request(const struct limits *l, const Pilotlight__V1__GetMetricStatisticsRequest *r,
                                  int64_t now_s, struct asked **out_asked, struct pl_err *err)
{
    int64_t total = 0, most = l->row[LIMIT_datapoints].max;
    if (check_count(l, LIMIT_metric_queries, "queries", r->n_queries, err) != PL_OK)
        return err->code;
    if (r->start_unix_ms < 0 || r->end_unix_ms <= r->start_unix_ms || r->end_unix_ms > INT64_MAX / 2)
        return pl_fail(err, PL_INVALID, "start_unix_ms", "start_unix_ms is %lld: it must be before end_unix_ms, %lld",
                       (long long)r->start_unix_ms, (long long)r->end_unix_ms);
    pl_cleanup(pl_free_p) struct asked *asked = pl_new0(r->n_queries, sizeof(*asked));
    for (size_t i = 0; i < r->n_queries; i++) {
        if (check_query(l, i, r, now_s, &asked[i], err) != PL_OK)
            return err->code;
        total += (int64_t)metric_range_buckets(&asked[i].range);
        if (total > most)
            return pl_fail(err, PL_INVALID, "queries",
                           "queries ask for more than %lld datapoints: take longer periods, or a shorter range",
                           (long long)most);
    }
    *out_asked = pl_take(asked);
    return PL_OK;
}

static enum pl_code answer(struct store *s, const Pilotlight__V1__StatisticsQuery *q, const struct asked *asked,
                           int64_t now_s, Pilotlight__V1__StatisticsResult *out, struct pl_err *err)
{
    pl_cleanup(metric_result_done) struct metric_result r = { 0 };
    pl_cleanup(pl_free_p) char *key = metric_key(q->metric->dimensions, q->metric->n_dimensions);
    int unit = *q->unit ? metric_unit(q->unit) : -1;
    if (metric_read(s, q->metric->namespace_, q->metric->name, key, unit, &asked->range, now_s, &r, err) != PL_OK)
        return err->code;
    out->units = pl_new0(r.unit_count + 1, sizeof(*out->units));
    for (; out->n_units < r.unit_count; out->n_units++)
        out->units[out->n_units] =
            unit_message(&r.units[out->n_units], r.bucket_count, &asked->range, asked->extended, asked->extended_count);
    return PL_OK;
}

enum pl_code metric_query(struct store *s, const struct limits *l, const Pilotlight__V1__GetMetricStatisticsRequest *r,
                          int64_t wall_ms, Pilotlight__V1__GetMetricStatisticsResponse **out, struct pl_err *err)
{
    int64_t now_s = wall_ms / 1000, bytes = 0, most = l->row[LIMIT_metric_answer].max;
    pl_cleanup(pl_free_p) struct asked *asked = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__GetMetricStatisticsResponse *reply = NULL;
    if (check_request(l, r, now_s, &asked, err) != PL_OK)
        return err->code;
    reply = PL_NEW(Pilotlight__V1__GetMetricStatisticsResponse);
    pilotlight__v1__get_metric_statistics_response__init(reply);
    reply->results = pl_new0(r->n_queries, sizeof(*reply->results));
    for (size_t i = 0; i < r->n_queries; i++) {
        Pilotlight__V1__StatisticsResult *result = PL_NEW(Pilotlight__V1__StatisticsResult);
        pilotlight__v1__statistics_result__init(result);
        reply->results[reply->n_results++] = result;
        if (answer(s, r->queries[i], &asked[i], now_s, result, err) != PL_OK)
            return err->code;
        bytes += (int64_t)protobuf_c_message_get_packed_size(&result->base);
        if (bytes > most)
            return pl_fail(err, PL_OUT_OF_RANGE, "queries",
                           "queries have more data than an answer's %lld bytes: ask for fewer metrics at once, one "
                           "unit, longer periods, or a shorter range",
                           (long long)most);
    }
    reply->start_unix_ms = asked[0].range.start_s * 1000;
    *out = pl_take(reply);
    return PL_OK;
}
