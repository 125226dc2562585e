/* GetMetricData: many metrics and expressions over them, in pages.
 *
 * The metrics are asked of control, as many at once as fit into one of its answers; expressions are then evaluated,
 * those that need others after them; and the points are cut into pages. */
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
#define AT_ONCE 50400 /* buckets; a metric alone may have more, but not more data */

struct item {
    const json_t *query;
    const char *id, *expression; /* expression NULL: a metric */
    const char *statistic;       /* one of the five by AWS's name, or NULL: the extended one */
    bool returned, on_stack;
    const char *failure; /* of an expression */
    struct math_series series;
};

struct data {
    struct item *items;
    size_t count;
    size_t first_item, first_point; /* of this page */
    size_t asked, asked_end;        /* items whose metrics are under way, or answered */
    int64_t buckets;                /* of all metrics */
    int64_t most;                   /* points in it */
    bool ascending;
    int64_t start_ms, end_ms;
};

/* ---- the question ---- */

/* A page's token says where it starts: "ITEM.POINT". */
static bool read_token(struct aws_call *c, struct data *d)
{
    const char *token = aws_text(c->input, "NextToken"), *dot = token ? strchr(token, '.') : NULL;
    int64_t item, point;
    if (!token)
        return true;
    if (dot && pl_parse_i64(arena_strndup(c->arena, token, (size_t)(dot - token)), 0, 499, &item) &&
        pl_parse_i64(dot + 1, 0, MOST, &point)) {
        d->first_item = (size_t)item;
        d->first_point = (size_t)point;
        return true;
    }
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
    q->period_s = (int32_t)(period > INT32_MAX ? INT32_MAX / 60 * 60 : period);
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

/* What an expression waits for is evaluated before it, by a stack of our own: each is tried at most twice. */
static void resolve(struct data *d, struct math_scope *s, size_t first, size_t *stack)
{
    size_t depth = 0, waits_for;
    stack[depth++] = first;
    while (depth > 0) {
        size_t i = stack[depth - 1];
        struct item *item = &d->items[i];
        item->on_stack = true;
        enum math_outcome o = math_evaluate(item->expression, s, &item->series, &waits_for, &item->failure);
        if (o == MATH_WAITS && !d->items[waits_for].failure && !d->items[waits_for].on_stack) {
            stack[depth++] = waits_for;
            continue;
        }
        if (o == MATH_WAITS)
            item->failure = d->items[waits_for].on_stack ? "it needs itself" : "it needs an expression that failed";
        s->named[i].known = o == MATH_OK;
        s->named[i].series = item->series;
        item->on_stack = false;
        depth--;
    }
}

static void evaluate(struct aws_call *c, struct data *d)
{
    struct math_scope s = { .named = arena_get(c->arena, (d->count + 1) * sizeof(*s.named)),
                            .count = d->count,
                            .arena = c->arena,
                            .points_left = MATH_POINTS_MAX };
    size_t *stack = arena_get(c->arena, (d->count + 1) * sizeof(*stack));
    for (size_t i = 0; i < d->count; i++)
        s.named[i] = (struct math_named){ .id = d->items[i].id,
                                          .is_metric = !d->items[i].expression,
                                          .known = !d->items[i].expression,
                                          .series = d->items[i].series };
    for (size_t i = 0; i < d->count; i++)
        if (!s.named[i].known && !d->items[i].failure)
            resolve(d, &s, i, stack);
}

/* ---- the answer ---- */

/* Adds the item's points from 'from' on, as many as the page still holds; how many that was. */
static size_t add_points(struct aws_call *c, const struct data *d, const struct item *item, size_t from, int64_t left,
                         json_t *times, json_t *values)
{
    const struct math_series *s = &item->series;
    size_t i = from;
    for (; i < s->count && (int64_t)(i - from) < left; i++) {
        size_t at = d->ascending ? i : s->count - 1 - i;
        json_array_append_new(times, aws_time(c, s->times[at]));
        json_array_append_new(values, json_real(s->values[at]));
    }
    return i - from;
}

static const char *label_of(const struct item *item)
{
    const json_t *metric = json_object_get(json_object_get(item->query, "MetricStat"), "Metric");
    const char *label = aws_text(item->query, "Label");
    return label ? label : metric ? aws_text(metric, "MetricName") : item->id;
}

static json_t *result_json(struct aws_call *c, const struct item *item, json_t *times, json_t *values, bool whole)
{
    const char *status = item->failure ? "InternalError" : whole ? "Complete" : "PartialData";
    json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:s}", "Id", item->id, "Label", label_of(item), "Timestamps", times,
                          "Values", values, "StatusCode", status);
    if (item->failure)
        json_object_set_new(o, "Messages",
                            json_pack("[{s:s, s:s}]", "Code", "UnsupportedExpression", "Value",
                                      arena_format(c->arena, "Error in expression '%s': %s", item->id, item->failure)));
    return o;
}

