/* What is measured, on virtual time: in by reports and puts, out by queries, coarser with age, gone at the end; nothing
 * is counted twice or lost on the way. */
#include "fixtures.h"

#include "cost/cost.h"
#include "ingest.h"
#include "limit.h"
#include "metric_key.h"
#include "metric_query.h"
#include "retention.h"
#include "rollup.h"
#include "store_metrics.h"
#include "usage_list.h"

#include <math.h>

#define MINUTE INT64_C(60000)
#define DAY    INT64_C(86400000)
#define NOW    (INT64_C(20000) * DAY + 13 * 60 * MINUTE + 37 * MINUTE) /* 2024-10-04T13:37Z */

static struct folder folder;
static struct limits limits;
static struct store *store;
static struct pl_err err;

static int set_up(void **state)
{
    (void)state;
    limits_init(&limits);
    folder_make(&folder);
    assert_ok(store_open(&store, folder.database, &err));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    folder_remove(&folder);
    return 0;
}

/* ---- reports ---- */

/* One batch with one variant: 'n' requests of 'value' microseconds each in that minute. */
struct batch {
    Pilotlight__Internal__V1__ReportBatch message, *list[1];
    Pilotlight__Internal__V1__VariantReport variant, *variants[1];
    Pilotlight__Internal__V1__MetricReport metric, *metrics[1];
    Pilotlight__Internal__V1__UsageReport usage;
};

static void batch_init(struct batch *b, int64_t epoch, int64_t sequence, int64_t minute_ms, int n, double value)
{
    pilotlight__internal__v1__report_batch__init(&b->message);
    pilotlight__internal__v1__variant_report__init(&b->variant);
    pilotlight__internal__v1__metric_report__init(&b->metric);
    pilotlight__internal__v1__usage_report__init(&b->usage);
    b->metric.namespace_ = TEXT("AWS/SageMaker");
    b->metric.name = TEXT("ModelLatency");
    b->metric.unit = TEXT("Microseconds");
    b->metric.sample_count = n;
    b->metric.sum = n * value;
    b->metric.minimum = b->metric.maximum = value;
    b->usage.memory_size_mb = 2048;
    b->usage.invocations = n;
    b->usage.billed_ms = n * 200;
    b->variant.endpoint_name = TEXT("fraud");
    b->variant.variant_name = TEXT("v1");
    b->variant.minute_unix_ms = minute_ms;
    b->variant.metrics = b->metrics;
    b->metrics[0] = &b->metric;
    b->variant.n_metrics = 1;
    b->variant.usage = &b->usage;
    b->message.epoch = epoch;
    b->message.sequence = sequence;
    b->message.variants = b->variants;
    b->variants[0] = &b->variant;
    b->message.n_variants = 1;
    b->list[0] = &b->message;
}

static struct ingested send_batch(struct batch *b, int64_t now_ms)
{
    Pilotlight__Internal__V1__ReportRequest r = PILOTLIGHT__INTERNAL__V1__REPORT_REQUEST__INIT;
    struct ingested in;
    r.reporter_id = TEXT("router-1");
    r.batches = b->list;
    r.n_batches = 1;
    assert_ok(ingest_report(store, &limits, &r, now_ms, &in, &err));
    return in;
}

/* ---- questions ---- */

static enum pl_code try_to_ask(const char *name, int64_t start_ms, int64_t end_ms, int32_t period_s, int64_t now_ms,
                               Pilotlight__V1__GetMetricStatisticsResponse **out)
{
    Pilotlight__V1__GetMetricStatisticsRequest r = PILOTLIGHT__V1__GET_METRIC_STATISTICS_REQUEST__INIT;
    Pilotlight__V1__StatisticsQuery q = PILOTLIGHT__V1__STATISTICS_QUERY__INIT, *queries[] = { &q };
    pl_cleanup(pl_free_p) char *key = metric_key_of_variant("fraud", "v1");
    pl_cleanup(record_free_p) Pilotlight__V1__Metric *m = metric_message("AWS/SageMaker", name, key);
    static char *extended[1];
    extended[0] = TEXT("p50");
    q.metric = m;
    q.period_s = period_s;
    q.extended_statistics = extended;
    q.n_extended_statistics = 1;
    r.start_unix_ms = start_ms;
    r.end_unix_ms = end_ms;
    r.queries = queries;
    r.n_queries = 1;
    return metric_query(store, &limits, &r, now_ms, out, &err);
}

