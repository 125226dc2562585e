#include "usage.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/core.h"
#include "metrics/metrics.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

struct usage_series {
    UT_hash_handle hh;
    char *key;      /* "endpoint/variant" */
    char *endpoint; /* for the drop of all of its series */
    unsigned refs;
    struct report *report;   /* NULL: nobody is told */
    struct measure *measure; /* with a report: what it is told */
    struct metrics_counter *requests[USAGE_OUTCOMES];
    struct metrics_counter *cold_starts, *billed_ms;
    struct metrics_counter *started, *start_failures;
    struct metrics_gauge *in_flight, *waiting, *instances[CORE_STATES];
    struct metrics_histogram *total, *overhead, *model, *start;
};

struct usage {
    struct metrics *metrics;
    struct report *report;
    struct usage_series *series;
};

struct usage *usage_new(struct metrics *m, struct report *r)
{
    struct usage *u = PL_NEW(struct usage);

    u->metrics = m;
    u->report = r;
    return u;
}

void usage_free(struct usage *u)
{
    free(u);
}

/* ---- series ---- */

static const char *const outcomes[USAGE_OUTCOMES] = {
    [USAGE_ANSWERED] = "answered",   [USAGE_MODEL_ERROR] = "model_error", [USAGE_FAILED] = "failed",
    [USAGE_CANCELLED] = "cancelled", [USAGE_THROTTLED] = "throttled",
};
static const char *const states[CORE_STATES] = {
    [CORE_STARTING] = "starting",
    [CORE_IDLE] = "idle",
    [CORE_BUSY] = "busy",
    [CORE_STOPPING] = "stopping",
};

/* The variant's labels and one more; the text is the caller's to free. */
static char *labels_with(const char *labels, const char *key, const char *value)
{
    struct pl_buf b = PL_BUF_INIT(4096);

    (void)pl_buf_adds(&b, labels);
    metrics_label(&b, key, value);
    return pl_buf_take(&b, NULL);
}

static void register_counters(struct usage *u, struct usage_series *s, const char *labels)
{
    struct metrics *m = u->metrics;

    for (int i = 0; i < USAGE_OUTCOMES; i++) {
        pl_cleanup(pl_free_p) char *with = labels_with(labels, "outcome", outcomes[i]);

        s->requests[i] = metrics_counter(m, "router_requests_total", with, "Requests that have ended");
    }
    s->cold_starts = metrics_counter(m, "router_cold_starts_total", labels,
                                     "Requests that waited for the instance that served them to start");
    s->billed_ms = metrics_counter(m, "router_billed_milliseconds_total", labels,
                                   "Time in instances, each request rounded up to a millisecond");
    s->started = metrics_counter(m, "router_instances_started_total", labels, "Instances that became ready");
    s->start_failures =
        metrics_counter(m, "router_start_failures_total", labels, "Starts that ended without an instance");
}

static void register_others(struct usage *u, struct usage_series *s, const char *labels)
{
    struct metrics *m = u->metrics;

    s->in_flight =
        metrics_gauge(m, "router_in_flight", labels, "Requests running, bound to a starting instance, or waiting");
    s->waiting = metrics_gauge(m, "router_waiting", labels, "Requests that no instance has");
    for (int i = 0; i < CORE_STATES; i++) {
        pl_cleanup(pl_free_p) char *with = labels_with(labels, "state", states[i]);

        s->instances[i] = metrics_gauge(m, "router_instances", with, "Instances by state");
    }
    s->total = metrics_histogram(m, "router_request_seconds", labels, "From admission to the answer");
    s->overhead = metrics_histogram(m, "router_overhead_seconds", labels,
                                    "Part of a request that is neither waiting nor the model");
    s->model = metrics_histogram(m, "router_model_seconds", labels, "Part of a request in the instance");
    s->start = metrics_histogram(m, "router_start_seconds", labels, "From asking for an instance to ready");
}

