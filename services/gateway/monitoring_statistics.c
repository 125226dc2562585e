/* GetMetricStatistics: one metric, buckets from the rounded start, at most 1,440 of them. */
#include "monitoring.h"

#include "aws_error.h"
#include "monitoring_shapes.h"
#include "upstream.h"

#include <math.h>
#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))
#define MOST    1440

struct asked {
    int64_t start_ms, end_ms, period_s;
    const json_t *statistics, *extended; /* one of them */
};

static bool read_range(struct aws_call *c, struct asked *a)
{
    if (!monitoring_need(c, c->input, "StartTime") || !monitoring_need(c, c->input, "EndTime") ||
        !monitoring_need(c, c->input, "Period"))
        return false;
    (void)aws_read_time(json_object_get(c->input, "StartTime"), &a->start_ms);
    (void)aws_read_time(json_object_get(c->input, "EndTime"), &a->end_ms);
    (void)aws_integer(c->input, "Period", &a->period_s);
    if (a->start_ms >= a->end_ms) {
        monitoring_invalid(c, "The parameter StartTime must be less than the parameter EndTime.");
        return false;
    }
    bool fine = a->period_s == 1 || a->period_s == 5 || a->period_s == 10 || a->period_s == 20 || a->period_s == 30;
    if (!fine && (a->period_s < 60 || a->period_s % 60 != 0)) {
        monitoring_invalid(c, "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.");
        return false;
    }
    int64_t points = (a->end_ms - a->start_ms) / 1000 / a->period_s;
    if (points <= MOST)
        return true;
    monitoring_combination(
        c,
        "You have requested up to %s datapoints, which exceeds the limit of 1,440. You may reduce the "
        "datapoints requested by increasing Period, or decreasing the time range.",
        monitoring_thousands(c, points));
    return false;
}

static bool read_statistics(struct aws_call *c, struct asked *a)
{
    a->statistics = json_object_get(c->input, "Statistics");
    a->extended = json_object_get(c->input, "ExtendedStatistics");
    if (!a->statistics && !a->extended) {
        monitoring_combination(c,
                               "At least one of the parameters Statistics and ExtendedStatistics must be specified.");
        return false;
    }
    if (!a->statistics || !a->extended)
        return true;
    monitoring_combination(c, "The parameters Statistics and ExtendedStatistics must not be specified together.");
    return false;
}

static json_t *point_json(struct aws_call *c, const struct asked *a, const Pilotlight__V1__Datapoint *d,
                          const char *unit)
{
    json_t *o = json_pack("{s:o, s:s}", "Timestamp", aws_time(c, d->start_unix_ms), "Unit", unit),
           *extended = json_object();
    for (size_t i = 0; i < json_array_size(a->statistics); i++) {
        const char *name = json_string_value(json_array_get(a->statistics, i));
        json_object_set_new(o, name, json_real(monitoring_value(d, name)));
    }
    for (size_t i = 0; i < json_array_size(a->extended) && i < d->n_extended; i++)
        if (isfinite(d->extended[i]))
            json_object_set_new(extended, json_string_value(json_array_get(a->extended, i)), json_real(d->extended[i]));
    if (json_object_size(extended) > 0)
        json_object_set_new(o, "ExtendedStatistics", aws_map(c, extended));
    else
        json_decref(extended);
    return o;
}

/* Without any of the statistics asked for it is no datapoint: percentiles of what was summed up. */
static bool has_value(const struct asked *a, const Pilotlight__V1__Datapoint *d)
{
    for (size_t i = 0; a->extended && i < d->n_extended; i++)
        if (isfinite(d->extended[i]))
            return true;
    return !a->extended;
}

static void answered(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__GetMetricStatisticsResponse *r = reply;
    const struct asked *a = c->state;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    json_t *points = json_array();
    for (size_t u = 0; u < r->results[0]->n_units; u++)
        for (size_t i = 0; i < r->results[0]->units[u]->n_datapoints; i++) {
            const Pilotlight__V1__Datapoint *d = r->results[0]->units[u]->datapoints[i];
            if (has_value(a, d))
                json_array_append_new(points, point_json(c, a, d, r->results[0]->units[u]->unit));
        }
    aws_reply(c, json_pack("{s:s, s:o}", "Label", aws_text(c->input, "MetricName"), "Datapoints", points));
}

void monitoring_get_metric_statistics(struct aws_call *c)
{
    Pilotlight__V1__GetMetricStatisticsRequest r = PILOTLIGHT__V1__GET_METRIC_STATISTICS_REQUEST__INIT;
    Pilotlight__V1__StatisticsQuery q = PILOTLIGHT__V1__STATISTICS_QUERY__INIT, *queries[] = { &q };
    struct asked *a = ARENA_NEW(c->arena, struct asked);
    c->state = a;
    if (!shape_check(c, &shape_monitoring_get_metric_statistics) || !(q.metric = monitoring_metric(c, c->input)) ||
        !read_range(c, a) || !read_statistics(c, a))
        return;
    q.period_s = (int32_t)(a->period_s > INT32_MAX ? INT32_MAX / 60 * 60 : a->period_s);
    q.extended_statistics = monitoring_texts(c, a->extended, &q.n_extended_statistics);
    q.unit = TEXT(aws_text(c->input, "Unit") ? aws_text(c->input, "Unit") : "");
    r.start_unix_ms = a->start_ms;
    r.end_unix_ms = a->end_ms;
    r.queries = queries;
    r.n_queries = 1;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("MetricsService", "GetMetricStatistics"), &r.base,
                  &pilotlight__v1__get_metric_statistics_response__descriptor, answered);
}
