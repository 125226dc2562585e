/* What metrics are called, which there are, and new values. */
#include "monitoring.h"

#include "aws_error.h"
#include "base/time.h"
#include "monitoring_shapes.h"
#include "upstream.h"

#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))
#define HOUR_MS INT64_C(3600000)

/* ---- names ---- */

static const char *const statistics[][2] = {
    { "SampleCount", "sample_count" }, { "Average", "average" }, { "Sum", "sum" },
    { "Minimum", "minimum" },          { "Maximum", "maximum" },
};

const char *monitoring_statistic(const char *aws_name)
{
    for (size_t i = 0; i < PL_COUNT(statistics); i++)
        if (strcmp(statistics[i][0], aws_name) == 0)
            return statistics[i][1];
    return NULL;
}

const char *monitoring_statistic_name(const char *ours)
{
    for (size_t i = 0; i < PL_COUNT(statistics); i++)
        if (strcmp(statistics[i][1], ours) == 0)
            return statistics[i][0];
    return NULL;
}

double monitoring_value(const Pilotlight__V1__Datapoint *d, const char *aws_name)
{
    const char *ours = monitoring_statistic(aws_name);
    if (strcmp(ours, "sample_count") == 0)
        return d->sample_count;
    if (strcmp(ours, "average") == 0)
        return d->sum / d->sample_count;
    if (strcmp(ours, "sum") == 0)
        return d->sum;
    return strcmp(ours, "minimum") == 0 ? d->minimum : d->maximum;
}

char *monitoring_thousands(struct aws_call *c, int64_t n)
{
    char *text = arena_format(c->arena, "%lld", (long long)n), *out = arena_get(c->arena, 2 * strlen(text) + 1),
         *at = out;
    for (size_t left = strlen(text); left > 0; left--) {
        *at++ = text[strlen(text) - left];
        if (left > 1 && left % 3 == 1)
            *at++ = ',';
    }
    return out;
}

char **monitoring_texts(struct aws_call *c, const json_t *list, size_t *out_count)
{
    size_t count = json_array_size(list);
    char **out = arena_get(c->arena, (count + 1) * sizeof(*out));
    for (size_t i = 0; i < count; i++)
        out[i] = arena_strdup(c->arena, json_string_value(json_array_get(list, i)));
    *out_count = count;
    return out;
}

/* AWS's own pages write this one with and without the first slash. */
static char *name_space(struct aws_call *c, const char *text)
{
    return strcmp(text, "aws/sagemaker/Endpoints") == 0 ? TEXT("/aws/sagemaker/Endpoints")
                                                        : arena_strdup(c->arena, text);
}

Pilotlight__V1__Dimension **monitoring_dimensions(struct aws_call *c, const json_t *list, size_t *out_count)
{
    size_t count = json_array_size(list);
    Pilotlight__V1__Dimension **out = arena_get(c->arena, (count + 1) * sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        const json_t *d = json_array_get(list, i);
        out[i] = ARENA_NEW(c->arena, Pilotlight__V1__Dimension);
        pilotlight__v1__dimension__init(out[i]);
        out[i]->name = TEXT(aws_text(d, "Name"));
        out[i]->value = TEXT(aws_text(d, "Value"));
    }
    *out_count = count;
    return out;
}

Pilotlight__V1__Metric *monitoring_metric(struct aws_call *c, const json_t *object)
{
    Pilotlight__V1__Metric *m = ARENA_NEW(c->arena, Pilotlight__V1__Metric);
    if (!monitoring_need(c, object, "Namespace") || !monitoring_need(c, object, "MetricName"))
        return NULL;
    pilotlight__v1__metric__init(m);
    m->namespace_ = name_space(c, aws_text(object, "Namespace"));
    m->name = TEXT(aws_text(object, "MetricName"));
    m->dimensions = monitoring_dimensions(c, json_object_get(object, "Dimensions"), &m->n_dimensions);
    return m;
}

json_t *monitoring_dimensions_json(const Pilotlight__V1__Metric *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n_dimensions; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "Name", m->dimensions[i]->name, "Value", m->dimensions[i]->value));
    return list;
}

/* ---- ListMetrics ---- */

static void listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListMetricsResponse *r = reply;
    json_t *list = json_array();
    if (status->code != PL_OK) {
        json_decref(list);
        aws_fail_upstream(c, status);
        return;
    }
    for (size_t i = 0; i < r->n_metrics; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o}", "Namespace", r->metrics[i]->namespace_, "MetricName",
                                        r->metrics[i]->name, "Dimensions", monitoring_dimensions_json(r->metrics[i])));
    json_t *result = json_pack("{s:o}", "Metrics", list);
    if (*r->next_page_token)
        json_object_set_new(result, "NextToken", json_string(r->next_page_token));
    aws_reply(c, result);
}