struct usage_series *usage_series_ref(struct usage *u, const char *endpoint, const char *variant)
{
    pl_cleanup(pl_free_p) char *key = pl_format("%s/%s", endpoint, variant);
    pl_cleanup(pl_buf_done) struct pl_buf labels = PL_BUF_INIT(4096);
    struct usage_series *s;

    HASH_FIND_STR(u->series, key, s);
    if (!s) {
        s = PL_NEW(struct usage_series);
        s->key = pl_take(key);
        s->endpoint = pl_strdup(endpoint);
        s->report = u->report;
        if (s->report)
            s->measure = report_measure_new(s->report, endpoint, variant);
        metrics_label(&labels, "endpoint", endpoint);
        metrics_label(&labels, "variant", variant);
        register_counters(u, s, labels.data);
        register_others(u, s, labels.data);
        HASH_ADD_KEYPTR(hh, u->series, s->key, strlen(s->key), s);
    }
    s->refs++;
    return s;
}

/* Series are dropped by one label: those of an endpoint go when the last of its variants has gone. */
static void drop_if_last(struct usage *u, const char *endpoint)
{
    pl_cleanup(pl_buf_done) struct pl_buf label = PL_BUF_INIT(1024);
    struct usage_series *s, *next;

    HASH_ITER(hh, u->series, s, next)
    {
        if (s->refs > 0 && strcmp(s->endpoint, endpoint) == 0)
            return;
    }
    metrics_label(&label, "endpoint", endpoint);
    metrics_drop(u->metrics, label.data);
    HASH_ITER(hh, u->series, s, next)
    {
        if (strcmp(s->endpoint, endpoint) != 0)
            continue;
        HASH_DEL(u->series, s);
        if (s->report)
            report_measure_free(s->report, s->measure);
        free(s->key);
        free(s->endpoint);
        free(s);
    }
}

void usage_series_unref(struct usage *u, struct usage_series *s)
{
    pl_cleanup(pl_free_p) char *endpoint = NULL;

    if (--s->refs > 0)
        return;
    endpoint = pl_strdup(s->endpoint);
    drop_if_last(u, endpoint);
}

/* ---- what happened ---- */

void usage_ended(struct usage *u, struct usage_series *s, const struct usage_facts *f)
{
    (void)u;
    if (s->report)
        report_ended(s->report, s->measure, f);
    metrics_add(s->requests[f->outcome], 1);
    if (f->outcome == USAGE_THROTTLED)
        return;
    if (f->cold)
        metrics_add(s->cold_starts, 1);
    metrics_add(s->billed_ms, (uint64_t)f->billed_ms);
    metrics_observe_us(s->total, f->total_us);
    if (f->outcome == USAGE_ANSWERED) {
        metrics_observe_us(s->overhead, f->overhead_us);
        metrics_observe_us(s->model, f->model_us);
    }
}

void usage_gauges(struct usage_series *s, const struct core_variant *v)
{
    metrics_set(s->in_flight, v->tally->in_flight);
    metrics_set(s->waiting, v->waiting_count);
    for (int i = 0; i < CORE_STATES; i++)
        metrics_set(s->instances[i], v->count[i]);
    if (s->report)
        report_gauges(s->report, s->measure,
                      &(struct measure_gauges){ .busy = v->count[CORE_BUSY],
                                                .warm = v->count[CORE_BUSY] + v->count[CORE_IDLE],
                                                .provisioned = v->provisioned,
                                                .max_concurrency = v->max_concurrency,
                                                .memory_mb = v->memory_mb });
}

void usage_memory(struct usage_series *s, const struct core_variant *v, int64_t used_bytes)
{
    double limit_bytes = (double)v->memory_mb * 1024 * 1024;

    if (s->report && limit_bytes > 0)
        report_memory(s->report, s->measure, v->memory_mb, 100 * (double)used_bytes / limit_bytes);
}

void usage_instance_started(struct usage_series *s, int64_t start_us)
{
    metrics_add(s->started, 1);
    metrics_observe_us(s->start, start_us);
}

void usage_instance_failed(struct usage_series *s)
{
    metrics_add(s->start_failures, 1);
}
