/* GetMetricData: many metrics and expressions over them, in pages.
 *
 * Everything is asked of control in one request; expressions are then evaluated, those that need others after them; and
 * the points are cut into pages by how many have been given out before. */
#include "monitoring.h"

#include "aws_error.h"
#include "base/text.h"
#include "metric_math.h"
#include "monitoring_shapes.h"
#include "upstream.h"

#include <math.h>
#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))
#define MOST    100800

struct item {
    const json_t *query;
    const char *id, *expression; /* expression NULL: a metric */
    const char *statistic;       /* one of the five by AWS's name, or NULL: the extended one */
    size_t asked;                /* index of its query to control */
    bool returned;
    const char *failure; /* of an expression */
    struct math_series series;
};

struct data {
    struct item *items;
    size_t count;
    int64_t skip; /* points given out by earlier pages */
    int64_t most; /* in this page */
    bool ascending;
    int64_t start_ms, end_ms;
};

/* ---- the question ---- */

/* The next page's token is how many points have been given out. */
static bool read_token(struct aws_call *c, struct data *d)
{
    const char *token = aws_text(c->input, "NextToken");
    if (!token || !*token || (token[0] == 'p' && pl_parse_i64(token + 1, 0, INT64_MAX, &d->skip)))
        return true;
    aws_fail_as(c, 400, "InvalidNextToken", "InvalidNextToken", "The next token specified is invalid.");
    return false;
}

static bool read_frame(struct aws_call *c, struct data *d)
{
    if (!monitoring_need(c, c->input, "MetricDataQueries") || !monitoring_need(c, c->input, "StartTime") ||
        !monitoring_need(c, c->input, "EndTime") || !read_token(c, d))
        return false;
    (void)aws_read_time(json_object_get(c->input, "StartTime"), &d->start_ms);
    (void)aws_read_time(json_object_get(c->input, "EndTime"), &d->end_ms);
    d->most = MOST;
    (void)aws_integer(c->input, "MaxDatapoints", &d->most);
    const char *order = aws_text(c->input, "ScanBy");
    d->ascending = order && strcmp(order, "TimestampAscending") == 0;
    if (d->start_ms < d->end_ms)
        return true;
    monitoring_invalid(c, "The parameter StartTime must be less than the parameter EndTime.");
    return false;
}

static bool read_item(struct aws_call *c, struct data *d, size_t i, const json_t *query)
{
    struct item *item = &d->items[i];
    const json_t *stat = json_object_get(query, "MetricStat");
    item->query = query;
    item->id = aws_text(query, "Id");
    item->expression = aws_text(query, "Expression");
    item->returned = aws_bool(query, "ReturnData", true);
    for (size_t k = 0; k < i; k++)
        if (strcmp(d->items[k].id, item->id) == 0) {
            monitoring_invalid(c, "The values for parameter id in MetricDataQueries are not unique: %s.", item->id);
            return false;
        }
    if ((stat != NULL) == (item->expression != NULL)) {
        monitoring_combination(c, "Query %s must have exactly one of MetricStat and Expression.", item->id);
        return false;
    }
    if (stat && monitoring_statistic(aws_text(stat, "Stat")))
        item->statistic = aws_text(stat, "Stat");
    return true;
}

static Pilotlight__V1__StatisticsQuery *query_of(struct aws_call *c, const struct item *item)
{
    const json_t *stat = json_object_get(item->query, "MetricStat");
    Pilotlight__V1__StatisticsQuery *q = ARENA_NEW(c->arena, Pilotlight__V1__StatisticsQuery);
    int64_t period = 60;
    pilotlight__v1__statistics_query__init(q);
    if (!(q->metric = monitoring_metric(c, json_object_get(stat, "Metric"))))
        return NULL;
    (void)aws_integer(stat, "Period", &period);
    q->period_s = (int32_t)(period > INT32_MAX ? INT32_MAX : period);
    q->unit = TEXT(aws_text(stat, "Unit") ? aws_text(stat, "Unit") : "");
    if (item->statistic)
        return q;
    q->extended_statistics = arena_get(c->arena, sizeof(char *));
    q->extended_statistics[q->n_extended_statistics++] = TEXT(aws_text(stat, "Stat"));
    return q;
}

/* ---- evaluation ---- */

/* The first unit that has data: without Unit AWS gives one series. */
static void take_points(struct aws_call *c, struct item *item, const Pilotlight__V1__StatisticsResult *r)
{
    if (r->n_units == 0)
        return;
    const Pilotlight__V1__UnitDatapoints *u = r->units[0];
    item->series.times = arena_get(c->arena, (u->n_datapoints + 1) * sizeof(int64_t));
    item->series.values = arena_get(c->arena, (u->n_datapoints + 1) * sizeof(double));
    for (size_t i = 0; i < u->n_datapoints; i++) {
        const Pilotlight__V1__Datapoint *p = u->datapoints[i];
        double v = item->statistic ? monitoring_value(p, item->statistic) : p->n_extended ? p->extended[0] : NAN;
        if (!isfinite(v))
            continue;
        item->series.times[item->series.count] = p->start_unix_ms;
        item->series.values[item->series.count++] = v;
    }
}