static Pilotlight__V1__GetMetricStatisticsResponse *ask(const char *name, int64_t start_ms, int64_t end_ms,
                                                        int32_t period_s, int64_t now_ms)
{
    Pilotlight__V1__GetMetricStatisticsResponse *reply;
    assert_ok(try_to_ask(name, start_ms, end_ms, period_s, now_ms, &reply));
    return reply;
}

static double sum_of(int64_t start_ms, int64_t end_ms, int32_t period_s, int64_t now_ms, size_t *out_points)
{
    pl_cleanup(record_free_p) Pilotlight__V1__GetMetricStatisticsResponse *r =
        ask("ModelLatency", start_ms, end_ms, period_s, now_ms);
    double count = 0;
    *out_points = 0;
    for (size_t i = 0; i < r->results[0]->n_units; i++)
        for (size_t k = 0; k < r->results[0]->units[i]->n_datapoints; k++, (*out_points)++)
            count += r->results[0]->units[i]->datapoints[k]->sample_count;
    return count;
}

static int64_t billed(void)
{
    Pilotlight__V1__ListUsageRequest r = PILOTLIGHT__V1__LIST_USAGE_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__ListUsageResponse *reply = NULL;
    struct cost_rates rates;
    int64_t total = 0;
    cost_rates_default(&rates);
    r.from_day = TEXT("1970-01-01");
    r.to_day = TEXT("2100-01-01");
    assert_ok(usage_list(store, &limits, &rates, &r, NOW, &reply, &err));
    for (size_t i = 0; i < reply->n_usage; i++)
        total += reply->usage[i]->billed_ms;
    return total;
}

/* ---- tests ---- */

/* What a client could not receive is not sent: it is told what to ask instead. */
static void test_an_answer_that_is_too_long_is_refused(void **state)
{
    (void)state;
    Pilotlight__V1__GetMetricStatisticsResponse *reply = NULL;
    struct batch b;
    for (int i = 0; i < 10; i++) {
        batch_init(&b, 1, i + 1, NOW - (10 - i) * MINUTE, 1, 1);
        (void)send_batch(&b, NOW);
    }
    limits.row[LIMIT_metric_answer].max = 700;
    pl_cleanup(record_free_p) Pilotlight__V1__GetMetricStatisticsResponse *fits =
        ask("ModelLatency", NOW - 20 * MINUTE, NOW, 60, NOW);
    assert_int_equal(fits->results[0]->units[0]->n_datapoints, 10);
    limits.row[LIMIT_metric_answer].max = 100;
    assert_int_equal(try_to_ask("ModelLatency", NOW - 20 * MINUTE, NOW, 60, NOW, &reply), PL_OUT_OF_RANGE);
    assert_null(reply);
    assert_string_equal(err.field, "queries");
    assert_non_null(strstr(err.message, "100 bytes"));
}

static void test_a_batch_counts_once(void **state)
{
    struct batch b;
    struct ingested in;
    size_t points;
    (void)state;
    batch_init(&b, 5, 1, NOW - 2 * MINUTE, 3, 100);
    in = send_batch(&b, NOW);
    assert_true(in.applied == 1 && in.epoch == 5 && in.sequence == 1 && in.left_out == 0);
    for (int i = 0; i < 3; i++) { /* the answer was lost */
        in = send_batch(&b, NOW);
        assert_true(in.applied == 0 && in.epoch == 5 && in.sequence == 1);
    }
    b.message.epoch = 4; /* of an older life, late */
    b.message.sequence = 900;
    assert_int_equal(send_batch(&b, NOW).applied, 0);
    b.message.epoch = 6; /* of a new life */
    b.message.sequence = 1;
    assert_int_equal(send_batch(&b, NOW).applied, 1);
    assert_true(sum_of(NOW - 10 * MINUTE, NOW, 60, NOW, &points) == 6);
    assert_int_equal(points, 1);
    assert_int_equal(billed(), 6 * 200);
}