static void answer(struct aws_call *c, struct data *d)
{
    json_t *results = json_array();
    int64_t left = d->most;
    size_t i = d->first_item, from = d->first_point;
    for (; i < d->count; i++, from = 0) {
        const struct item *item = &d->items[i];
        if (!item->returned)
            continue;
        if (left == 0 && item->series.count > from)
            break;
        json_t *times = json_array(), *values = json_array();
        size_t n = add_points(c, d, item, from, left, times, values);
        bool whole = from + n >= item->series.count;
        left -= (int64_t)n;
        json_array_append_new(results, result_json(c, item, times, values, whole));
        from += n;
        if (!whole)
            break;
    }
    json_t *out = json_pack("{s:o}", "MetricDataResults", results);
    if (i < d->count)
        json_object_set_new(out, "NextToken", json_string(arena_format(c->arena, "%zu.%zu", i, from)));
    aws_reply(c, out);
}

static void ask_more(struct aws_call *c);

static void answered(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__GetMetricStatisticsResponse *r = reply;
    struct data *d = c->state;
    size_t n = 0;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    for (size_t i = d->asked; i < d->asked_end && n < r->n_results; i++)
        if (!d->items[i].expression)
            take_points(c, &d->items[i], r->results[n++]);
    d->asked = d->asked_end;
    ask_more(c);
}

static int64_t buckets_of(const struct data *d, const Pilotlight__V1__StatisticsQuery *q)
{
    return (d->end_ms - d->start_ms) / 1000 / (q->period_s > 0 ? q->period_s : 1) + 1;
}

/* Asks for the next metrics; when there are none left, everything is there. */
static void ask_more(struct aws_call *c)
{
    Pilotlight__V1__GetMetricStatisticsRequest r = PILOTLIGHT__V1__GET_METRIC_STATISTICS_REQUEST__INIT;
    struct data *d = c->state;
    int64_t buckets = 0;
    r.queries = arena_get(c->arena, (d->count + 1) * sizeof(*r.queries));
    for (d->asked_end = d->asked; d->asked_end < d->count; d->asked_end++) {
        const struct item *item = &d->items[d->asked_end];
        Pilotlight__V1__StatisticsQuery *q = item->expression ? NULL : query_of(c, item);
        if (!q && !item->expression)
            return; /* answered */
        if (!q)
            continue;
        if (r.n_queries > 0 && buckets + buckets_of(d, q) > AT_ONCE)
            break;
        buckets += buckets_of(d, q);
        r.queries[r.n_queries++] = q;
    }
    if ((d->buckets += buckets) - (int64_t)d->count > MOST) {
        monitoring_invalid(c,
                           "MetricDataQueries ask for more than %d datapoints in all: take longer periods, a "
                           "shorter range, or fewer metrics.",
                           MOST);
        return;
    }
    if (r.n_queries > 0) {
        r.start_unix_ms = d->start_ms;
        r.end_unix_ms = d->end_ms;
        upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("MetricsService", "GetMetricStatistics"), &r.base,
                      &pilotlight__v1__get_metric_statistics_response__descriptor, answered);
        return;
    }
    evaluate(c, d);
    answer(c, d);
}

void monitoring_get_metric_data(struct aws_call *c)
{
    struct data *d = ARENA_NEW(c->arena, struct data);
    c->state = d;
    if (!shape_check(c, &shape_monitoring_get_metric_data) || !read_frame(c, d))
        return;
    const json_t *queries = json_object_get(c->input, "MetricDataQueries");
    d->count = json_array_size(queries);
    d->items = arena_get(c->arena, (d->count + 1) * sizeof(*d->items));
    for (size_t i = 0; i < d->count; i++)
        if (!read_item(c, d, i, json_array_get(queries, i)))
            return;
    ask_more(c);
}