void monitoring_list_metrics(struct aws_call *c)
{
    Pilotlight__V1__ListMetricsRequest r = PILOTLIGHT__V1__LIST_METRICS_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_list_metrics))
        return;
    const char *space = aws_text(c->input, "Namespace"), *name = aws_text(c->input, "MetricName"),
               *token = aws_text(c->input, "NextToken");
    const json_t *filters = json_object_get(c->input, "Dimensions");
    r.namespace_ = space ? name_space(c, space) : TEXT("");
    r.name = TEXT(name ? name : "");
    r.page_token = TEXT(token ? token : "");
    r.n_dimensions = json_array_size(filters);
    r.dimensions = arena_get(c->arena, (r.n_dimensions + 1) * sizeof(*r.dimensions));
    for (size_t i = 0; i < r.n_dimensions; i++) {
        const json_t *f = json_array_get(filters, i);
        r.dimensions[i] = ARENA_NEW(c->arena, Pilotlight__V1__DimensionFilter);
        pilotlight__v1__dimension_filter__init(r.dimensions[i]);
        r.dimensions[i]->name = TEXT(aws_text(f, "Name"));
        r.dimensions[i]->value = TEXT(aws_text(f, "Value") ? aws_text(f, "Value") : "");
    }
    if (aws_text(c->input, "RecentlyActive"))
        r.active_since_unix_ms = pl_wall_ms() - 3 * HOUR_MS;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("MetricsService", "ListMetrics"), &r.base,
                  &pilotlight__v1__list_metrics_response__descriptor, listed);
}

/* ---- PutMetricData ---- */

static double *numbers(struct aws_call *c, const json_t *list, size_t *out_count)
{
    size_t count = json_array_size(list);
    double *out = arena_get(c->arena, (count + 1) * sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        json_t *holder = aws_keep(c, json_pack("{s:O}", "v", json_array_get(list, i)));
        (void)aws_number(holder, "v", &out[i]);
    }
    *out_count = count;
    return out;
}

static bool set_values(struct aws_call *c, const json_t *d, Pilotlight__V1__MetricDatum *out)
{
    double value;
    bool one = aws_number(d, "Value", &value);
    const json_t *values = json_object_get(d, "Values"), *set = json_object_get(d, "StatisticValues");
    if (one + (values != NULL) + (set != NULL) != 1) {
        monitoring_combination(c, "Each of MetricData must have exactly one of Value, Values and StatisticValues.");
        return false;
    }
    if (set) {
        out->content_case = PILOTLIGHT__V1__METRIC_DATUM__CONTENT_STATISTICS;
        out->statistics = ARENA_NEW(c->arena, Pilotlight__V1__StatisticSet);
        pilotlight__v1__statistic_set__init(out->statistics);
        return aws_number(set, "SampleCount", &out->statistics->sample_count) &&
               aws_number(set, "Sum", &out->statistics->sum) && aws_number(set, "Minimum", &out->statistics->minimum) &&
               aws_number(set, "Maximum", &out->statistics->maximum);
    }
    out->content_case = PILOTLIGHT__V1__METRIC_DATUM__CONTENT_VALUES;
    out->values = ARENA_NEW(c->arena, Pilotlight__V1__ValueList);
    pilotlight__v1__value_list__init(out->values);
    if (values) {
        out->values->values = numbers(c, values, &out->values->n_values);
        out->values->counts = numbers(c, json_object_get(d, "Counts"), &out->values->n_counts);
    } else {
        out->values->values = arena_get(c->arena, sizeof(double));
        out->values->values[0] = value;
        out->values->n_values = 1;
    }
    return true;
}

static Pilotlight__V1__MetricDatum *read_datum(struct aws_call *c, const json_t *d, char *space)
{
    Pilotlight__V1__MetricDatum *m = ARENA_NEW(c->arena, Pilotlight__V1__MetricDatum);
    int64_t resolution;
    pilotlight__v1__metric_datum__init(m);
    m->metric = ARENA_NEW(c->arena, Pilotlight__V1__Metric);
    pilotlight__v1__metric__init(m->metric);
    m->metric->namespace_ = space;
    m->metric->name = TEXT(aws_text(d, "MetricName"));
    m->metric->dimensions = monitoring_dimensions(c, json_object_get(d, "Dimensions"), &m->metric->n_dimensions);
    if (json_object_get(d, "Timestamp"))
        (void)aws_read_time(json_object_get(d, "Timestamp"), &m->at_unix_ms);
    if (aws_text(d, "Unit"))
        m->unit = TEXT(aws_text(d, "Unit"));
    if (aws_integer(d, "StorageResolution", &resolution))
        m->resolution_s = aws_narrow(resolution);
    return set_values(c, d, m) ? m : NULL;
}

static void was_put(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (status->code != PL_OK)
        aws_fail_upstream(c, status);
    else
        aws_reply_empty(c);
}

void monitoring_put_metric_data(struct aws_call *c)
{
    Pilotlight__V1__PutMetricDataRequest r = PILOTLIGHT__V1__PUT_METRIC_DATA_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_put_metric_data))
        return;
    if (json_object_get(c->input, "EntityMetricData")) {
        monitoring_invalid(c, "EntityMetricData is not offered: put the data into MetricData.");
        return;
    }
    if (!monitoring_need(c, c->input, "Namespace") || !monitoring_need(c, c->input, "MetricData"))
        return;
    char *space = name_space(c, aws_text(c->input, "Namespace"));
    if (strncmp(space, "AWS/", 4) == 0) {
        monitoring_invalid(c, "The value AWS/ for parameter Namespace is invalid.");
        return;
    }
    const json_t *data = json_object_get(c->input, "MetricData");
    r.n_data = json_array_size(data);
    r.data = arena_get(c->arena, (r.n_data + 1) * sizeof(*r.data));
    for (size_t i = 0; i < r.n_data; i++)
        if (!(r.data[i] = read_datum(c, json_array_get(data, i), space)))
            return; /* answered */
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("MetricsService", "PutMetricData"), &r.base,
                  &pilotlight__v1__put_metric_data_response__descriptor, was_put);
}