static void test_several_batches_and_wrong_order(void **state)
{
    struct batch a, b;
    struct ingested in;
    Pilotlight__Internal__V1__ReportRequest r = PILOTLIGHT__INTERNAL__V1__REPORT_REQUEST__INIT;
    Pilotlight__Internal__V1__ReportBatch *list[] = { &a.message, &b.message };
    (void)state;
    batch_init(&a, 1, 1, NOW, 1, 100);
    batch_init(&b, 1, 2, NOW, 2, 100);
    r.reporter_id = TEXT("router-1");
    r.batches = list;
    r.n_batches = 2;
    assert_int_equal(send_batch(&a, NOW).applied, 1);
    assert_ok(ingest_report(store, &limits, &r, NOW, &in, &err)); /* the first is known */
    assert_true(in.applied == 1 && in.sequence == 2);
    assert_int_equal(billed(), 3 * 200);
    b.message.sequence = 1;
    a.message.sequence = 2;
    assert_int_equal(ingest_report(store, &limits, &r, NOW, &in, &err), PL_INVALID);
    assert_non_null(strstr(err.message, "batches[1]"));
    r.n_batches = 0;
    assert_int_equal(ingest_report(store, &limits, &r, NOW, &in, &err), PL_INVALID);
    r.n_batches = 2;
    r.reporter_id = TEXT("no good");
    assert_int_equal(ingest_report(store, &limits, &r, NOW, &in, &err), PL_INVALID);
    assert_string_equal(err.field, "reporter_id");
    assert_int_equal(billed(), 3 * 200);
}

static void test_what_is_malformed_is_left_out(void **state)
{
    struct batch b;
    size_t points;
    (void)state;
    batch_init(&b, 1, 1, NOW, 1, 100);
    b.metric.sample_count = NAN;
    assert_int_equal(send_batch(&b, NOW).left_out, 1);
    batch_init(&b, 1, 2, NOW, 1, 100);
    b.metric.unit = TEXT("Parsecs");
    assert_int_equal(send_batch(&b, NOW).left_out, 1);
    batch_init(&b, 1, 3, NOW, 1, 100);
    b.metric.maximum = 200;
    b.metric.sketch.data = (uint8_t *)TEXT("\x63");
    b.metric.sketch.len = 1;
    assert_int_equal(send_batch(&b, NOW).left_out, 1);
    batch_init(&b, 1, 4, NOW, 1, 100);
    b.usage.billed_ms = -1;
    assert_int_equal(send_batch(&b, NOW).left_out, 1);
    batch_init(&b, 1, 5, NOW, 1, 100);
    b.variant.endpoint_name = TEXT("../etc");
    assert_int_equal(send_batch(&b, NOW).left_out, 2);
    batch_init(&b, 1, 6, NOW - 500 * DAY, 1, 100); /* too old for rows, not for the bill */
    assert_int_equal(send_batch(&b, NOW).left_out, 1);
    assert_true(sum_of(NOW - MINUTE, NOW + MINUTE, 60, NOW, &points) == 1); /* of sequence 4 */
    assert_int_equal(billed(), 4 * 200);
}

static void test_room_for_metrics(void **state)
{
    struct batch b;
    (void)state;
    limits.row[LIMIT_metrics].max = 1;
    batch_init(&b, 1, 1, NOW, 1, 100);
    assert_int_equal(send_batch(&b, NOW).left_out, 0);
    b.message.sequence = 2;
    b.metric.name = TEXT("Other");
    assert_int_equal(send_batch(&b, NOW).left_out, 1);
    assert_int_equal(billed(), 400);
}

