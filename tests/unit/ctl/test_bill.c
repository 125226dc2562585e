/* Usage as it is added up for people, and the comparison with instances that run all the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bill.h"

#include <string.h>

static Pilotlight__V1__Usage usage(const char *day, const char *endpoint, const char *variant, int32_t memory_mb)
{
    Pilotlight__V1__Usage u = PILOTLIGHT__V1__USAGE__INIT;
    u.day = (char *)(uintptr_t)day;
    u.endpoint_name = (char *)(uintptr_t)endpoint;
    u.variant_name = (char *)(uintptr_t)variant;
    u.memory_size_mb = memory_mb;
    u.invocations = 10;
    u.billed_ms = 2000;
    u.bytes_in = 1;
    u.bytes_out = 2;
    u.cost_nano = 5;
    return u;
}

static void fill(struct bill *b, enum bill_by by)
{
    const Pilotlight__V1__Usage all[] = {
        usage("2026-02-01", "a", "v1", 1024), usage("2026-02-01", "a", "v2", 1024),
        usage("2026-02-02", "a", "v1", 1024), usage("2026-02-02", "a", "v1", 2048),
        usage("2026-02-03", "b", "v1", 1024),
    };
    bill_init(b, by);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        bill_add(b, &all[i]);
}

static void test_lines(void **state)
{
    pl_cleanup(bill_done) struct bill day = { 0 }, endpoint = { 0 }, variant = { 0 };
    (void)state;
    fill(&day, BILL_BY_DAY);
    assert_int_equal(day.line_count, 5);
    assert_int_equal(day.total.invocations, 50);
    assert_true(day.total.cost_nano == 25 && day.total.bytes == 15);
    fill(&endpoint, BILL_BY_ENDPOINT);
    assert_int_equal(endpoint.line_count, 2);
    assert_string_equal(endpoint.lines[0].endpoint, "a");
    assert_true(endpoint.lines[0].invocations == 40 && endpoint.lines[0].memory_mb == 0);
    assert_true(endpoint.lines[1].billed_ms == 2000 && endpoint.lines[1].memory_mb == 1024);
    fill(&variant, BILL_BY_VARIANT);
    assert_int_equal(variant.line_count, 4);
    assert_true(variant.lines[0].invocations == 20 && variant.lines[0].memory_mb == 1024);
}

/* "a" from the first day on, "b" from the third: 3 + 1 days until the end of the third. */
static void test_the_comparison(void **state)
{
    pl_cleanup(bill_done) struct bill b = { 0 };
    struct cost_rates rates;
    (void)state;
    cost_rates_default(&rates);
    fill(&b, BILL_BY_DAY);
    bill_compare(&b, &rates, bill_day_ms("2026-02-04"));
    assert_true(b.instance_nano == 4 * 24 * rates.instance_hour_nano);
    bill_compare(&b, &rates, bill_day_ms("2026-02-03") + 3600000); /* an hour of the third */
    assert_true(b.instance_nano == (2 * 24 + 1 + 1) * rates.instance_hour_nano);
}

static void test_days(void **state)
{
    (void)state;
    assert_true(bill_day_ms("1970-01-02") == 86400000);
    assert_true(bill_day_ms("soon") == 0);
}

static void test_rates_of_control(void **state)
{
    Pilotlight__V1__Rates m = PILOTLIGHT__V1__RATES__INIT;
    Pilotlight__V1__MemoryRate gb = PILOTLIGHT__V1__MEMORY_RATE__INIT, size = PILOTLIGHT__V1__MEMORY_RATE__INIT,
                               *sizes[] = { &size };
    struct cost_rates r;
    char currency[] = "EUR", name[] = "own";
    (void)state;
    m.currency = currency;
    m.instance_name = name;
    m.instance_hour_nano = 7;
    m.gb = &gb;
    gb.memory_size_mb = 1024;
    gb.request_nano = 100;
    size.memory_size_mb = 3072;
    size.request_nano = 250;
    m.sizes = sizes;
    m.n_sizes = 1;
    bill_rates(&m, &r);
    assert_string_equal(r.currency, "EUR");
    assert_true(cost_rate_of(&r, 2048).request_nano == 200 && cost_rate_of(&r, 3072).request_nano == 250);
    assert_int_equal(r.instance_hour_nano, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_the_comparison),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_rates_of_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
