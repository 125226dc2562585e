/* pilotlight metrics: which there are, an endpoint's main ones by time, or one in full. */
#include "command.h"

#include "api.h"
#include "base/mem.h"
#include "base/time.h"
#include "client.h"
#include "kinds.h"
#include "message.h"
#include "output.h"

#include "pilotlight/v1/metrics.pb-c.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))

/* ---- which there are ---- */

static void metric_cells(struct table *t, const Pilotlight__V1__Metric *m)
{
    pl_cleanup(pl_free_p) char *all = pl_strdup("");
    for (size_t i = 0; i < m->n_dimensions; i++) {
        char *longer = pl_format("%s%s%s=%s", all, *all ? "," : "", m->dimensions[i]->name, m->dimensions[i]->value);
        free(all);
        all = longer;
    }
    table_cell(t, "%s", m->namespace_);
    table_cell(t, "%s", m->name);
    table_cell(t, "%s", all);
}

static enum pl_code list(struct client *c, enum output_format format, struct pl_err *err)
{
    static const char *const titles[] = { "NAMESPACE", "METRIC", "DIMENSIONS", NULL };
    struct table *t = table_new(titles);
    json_t *all = json_array();
    pl_cleanup(pl_free_p) char *token = pl_strdup("");
    enum pl_code code;
    do {
        Pilotlight__V1__ListMetricsRequest r = PILOTLIGHT__V1__LIST_METRICS_REQUEST__INIT;
        pl_cleanup(message_free_p) ProtobufCMessage *m = NULL;
        r.page_token = token;
        code = client_call(c, CLIENT_CONTROL, "/pilotlight.v1.MetricsService/ListMetrics", &r.base,
                           &pilotlight__v1__list_metrics_response__descriptor, CLIENT_CALL_MS, &m, err);
        const Pilotlight__V1__ListMetricsResponse *reply = (const void *)m;
        for (size_t i = 0; code == PL_OK && i < reply->n_metrics; i++) {
            metric_cells(t, reply->metrics[i]);
            json_array_append_new(all, message_json(&reply->metrics[i]->base));
        }
        free(token);
        token = pl_strdup(code == PL_OK ? reply->next_page_token : "");
    } while (*token);
    if (code == PL_OK && (format == OUTPUT_JSON || format == OUTPUT_YAML))
        output_value(all, format, stdout);
    else if (code == PL_OK)
        table_print(t, stdout);
    json_decref(all);
    table_free(t);
    return code;
}

/* ---- an endpoint's ---- */

struct asked {
    const char *endpoint, *variant;
    int64_t start_ms, end_ms;
    int32_t period_s;
};

/* The main numbers, each a column. */
static const struct column {
    const char *title, *json, *name_space, *name;
    enum { SUM, MAXIMUM, P50, P99 } what;
} columns[] = {
    { ">REQUESTS", "requests", "AWS/SageMaker", "Invocations", SUM },
    { ">4XX", "errors_4xx", "AWS/SageMaker", "Invocation4XXErrors", SUM },
    { ">5XX", "errors_5xx", "AWS/SageMaker", "Invocation5XXErrors", SUM },
    { ">FAILED", "failures", "Pilotlight", "Failures", SUM },
    { ">THROTTLED", "throttles", "Pilotlight", "Throttles", SUM },
    { ">COLD", "cold_starts", "Pilotlight", "ColdStarts", SUM },
    { ">MODEL P50", "model_p50_us", "AWS/SageMaker", "ModelLatency", P50 },
    { ">MODEL P99", "model_p99_us", "AWS/SageMaker", "ModelLatency", P99 },
    { ">OVERHEAD P50", "overhead_p50_us", "AWS/SageMaker", "OverheadLatency", P50 },
    { ">SETUP P50", "setup_p50_us", "AWS/SageMaker", "ModelSetupTime", P50 },
    { ">BILLED MS", "billed_ms", "Pilotlight", "BilledDuration", SUM },
    { ">WARM", "warm_instances", "Pilotlight", "WarmInstances", MAXIMUM },
};