/* One value a minute for 70 days; the same sums whatever became of the rows. */
static void test_rows_get_coarser_and_none_is_lost(void **state)
{
    enum { DAYS = 70, STEP_MINUTES = 7 };
    const int64_t first = NOW - DAYS * DAY, total = DAYS * 1440 / STEP_MINUTES;
    struct rollup rollup = { .usage_keep_days = 1000 };
    size_t points;
    pl_cleanup(pl_free_p) char *key = metric_key_of_variant("fraud", "v1");
    int64_t id;
    (void)state;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    assert_ok(store_begin(&tx, store, &err));
    assert_ok(store_metric_need(store, "AWS/SageMaker", "ModelLatency", key, NOW, 10, &id, &err));
    for (int64_t i = 0; i < total; i++) {
        pl_cleanup(point_done) struct point p = { 0 };
        point_add(&p, (double)(100 + i % 900), 1);
        const struct store_point at = { id, 60, (first + i * STEP_MINUTES * MINUTE) / MINUTE * 60,
                                        metric_unit("Microseconds") };
        assert_ok(store_point_merge(store, &at, &p, &err));
    }
    assert_ok(store_commit(&tx, &err));
    int steps = 0;
    for (bool more = true; more || rollup.after || steps < 40; steps++)
        assert_ok(rollup_step(&rollup, store, NOW, &more, &err));
    /* By hours over all: everything. By five minutes over 60 days, by minutes over 14. */
    assert_true(sum_of(first, NOW, 3600, NOW, &points) == (double)total);
    assert_true(points >= (size_t)DAYS * 24);
    assert_true(sum_of(NOW - 60 * DAY, NOW, 300, NOW, &points) == 60 * 1440 / STEP_MINUTES + 1);
    assert_true(sum_of(NOW - 14 * DAY, NOW, 60, NOW, &points) == 14 * 1440 / STEP_MINUTES);
    assert_int_equal(points, 14 * 1440 / STEP_MINUTES);
    /* Finer than there is: no data, and no error. */
    assert_true(sum_of(first + DAY, NOW, 60, NOW, &points) == 0 && points == 0);
    assert_true(sum_of(NOW - 60 * DAY, NOW, 60, NOW, &points) == 0);
    /* 400 days later all are hours, and 455 days after the last one nothing is left, the metric included. */
    int64_t later = NOW + 300 * DAY;
    for (int i = 0; i < 60; i++) {
        bool more;
        assert_ok(rollup_step(&rollup, store, later, &more, &err));
    }
    assert_true(sum_of(first, NOW + DAY, 3600, later, &points) == (double)total);
    bool more;
    assert_ok(rollup_step(&rollup, store, NOW + 460 * DAY, &more, &err));
    assert_ok(store_metric_find(store, "AWS/SageMaker", "ModelLatency", key, &id, &err));
    assert_int_equal(id, 0);
}

static void test_percentiles_survive_the_roll_up(void **state)
{
    struct batch b;
    struct rollup rollup = { .usage_keep_days = 1000 };
    (void)state;
    for (int i = 0; i < 100; i++) {
        batch_init(&b, 1, i + 1, NOW - 20 * MINUTE, 1, i + 1);
        (void)send_batch(&b, NOW);
    }
    int64_t later = NOW + 64 * DAY;
    for (int i = 0; i < 3; i++) {
        bool more;
        assert_ok(rollup_step(&rollup, store, later, &more, &err));
    }
    pl_cleanup(record_free_p) Pilotlight__V1__GetMetricStatisticsResponse *r =
        ask("ModelLatency", NOW - DAY, NOW + DAY, 86400, later);
    assert_int_equal(r->results[0]->n_units, 1);
    const Pilotlight__V1__Datapoint *d = r->results[0]->units[0]->datapoints[0];
    assert_string_equal(r->results[0]->units[0]->unit, "Microseconds");
    assert_true(d->sample_count == 100 && d->sum == 5050 && d->minimum == 1 && d->maximum == 100);
    assert_true(fabs(d->extended[0] - 50) <= 50 * SKETCH_ERROR);
}

/* ---- the rules of time ---- */