static void evaluate(struct aws_call *c, struct data *d)
{
    struct math_named *named = arena_get(c->arena, (d->count + 1) * sizeof(*named));
    bool progress = true;
    for (size_t i = 0; i < d->count; i++)
        named[i] = (struct math_named){ .id = d->items[i].id,
                                        .is_metric = !d->items[i].expression,
                                        .known = !d->items[i].expression,
                                        .series = d->items[i].series };
    while (progress) {
        progress = false;
        for (size_t i = 0; i < d->count; i++) {
            struct item *item = &d->items[i];
            if (named[i].known || item->failure)
                continue;
            enum math_outcome o =
                math_evaluate(item->expression, named, d->count, c->arena, &item->series, &item->failure);
            if (o == MATH_WAITS)
                item->failure = NULL;
            progress |= o != MATH_WAITS;
            named[i].known = o == MATH_OK;
            named[i].series = item->series;
        }
    }
    for (size_t i = 0; i < d->count; i++)
        if (!named[i].known && !d->items[i].failure)
            d->items[i].failure = "it needs itself, or an expression that failed";
}

/* ---- the answer ---- */

/* Adds the item's points of this page; false: there are more than the page holds. */
static bool add_points(struct aws_call *c, const struct data *d, const struct item *item, int64_t *position, int64_t *given,
                       json_t *times, json_t *values)
{
    const struct math_series *s = &item->series;
    for (size_t i = 0; i < s->count; i++) {
        size_t at = d->ascending ? i : s->count - 1 - i;
        if ((*position)++ < d->skip)
            continue;
        if (*given == d->most) {
            (*position)--;
            return false;
        }
        (*given)++;
        json_array_append_new(times, aws_time(c, s->times[at]));
        json_array_append_new(values, json_real(s->values[at]));
    }
    return true;
}

static const char *label_of(struct aws_call *c, const struct item *item)
{
    const json_t *metric = json_object_get(json_object_get(item->query, "MetricStat"), "Metric");
    const char *label = aws_text(item->query, "Label");
    (void)c;
    return label ? label : metric ? aws_text(metric, "MetricName") : item->id;
}

static json_t *result_json(struct aws_call *c, const struct item *item, json_t *times, json_t *values, bool whole)
{
    json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:s}", "Id", item->id, "Label", label_of(c, item), "Timestamps", times,
                          "Values", values, "StatusCode",
                          item->failure ? "InternalError"
                          : whole       ? "Complete"
                                        : "PartialData");
    if (item->failure)
        json_object_set_new(o, "Messages",
                            json_pack("[{s:s, s:s}]", "Code", "UnsupportedExpression", "Value",
                                      arena_format(c->arena, "Error in expression '%s': %s", item->id, item->failure)));
    return o;
}

static void answer(struct aws_call *c, struct data *d)
{
    json_t *results = json_array();
    int64_t position = 0, given = 0;
    bool whole = true;
    for (size_t i = 0; i < d->count && whole; i++) {
        const struct item *item = &d->items[i];
        json_t *times = json_array(), *values = json_array();
        if (!item->returned || (position + (int64_t)item->series.count < d->skip && !item->failure)) {
            position += item->returned ? (int64_t)item->series.count : 0;
            json_decref(times);
            json_decref(values);
            continue;
        }
        whole = add_points(c, d, item, &position, &given, times, values);
        json_array_append_new(results, result_json(c, item, times, values, whole));
    }
    json_t *out = json_pack("{s:o}", "MetricDataResults", results);
    if (!whole)
        json_object_set_new(out, "NextToken", json_string(arena_format(c->arena, "p%lld", (long long)position)));
    aws_reply(c, out);
}

static void answered(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__GetMetricStatisticsResponse *r = reply;
    struct data *d = c->state;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    for (size_t i = 0; i < d->count; i++)
        if (!d->items[i].expression)
            take_points(c, &d->items[i], r->results[d->items[i].asked]);
    evaluate(c, d);
    answer(c, d);
}

void monitoring_get_metric_data(struct aws_call *c)
{
    Pilotlight__V1__GetMetricStatisticsRequest r = PILOTLIGHT__V1__GET_METRIC_STATISTICS_REQUEST__INIT;
    struct data *d = ARENA_NEW(c->arena, struct data);
    c->state = d;
    if (!shape_check(c, &shape_monitoring_get_metric_data) || !read_frame(c, d))
        return;
    const json_t *queries = json_object_get(c->input, "MetricDataQueries");
    d->count = json_array_size(queries);
    d->items = arena_get(c->arena, (d->count + 1) * sizeof(*d->items));
    r.queries = arena_get(c->arena, (d->count + 1) * sizeof(*r.queries));
    for (size_t i = 0; i < d->count; i++) {
        if (!read_item(c, d, i, json_array_get(queries, i)))
            return;
        if (d->items[i].expression)
            continue;
        d->items[i].asked = r.n_queries;
        if (!(r.queries[r.n_queries++] = query_of(c, &d->items[i])))
            return; /* answered */
    }
    r.start_unix_ms = d->start_ms;
    r.end_unix_ms = d->end_ms;
    if (r.n_queries > 0) {
        upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("MetricsService", "GetMetricStatistics"), &r.base,
                      &pilotlight__v1__get_metric_statistics_response__descriptor, answered);
        return;
    }
    evaluate(c, d); /* of nothing: says what is missing */
    answer(c, d);
}
