/* What requests add up to, as control will read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "measure.h"

#include "pilotlight/internal/v1/report.pb-c.h"

#include <string.h>

#define MINUTE INT64_C(60000)
#define NOW    (INT64_C(30000000) * MINUTE)

typedef Pilotlight__Internal__V1__ReportBatch report_batch;
typedef Pilotlight__Internal__V1__MetricReport metric_report;

static struct usage_facts facts(enum usage_outcome o)
{
    return (struct usage_facts){ .outcome = o,
                                 .memory_mb = 2048,
                                 .reached = true,
                                 .model_us = 900,
                                 .total_us = 1000,
                                 .overhead_us = 100,
                                 .billed_ms = 1,
                                 .bytes_in = 10,
                                 .bytes_out = 20,
                                 .model_status = o == USAGE_ANSWERED ? 200 : 0 };
}

static report_batch *take(struct measure *m, bool metrics)
{
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(1 << 20);
    assert_true(pl_buf_adds(&b, ""));
    assert_true(measure_pack(m, metrics, &b));
    report_batch *out = pilotlight__internal__v1__report_batch__unpack(NULL, b.len, (const uint8_t *)b.data);
    assert_non_null(out);
    return out;
}

static void give(report_batch *b)
{
    pilotlight__internal__v1__report_batch__free_unpacked(b, NULL);
}

/* NULL: there is none. */
static const metric_report *find(const report_batch *b, const char *name)
{
    for (size_t i = 0; i < b->variants[0]->n_metrics; i++)
        if (strcmp(b->variants[0]->metrics[i]->name, name) == 0)
            return b->variants[0]->metrics[i];
    return NULL;
}

static void numbers(const report_batch *b, const char *name, double count, double sum, double min, double max)
{
    const metric_report *m = find(b, name);
    if (!m)
        fail_msg("there is no %s", name);
    if (m->sample_count != count || m->sum != sum || m->minimum != min || m->maximum != max)
        fail_msg("%s is %g values, sum %g, %g to %g", name, m->sample_count, m->sum, m->minimum, m->maximum);
}

static void test_requests(void **state)
{
    struct measure *m = measure_new("fraud", "v1");
    struct usage_facts f;
    (void)state;
    assert_true(measure_empty(m));
    f = facts(USAGE_ANSWERED);
    measure_ended(m, NOW + 5, &f);
    f.cold = true;
    f.start_us = 5000;
    f.load_us = 2000;
    f.queue_us = 5100;
    f.total_us = 6100;
    measure_ended(m, NOW + 6, &f);
    f = facts(USAGE_MODEL_ERROR);
    f.model_status = 415;
    measure_ended(m, NOW + 7, &f);
    f.model_status = 500;
    measure_ended(m, NOW + 8, &f);
    f = facts(USAGE_FAILED); /* it timed out in its instance */
    measure_ended(m, NOW + 9, &f);
    f = facts(USAGE_FAILED); /* no host had room */
    f.reached = false;
    measure_ended(m, NOW + 9, &f);
    f = facts(USAGE_CANCELLED);
    measure_ended(m, NOW + 9, &f);
    f = facts(USAGE_THROTTLED);
    f.reached = false;
    measure_ended(m, NOW + 9, &f);
    assert_false(measure_empty(m));

    report_batch *b = take(m, true);
    assert_true(measure_empty(m));
    assert_int_equal(b->n_variants, 1);
    assert_string_equal(b->variants[0]->endpoint_name, "fraud");
    assert_string_equal(b->variants[0]->variant_name, "v1");
    assert_true(b->variants[0]->minute_unix_ms == NOW);
    numbers(b, "Invocations", 7, 7, 1, 1);
    numbers(b, "Invocation4XXErrors", 7, 1, 0, 1);
    numbers(b, "Invocation5XXErrors", 7, 1, 0, 1);
    numbers(b, "InvocationModelErrors", 7, 3, 0, 1);
    numbers(b, "ModelLatency", 6, 5400, 900, 900);
    numbers(b, "OverheadLatency", 6, 5 * 100 + 5200, 100, 5200);
    numbers(b, "ModelSetupTime", 1, 5000, 5000, 5000);
    numbers(b, "Throttles", 1, 1, 1, 1);
    numbers(b, "ColdStarts", 7, 1, 0, 1);
    numbers(b, "Failures", 7, 2, 0, 1);
    numbers(b, "Cancellations", 7, 1, 0, 1);
    numbers(b, "ColdStartProcessTime", 1, 3000, 3000, 3000);
    numbers(b, "ColdStartLoadTime", 1, 2000, 2000, 2000);
    numbers(b, "BilledDuration", 6, 6, 1, 1);
    assert_string_equal(find(b, "ModelLatency")->unit, "Microseconds");
    assert_string_equal(find(b, "ModelLatency")->namespace_, "AWS/SageMaker");
    assert_string_equal(find(b, "Throttles")->namespace_, "Pilotlight");
    assert_null(find(b, "ServerlessProvisionedConcurrencyInvocations")); /* it has none */
    assert_null(find(b, "WarmInstances"));

    const Pilotlight__Internal__V1__UsageReport *u = b->variants[0]->usage;
    assert_true(u->memory_size_mb == 2048 && u->invocations == 6 && u->billed_ms == 6 && u->cold_starts == 1);
    assert_true(u->cold_start_ms == 5 && u->bytes_in == 60 && u->bytes_out == 120 && u->provisioned_ms == 0);
    give(b);
    measure_free(m);
}