static void test_buckets_count_from_the_start(void **state)
{
    struct batch b;
    (void)state;
    for (int i = 0; i < 10; i++) {
        batch_init(&b, 1, i + 1, NOW + i * MINUTE, 1, 5);
        (void)send_batch(&b, NOW + 10 * MINUTE);
    }
    pl_cleanup(record_free_p) Pilotlight__V1__GetMetricStatisticsResponse *r =
        ask("ModelLatency", NOW + 2 * MINUTE + 30000, NOW + 9 * MINUTE, 300, NOW + 10 * MINUTE);
    assert_true(r->start_unix_ms == NOW + 2 * MINUTE);
    assert_int_equal(r->results[0]->units[0]->n_datapoints, 2);
    const Pilotlight__V1__Datapoint *first = r->results[0]->units[0]->datapoints[0],
                                    *second = r->results[0]->units[0]->datapoints[1];
    assert_true(first->start_unix_ms == NOW + 2 * MINUTE && first->sample_count == 5);
    assert_true(second->start_unix_ms == NOW + 7 * MINUTE && second->sample_count == 2); /* the end is exclusive */
}

static void test_rounding_of_starts(void **state)
{
    const int64_t now_s = NOW / 1000;
    (void)state;
    assert_true(retention_query_start(NOW - 30000, 60, now_s) == now_s - 60);
    assert_true(retention_query_start(NOW - 33000, 10, now_s) == now_s - 40);
    assert_true(retention_query_start(NOW - 33000, 1, now_s) == now_s - 33);
    assert_true(retention_query_start(NOW - 20 * DAY, 300, now_s) == retention_floor(now_s - 20 * 86400, 300));
    assert_true(retention_query_start(NOW - 100 * DAY, 3600, now_s) == retention_floor(now_s - 100 * 86400, 3600));
    assert_true(retention_has_data(now_s - 3600, 1, now_s) && !retention_has_data(now_s - 4 * 3600, 30, now_s));
    assert_true(retention_has_data(now_s - 14 * 86400, 60, now_s) &&
                !retention_has_data(now_s - 16 * 86400, 60, now_s));
    assert_true(retention_has_data(now_s - 62 * 86400, 300, now_s) &&
                !retention_has_data(now_s - 64 * 86400, 300, now_s));
    static const int64_t good[] = { 1, 5, 10, 20, 30, 60, 120, 3600 }, bad[] = { 0, -60, 2, 15, 59, 90, 61 };
    for (size_t i = 0; i < PL_COUNT(good); i++)
        assert_true(retention_period_valid(good[i]));
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        assert_false(retention_period_valid(bad[i]));
}

/* ---- data that anybody puts ---- */

struct put {
    Pilotlight__V1__PutMetricDataRequest request;
    Pilotlight__V1__MetricDatum datum, *data[1];
    Pilotlight__V1__Metric metric;
    Pilotlight__V1__ValueList values;
    Pilotlight__V1__StatisticSet set;
    double value[3], counts[3];
};

static void put_init(struct put *p)
{
    pilotlight__v1__put_metric_data_request__init(&p->request);
    pilotlight__v1__metric_datum__init(&p->datum);
    pilotlight__v1__metric__init(&p->metric);
    pilotlight__v1__value_list__init(&p->values);
    pilotlight__v1__statistic_set__init(&p->set);
    p->metric.namespace_ = TEXT("Shop");
    p->metric.name = TEXT("Orders");
    p->datum.metric = &p->metric;
    p->datum.content_case = PILOTLIGHT__V1__METRIC_DATUM__CONTENT_VALUES;
    p->datum.values = &p->values;
    p->values.values = p->value;
    p->values.n_values = 1;
    p->value[0] = 3;
    p->data[0] = &p->datum;
    p->request.data = p->data;
    p->request.n_data = 1;
}

static void refused(struct put *p, const char *field)
{
    err.field[0] = '\0';
    assert_int_equal(ingest_put(store, &limits, &p->request, NOW, &err), PL_INVALID);
    assert_string_equal(err.field, field);
}

