/* Prices: the documented examples, exactness over many small amounts, text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cost/cost.h"

/* 1000 requests a day of 200 ms at 2048 MB for 30 days: 0.24; an ml.m5.large all the time: 96.48. */
static void test_the_documented_example(void **state)
{
    struct cost_rates r;
    char text[32];
    (void)state;
    cost_rates_default(&r);
    const struct cost_usage month = { .memory_mb = 2048, .billed_ms = 30000 * 200 };
    assert_string_equal(cost_text(cost_of(&r, &month), 2, text), "0.24");
    assert_int_equal(cost_of(&r, &month), 240000000);
    assert_string_equal(cost_text(cost_instance(&r, 30 * 86400), 2, text), "96.48");
    assert_string_equal(cost_text(cost_instance(&r, 30 * 86400) - cost_of(&r, &month), 2, text), "96.24");
}

static void test_sizes(void **state)
{
    static const struct {
        int32_t memory_mb;
        int64_t second_nano;
    } table[] = {
        { 1024, 20000 }, { 2048, 40000 }, { 3072, 60000 }, { 4096, 80000 }, { 5120, 100000 }, { 6144, 120000 }
    };
    struct cost_rates r;
    (void)state;
    cost_rates_default(&r);
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_int_equal(cost_rate_of(&r, table[i].memory_mb).request_nano, table[i].second_nano);
    r.sizes[r.size_count++] = (struct cost_rate){ .memory_mb = 3072, .request_nano = 7 };
    assert_int_equal(cost_rate_of(&r, 3072).request_nano, 7);
    assert_int_equal(cost_rate_of(&r, 2048).request_nano, 40000);
}

static void test_each_part_counts(void **state)
{
    struct cost_rates r;
    (void)state;
    cost_rates_default(&r);
    r.gb.provisioned_nano = 5000;
    r.gb.provisioned_request_nano = 10000;
    const struct cost_usage u = {
        .memory_mb = 1024,
        .billed_ms = 3000,
        .provisioned_billed_ms = 2000,
        .provisioned_ms = 10000,
        .bytes = INT64_C(1) << 30,
    };
    assert_int_equal(cost_of(&r, &u), 20000 + 2 * 10000 + 10 * 5000 + 16000000);
    const struct cost_usage half = { .memory_mb = 1024, .bytes = 1 << 29 };
    assert_int_equal(cost_of(&r, &half), 8000000);
}

static void test_one_rounding(void **state)
{
    struct cost_rates r;
    (void)state;
    cost_rates_default(&r);
    const struct cost_usage one_ms = { .memory_mb = 1024, .billed_ms = 1 };
    assert_int_equal(cost_of(&r, &one_ms), 20);
    const struct cost_usage huge = { .memory_mb = 6144, .billed_ms = INT64_MAX };
    assert_true(cost_of(&r, &huge) == INT64_MAX);
}

static void test_text_and_back(void **state)
{
    static const struct {
        const char *text;
        int64_t nano;
    } good[] = { { "0", 0 },          { "1", COST_NANO },   { "0.0000200", 20000 },
                 { ".5", 500000000 }, { "0.000000001", 1 }, { "9223372036", INT64_C(9223372036000000000) } };
    static const char *const bad[] = { "", ".", "-1", "1.2.3", "0.0000000001", "1e3", "9223372037", " 1", "1 " };
    char text[32];
    int64_t nano;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(cost_parse(good[i].text, &nano));
        assert_int_equal(nano, good[i].nano);
        assert_true(cost_parse(cost_text(nano, 9, text), &nano));
        assert_int_equal(nano, good[i].nano);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(cost_parse(bad[i], &nano));
    assert_string_equal(cost_text(999999999, 2, text), "1.00");
    assert_string_equal(cost_text(-5000000, 2, text), "-0.01");
    assert_string_equal(cost_text(-4999999, 2, text), "0.00");
    assert_string_equal(cost_text(1500000000, 0, text), "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_documented_example), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_each_part_counts),       cmocka_unit_test(test_one_rounding),
        cmocka_unit_test(test_text_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