/* A request for 'count' metrics of the endpoint's variant; all on the heap. */
static Pilotlight__V1__GetMetricStatisticsRequest *request_for(const struct asked *a, const struct column *c,
                                                               size_t count, const char *const *statistics,
                                                               size_t statistic_count)
{
    ProtobufCMessage *m = message_new(&pilotlight__v1__get_metric_statistics_request__descriptor);
    message_set_int(m, "start_unix_ms", a->start_ms);
    message_set_int(m, "end_unix_ms", a->end_ms);
    for (size_t i = 0; i < count; i++) {
        ProtobufCMessage *q = message_append(m, "queries"), *metric = message_sub(q, "metric");
        Pilotlight__V1__StatisticsQuery *query = (void *)q;
        const char *const pairs[][2] = { { "EndpointName", a->endpoint }, { "VariantName", a->variant } };
        message_set_int(q, "period_s", a->period_s);
        message_set_text(metric, "namespace", c[i].name_space);
        message_set_text(metric, "name", c[i].name);
        for (size_t k = 0; k < PL_COUNT(pairs); k++) {
            ProtobufCMessage *d = message_append(metric, "dimensions");
            message_set_text(d, "name", pairs[k][0]);
            message_set_text(d, "value", pairs[k][1]);
        }
        query->extended_statistics = pl_new0(statistic_count + 1, sizeof(char *));
        for (; query->n_extended_statistics < statistic_count; query->n_extended_statistics++)
            query->extended_statistics[query->n_extended_statistics] =
                pl_strdup(statistics[query->n_extended_statistics]);
    }
    return (void *)m;
}

static enum pl_code ask(struct client *cl, const struct asked *a, const struct column *c, size_t count,
                        const char *const *statistics, size_t statistic_count,
                        Pilotlight__V1__GetMetricStatisticsResponse **out, struct pl_err *err)
{
    ProtobufCMessage *reply = NULL;
    Pilotlight__V1__GetMetricStatisticsRequest *r = request_for(a, c, count, statistics, statistic_count);
    enum pl_code code =
        client_call(cl, CLIENT_CONTROL, "/pilotlight.v1.MetricsService/GetMetricStatistics", &r->base,
                    &pilotlight__v1__get_metric_statistics_response__descriptor, CLIENT_CALL_MS, &reply, err);
    message_free(&r->base);
    *out = (void *)reply;
    return code;
}

/* NULL: nothing in that bucket. */
static const Pilotlight__V1__Datapoint *point_at(const Pilotlight__V1__StatisticsResult *r, int64_t start_ms)
{
    for (size_t u = 0; u < r->n_units; u++)
        for (size_t i = 0; i < r->units[u]->n_datapoints; i++)
            if (r->units[u]->datapoints[i]->start_unix_ms == start_ms)
                return r->units[u]->datapoints[i];
    return NULL;
}

static double number_of(const struct column *c, const Pilotlight__V1__Datapoint *d)
{
    switch (c->what) {
    case SUM:
        return d->sum;
    case MAXIMUM:
        return d->maximum;
    case P50:
        return d->n_extended > 0 ? d->extended[0] : NAN;
    default:
        return d->n_extended > 1 ? d->extended[1] : NAN;
    }
}

static void number_cell(struct table *t, const struct column *c, const Pilotlight__V1__Datapoint *d)
{
    char text[24];
    double v = d ? number_of(c, d) : NAN;
    if (isnan(v))
        table_cell(t, "-");
    else if (c->what == P50 || c->what == P99)
        table_cell(t, "%s", output_micros((int64_t)v, text));
    else
        table_cell(t, "%.0f", v);
}

/* One line for each bucket in which anything happened. */
static void add_lines(struct table *t, json_t *all, const struct asked *a,
                      const Pilotlight__V1__GetMetricStatisticsResponse *r)
{
    char when[25];
    for (int64_t at = r->start_unix_ms; at < a->end_ms; at += (int64_t)a->period_s * 1000) {
        const Pilotlight__V1__Datapoint *points[PL_COUNT(columns)];
        bool any = false;
        for (size_t i = 0; i < PL_COUNT(columns); i++)
            any |= (points[i] = point_at(r->results[i], at)) != NULL;
        if (!any)
            continue;
        json_t *o = json_object();
        (void)pl_wall_text(at, when);
        json_object_set_new(o, "time", json_string(when));
        json_object_set_new(o, "variant", json_string(a->variant));
        table_cell(t, "%.10s %.5s", when, when + 11);
        table_cell(t, "%s", a->variant);
        for (size_t i = 0; i < PL_COUNT(columns); i++) {
            number_cell(t, &columns[i], points[i]);
            double v = points[i] ? number_of(&columns[i], points[i]) : NAN;
            json_object_set_new(o, columns[i].json, isnan(v) ? json_null() : json_real(v));
        }
        json_array_append_new(all, o);
    }
}