static void test_puts_that_are_refused(void **state)
{
    struct put p;
    (void)state;
    put_init(&p), p.metric.namespace_ = TEXT("AWS/SageMaker"), refused(&p, "data[0].metric.namespace");
    put_init(&p), p.metric.namespace_ = TEXT(":a"), refused(&p, "data[0].metric.namespace");
    put_init(&p), p.metric.namespace_ = TEXT("a*b"), refused(&p, "data[0].metric.namespace");
    put_init(&p), p.metric.name = TEXT(""), refused(&p, "data[0].metric.name");
    put_init(&p),
        p.metric.name = TEXT("a\x1f"
                             "b"),
        refused(&p, "data[0].metric.name");
    put_init(&p), p.datum.metric = NULL, refused(&p, "data[0].metric");
    put_init(&p), p.datum.unit = TEXT("Parsecs"), refused(&p, "data[0].unit");
    put_init(&p), p.datum.at_unix_ms = NOW - 15 * DAY, refused(&p, "data[0].at_unix_ms");
    put_init(&p), p.datum.at_unix_ms = NOW + 3 * 60 * MINUTE, refused(&p, "data[0].at_unix_ms");
    put_init(&p), p.datum.resolution_s = 5, refused(&p, "data[0].resolution_s");
    put_init(&p), p.value[0] = NAN, refused(&p, "data[0].values[0]");
    put_init(&p), p.value[0] = 0x1p361, refused(&p, "data[0].values[0]");
    put_init(&p), p.values.n_values = 0, refused(&p, "data[0].values");
    put_init(&p), p.values.counts = p.counts, p.values.n_counts = 2, refused(&p, "data[0].counts");
    put_init(&p), p.values.counts = p.counts, p.values.n_counts = 1, p.counts[0] = 1.5,
                  refused(&p, "data[0].counts[0]");
    put_init(&p), p.datum.content_case = PILOTLIGHT__V1__METRIC_DATUM__CONTENT__NOT_SET, refused(&p, "data[0]");
    put_init(&p), p.request.n_data = 0, refused(&p, "data");
    put_init(&p), p.datum.content_case = PILOTLIGHT__V1__METRIC_DATUM__CONTENT_STATISTICS, p.datum.statistics = &p.set;
    refused(&p, "data[0].sample_count");
    p.set.sample_count = 1, p.set.minimum = 2, refused(&p, "data[0].minimum");
    put_init(&p), limits.row[LIMIT_metrics].max = 0;
    assert_int_equal(ingest_put(store, &limits, &p.request, NOW, &err), PL_EXHAUSTED);
}

static void test_puts_and_lists(void **state)
{
    struct put p;
    Pilotlight__V1__Dimension d[2] = { PILOTLIGHT__V1__DIMENSION__INIT, PILOTLIGHT__V1__DIMENSION__INIT };
    Pilotlight__V1__Dimension *one_way[] = { &d[0], &d[1] }, *other_way[] = { &d[1], &d[0] };
    (void)state;
    put_init(&p);
    d[0].name = TEXT("b");
    d[0].value = TEXT("2");
    d[1].name = TEXT("a");
    d[1].value = TEXT("1=x,y");
    p.metric.n_dimensions = 2;
    p.metric.dimensions = one_way;
    assert_ok(ingest_put(store, &limits, &p.request, NOW, &err));
    p.metric.dimensions = other_way; /* the same metric */
    assert_ok(ingest_put(store, &limits, &p.request, NOW, &err));
    d[1].value = TEXT("other");
    assert_ok(ingest_put(store, &limits, &p.request, NOW, &err));

    Pilotlight__V1__ListMetricsRequest r = PILOTLIGHT__V1__LIST_METRICS_REQUEST__INIT;
    Pilotlight__V1__DimensionFilter f = PILOTLIGHT__V1__DIMENSION_FILTER__INIT, *filters[] = { &f };
    Pilotlight__V1__ListMetricsResponse *reply;
    assert_ok(metric_list(store, &limits, &r, NOW, &reply, &err));
    assert_int_equal(reply->n_metrics, 2);
    assert_string_equal(reply->metrics[0]->dimensions[0]->name, "a"); /* sorted */
    assert_string_equal(reply->metrics[0]->dimensions[0]->value, "1=x,y");
    record_free(reply);
    f.name = TEXT("a");
    f.value = TEXT("other");
    r.dimensions = filters;
    r.n_dimensions = 1;
    assert_ok(metric_list(store, &limits, &r, NOW, &reply, &err));
    assert_int_equal(reply->n_metrics, 1);
    record_free(reply);
    r.n_dimensions = 0;
    r.page_size = 1;
    assert_ok(metric_list(store, &limits, &r, NOW, &reply, &err));
    assert_int_equal(reply->n_metrics, 1);
    pl_cleanup(pl_free_p) char *token = pl_strdup(reply->next_page_token);
    assert_true(*token);
    record_free(reply);
    r.page_token = token;
    assert_ok(metric_list(store, &limits, &r, NOW, &reply, &err));
    assert_int_equal(reply->n_metrics, 1);
    assert_string_equal(reply->next_page_token, "");
    record_free(reply);
    r.namespace_ = TEXT("Shop"); /* other filters than the token's */
    assert_int_equal(metric_list(store, &limits, &r, NOW, &reply, &err), PL_INVALID);
    assert_string_equal(err.field, "page_token");
    r.page_token = TEXT("");
    assert_ok(metric_list(store, &limits, &r, NOW + 20 * DAY, &reply, &err)); /* nothing lately */
    assert_int_equal(reply->n_metrics, 0);
    record_free(reply);
}