/* Distributions go along when values differ, and say how many there were. */
static void test_distributions(void **state)
{
    struct measure *m = measure_new("fraud", "v1");
    (void)state;
    for (int i = 1; i <= 100; i++) {
        struct usage_facts f = facts(USAGE_ANSWERED);
        f.model_us = i;
        measure_ended(m, NOW, &f);
    }
    report_batch *b = take(m, true);
    const metric_report *r = find(b, "ModelLatency");
    struct sketch s = { 0 };
    assert_true(sketch_decode(&s, r->sketch.data, r->sketch.len));
    assert_true(sketch_total(&s) == 100 && sketch_at(&s, 49) > 49 && sketch_at(&s, 49) < 51);
    assert_int_equal(find(b, "Invocations")->sketch.len, 0);
    sketch_done(&s);
    give(b);
    measure_free(m);
}

static void test_pages(void **state)
{
    struct measure *m = measure_new("fraud", "v1");
    struct usage_facts f = facts(USAGE_ANSWERED);
    (void)state;
    assert_false(measure_must_pack(m, NOW, 2048));
    measure_ended(m, NOW + 59999, &f);
    assert_false(measure_must_pack(m, NOW, 2048));
    assert_true(measure_must_pack(m, NOW + MINUTE, 2048));
    assert_true(measure_must_pack(m, NOW, 4096)); /* another price */
    assert_false(measure_must_pack(m, NOW, 0));
    give(take(m, true));
    assert_false(measure_must_pack(m, NOW + MINUTE, 4096));
    measure_free(m);
}

/* Without room for metrics: the bill goes, the rest is forgotten. */
static void test_the_bill_alone(void **state)
{
    struct measure *m = measure_new("fraud", "v1");
    struct usage_facts f = facts(USAGE_ANSWERED);
    (void)state;
    measure_ended(m, NOW, &f);
    report_batch *b = take(m, false);
    assert_true(b->variants[0]->n_metrics == 0 && b->variants[0]->usage->billed_ms == 1);
    give(b);
    assert_true(measure_empty(m));
    f = facts(USAGE_THROTTLED);
    f.reached = false;
    measure_ended(m, NOW, &f);
    b = take(m, false);
    assert_int_equal(b->n_variants, 0);
    give(b);
    measure_free(m);
}