struct names {
    char **items;
    size_t count;
};

static void names_done(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->items[i]);
    free(n->items);
}

/* Variants that were measured, whether they still exist or not. */
static enum pl_code variants_of(struct client *c, const char *endpoint, struct names *out, struct pl_err *err)
{
    ProtobufCMessage *m = message_new(&pilotlight__v1__list_metrics_request__descriptor);
    pl_cleanup(message_free_p) ProtobufCMessage *reply = NULL;
    ProtobufCMessage *f = message_append(m, "dimensions");
    message_set_text(m, "namespace", "AWS/SageMaker");
    message_set_text(m, "name", "Invocations");
    message_set_int(m, "active_since_unix_ms", 1);
    message_set_text(f, "name", "EndpointName");
    message_set_text(f, "value", endpoint);
    enum pl_code code = client_call(c, CLIENT_CONTROL, "/pilotlight.v1.MetricsService/ListMetrics", m,
                                    &pilotlight__v1__list_metrics_response__descriptor, CLIENT_CALL_MS, &reply, err);
    message_free(m);
    if (code != PL_OK)
        return code;
    const Pilotlight__V1__ListMetricsResponse *r = (const void *)reply;
    for (size_t i = 0; i < r->n_metrics; i++)
        for (size_t k = 0; k < r->metrics[i]->n_dimensions; k++)
            if (!strcmp(r->metrics[i]->dimensions[k]->name, "VariantName")) {
                out->items = pl_grow(out->items, out->count + 1, sizeof(*out->items));
                out->items[out->count++] = pl_strdup(r->metrics[i]->dimensions[k]->value);
            }
    return PL_OK;
}

/* Nothing was measured: because nothing happened, or because there is no such endpoint? */
static enum pl_code check_endpoint(struct client *c, const char *name, struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *endpoint = NULL;
    return api_get(c, &kinds[KIND_ENDPOINT], name, &endpoint, err);
}

static enum pl_code main_ones(struct client *c, struct asked *a, enum output_format format, struct pl_err *err)
{
    static const char *const statistics[] = { "p50", "p99" };
    const char *titles[PL_COUNT(columns) + 3] = { "TIME (UTC)", "VARIANT" };
    pl_cleanup(names_done) struct names variants = { 0 };
    if (variants_of(c, a->endpoint, &variants, err) != PL_OK ||
        (variants.count == 0 && check_endpoint(c, a->endpoint, err) != PL_OK))
        return err->code;
    for (size_t i = 0; i < PL_COUNT(columns); i++)
        titles[2 + i] = columns[i].title;
    struct table *t = table_new(titles);
    json_t *all = json_array();
    enum pl_code code = PL_OK;
    for (size_t i = 0; i < variants.count && code == PL_OK; i++) {
        Pilotlight__V1__GetMetricStatisticsResponse *r = NULL;
        a->variant = variants.items[i];
        code = ask(c, a, columns, PL_COUNT(columns), statistics, PL_COUNT(statistics), &r, err);
        if (code == PL_OK)
            add_lines(t, all, a, r);
        message_free(r ? &r->base : NULL);
    }
    if (code == PL_OK && (format == OUTPUT_JSON || format == OUTPUT_YAML))
        output_value(all, format, stdout);
    else if (code == PL_OK)
        table_print(t, stdout);
    json_decref(all);
    table_free(t);
    return code;
}

/* ---- the command ---- */

enum ctl_exit cmd_metrics(const struct args *a)
{
    int64_t now_ms = pl_wall_ms(), period_ms = args_number(a, "period");
    struct asked asked = {
        .endpoint = a->word_count ? a->words[0] : NULL,
        .start_ms = now_ms - args_number(a, "since"),
        .end_ms = now_ms + 1000,
        .period_s = (int32_t)(period_ms / 1000),
    };
    enum output_format format = output_format_of(args_text(a, "output"));
    struct pl_err err;
    if (period_ms % 60000 != 0) {
        fprintf(stderr, "pilotlight metrics: --period must be whole minutes: 1m, 5m, 1h\n");
        return EXIT_USAGE;
    }
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    if (!c)
        return EXIT_USAGE;
    enum pl_code code = asked.endpoint ? main_ones(c, &asked, format, &err) : list(c, format, &err);
    return code == PL_OK ? EXIT_OK : exit_report(stderr, &err);
}