/* ---- usage ---- */

static void test_usage_pages(void **state)
{
    Pilotlight__V1__ListUsageRequest r = PILOTLIGHT__V1__LIST_USAGE_REQUEST__INIT;
    Pilotlight__V1__ListUsageResponse *reply;
    struct cost_rates rates;
    struct batch b;
    int64_t cost = 0;
    size_t seen = 0;
    pl_cleanup(pl_free_p) char *token = pl_strdup("");
    (void)state;
    cost_rates_default(&rates);
    for (int i = 0; i < 5; i++) {
        batch_init(&b, 1, i + 1, NOW - i * DAY, 1000, 5);
        (void)send_batch(&b, NOW);
    }
    r.page_size = 2;
    r.from_day = TEXT("2024-09-01");
    do {
        r.page_token = token;
        assert_ok(usage_list(store, &limits, &rates, &r, NOW, &reply, &err));
        for (size_t i = 0; i < reply->n_usage; i++, seen++)
            cost += reply->usage[i]->cost_nano;
        assert_string_equal(reply->rates->currency, "USD");
        free(token);
        token = pl_strdup(reply->next_page_token);
        record_free(reply);
    } while (*token);
    assert_int_equal(seen, 5);
    assert_int_equal(cost, 5 * 8000000); /* 200 s of 2 GB each */
    r.page_token = TEXT("");
    r.from_day = TEXT("2024-13-01");
    assert_int_equal(usage_list(store, &limits, &rates, &r, NOW, &reply, &err), PL_INVALID);
    assert_string_equal(err.field, "from_day");
    r.from_day = TEXT("");
    r.page_size = 0;
    assert_ok(usage_list(store, &limits, &rates, &r, NOW, &reply, &err)); /* this month: the 1st to the 4th */
    assert_int_equal(reply->n_usage, 4);
    record_free(reply);
}

static void test_days(void **state)
{
    static const char *const bad[] = { "",         "2024-2-03",  "2024-02-30", "2024/02/03",
                                       "20240203", "1969-12-31", "2024-02-3x" };
    int64_t day;
    char text[16];
    (void)state;
    assert_true(usage_day_parse("2024-02-29", &day));
    assert_string_equal(usage_day_text(day, text), "2024-02-29");
    assert_true(usage_day_parse("1970-01-01", &day) && day == 0);
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        assert_false(usage_day_parse(bad[i], &day));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_answer_that_is_too_long_is_refused),
        T(test_a_batch_counts_once),
        T(test_several_batches_and_wrong_order),
        T(test_what_is_malformed_is_left_out),
        T(test_room_for_metrics),
        T(test_rows_get_coarser_and_none_is_lost),
        T(test_percentiles_survive_the_roll_up),
        T(test_buckets_count_from_the_start),
        cmocka_unit_test(test_rounding_of_starts),
        T(test_puts_that_are_refused),
        T(test_puts_and_lists),
        T(test_usage_pages),
        cmocka_unit_test(test_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