static void test_full(void **state)
{
    struct measure *m = measure_new("fraud", "v1");
    struct usage_facts f = facts(USAGE_ANSWERED);
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(50);
    (void)state;
    measure_ended(m, NOW, &f);
    assert_false(measure_pack(m, true, &b));
    assert_int_equal(b.len, 0);
    report_batch *whole = take(m, true);
    numbers(whole, "Invocations", 1, 1, 1, 1);
    give(whole);
    measure_free(m);
}

/* Two of four instances are provisioned: what is busy counts within them up to two; being there costs by the time. */
static void test_provisioned_concurrency(void **state)
{
    struct measure *m = measure_new("fraud", "v1");
    struct measure_gauges g = { .warm = 1, .provisioned = 2, .max_concurrency = 4, .memory_mb = 2048 };
    struct usage_facts f = facts(USAGE_ANSWERED);
    int64_t us = 1000000;
    (void)state;
    assert_true(measure_gauges(m, NOW, us, &g));
    g.warm = 3;
    assert_true(measure_gauges(m, NOW, us += 1500, &g));  /* one was there for 1.5 ms */
    assert_false(measure_gauges(m, NOW, us += 1000, &g)); /* nothing new */
    for (g.busy = 1; g.busy <= 3; g.busy++)
        assert_true(measure_gauges(m, NOW, us, &g));
    f.provisioned = true;
    measure_ended(m, NOW, &f);
    measure_ended(m, NOW, &f);
    f.provisioned = false;
    measure_ended(m, NOW, &f);
    g.busy = 0;
    assert_false(measure_gauges(m, NOW, us, &g));
    measure_sample(m, NOW, us += 1000); /* two for 2 ms until here */
    report_batch *b = take(m, true);
    numbers(b, "ServerlessConcurrentExecutionsUtilization", 3, 0.25 + 0.5 + 0.75, 0.25, 0.75);
    numbers(b, "ServerlessProvisionedConcurrencyExecutions", 4, 1 + 2 + 2 + 0, 0, 2);
    numbers(b, "ServerlessProvisionedConcurrencyUtilization", 4, 0.5 + 1 + 1 + 0, 0, 1);
    numbers(b, "ServerlessProvisionedConcurrencyInvocations", 2, 2, 1, 1);
    numbers(b, "ServerlessProvisionedConcurrencySpilloverInvocations", 1, 1, 1, 1);
    numbers(b, "WarmInstances", 3, 1 + 3 + 3, 1, 3);
    const Pilotlight__Internal__V1__UsageReport *u = b->variants[0]->usage;
    assert_true(u->provisioned_billed_ms == 2 && u->billed_ms == 3);
    assert_true(u->provisioned_ms == 5); /* 1.5 + 2 x 2 ms; the half is kept for later */
    give(b);
    measure_sample(m, NOW, us += 250);
    b = take(m, true);
    assert_true(b->variants[0]->usage->provisioned_ms == 1);
    give(b);
    measure_free(m);
}

/* Hosts tell what has changed; what has not is repeated once a minute. */
static void test_memory(void **state)
{
    struct measure *m = measure_new("fraud", "v1");
    (void)state;
    measure_sample(m, NOW, 1000000);
    report_batch *b = take(m, true);
    assert_null(find(b, "MemoryUtilization")); /* nothing has been measured */
    give(b);
    measure_memory(m, NOW, 2048, 2.5);
    measure_memory(m, NOW, 2048, 12.5);
    b = take(m, true);
    numbers(b, "MemoryUtilization", 2, 15, 2.5, 12.5);
    assert_string_equal(find(b, "MemoryUtilization")->unit, "Percent");
    assert_string_equal(find(b, "MemoryUtilization")->namespace_, "/aws/sagemaker/Endpoints");
    give(b);
    measure_sample(m, NOW, 2000000);
    b = take(m, true);
    numbers(b, "MemoryUtilization", 1, 12.5, 12.5, 12.5);
    give(b);
    measure_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_distributions),
        cmocka_unit_test(test_pages),    cmocka_unit_test(test_the_bill_alone),
        cmocka_unit_test(test_full),     cmocka_unit_test(test_provisioned_concurrency),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
