#include "base/time.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>
#include <time.h>

static void test_clocks_go_forward(void **state)
{
    (void)state;
    int64_t us = pl_now_us(), ms = pl_now_ms();
    assert_true(ms >= us / 1000);
    assert_true(pl_now_us() >= us);
    int64_t before = (int64_t)time(NULL) - 1;
    assert_true(pl_wall_ms() / 1000 >= before);
}

static void test_wall_text(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000, "1969-12-31T23:59:59.000Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 1770797730123, "2026-02-11T08:15:30.123Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "9999-12-31T23:59:59.999Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z" },
        { INT64_MIN, "0001-01-01T00:00:00.000Z" },
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        char out[25];
        assert_ptr_equal(pl_wall_text(cases[i].ms, out), out);
        assert_string_equal(out, cases[i].text);
    }
}

static void test_duration_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t ms;
    } cases[] = {
        { "0", true, 0 },
        { "250", true, 250 },
        { "250ms", true, 250 },
        { "10s", true, 10000 },
        { "5m", true, 300000 },
        { "2h", true, 7200000 },
        { "1d", true, 86400000 },
        { "9223372036854775807", true, INT64_MAX },
        { "106751991167d", true, 106751991167 * 86400000 },
        { "106751991168d", false, 0 },
        { "9223372036854775808", false, 0 },
        { "9223372036854775807s", false, 0 },
        { "-1s", false, 0 },
        { "1.5s", false, 0 },
        { "1 s", false, 0 },
        { "1S", false, 0 },
        { "1min", false, 0 },
        { "s", false, 0 },
        { "", false, 0 },
        { "1h30m", false, 0 },
        { NULL, false, 0 },
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        int64_t ms = 77;
        if (pl_duration_parse(cases[i].text, &ms) != cases[i].ok || ms != (cases[i].ok ? cases[i].ms : 77))
            fail_msg("'%s'", cases[i].text);
    }
}

static void test_duration_text(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "0s" },        { 1, "1ms" },       { 999, "999ms" },    { 1000, "1s" },
        { 1500, "1500ms" }, { 60000, "1m" },    { 90000, "90s" },    { 3600000, "1h" },
        { 5400000, "90m" }, { 86400000, "1d" }, { 90000000, "25h" }, { 604800000, "7d" },
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        char out[24];
        assert_string_equal(pl_duration_text(cases[i].ms, out), cases[i].text);
    }
}

static void assert_round_trip(int64_t ms)
{
    char text[24];
    int64_t again;
    pl_duration_text(ms, text);
    if (!pl_duration_parse(text, &again) || again != ms)
        fail_msg("%lld as '%s'", (long long)ms, text);
}

static void test_duration_round_trip(void **state)
{
    (void)state;
    static const int64_t units[] = { 1, 1000, 60000, 3600000, 86400000 };
    for (size_t u = 0; u < PL_COUNT(units); u++)
        for (int64_t count = 0; count < 2000; count++)
            assert_round_trip(count * units[u]);
    for (int i = 0; i < 1000; i++)
        assert_round_trip((int64_t)(pl_random_u64() >> 1));
    assert_round_trip(INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_go_forward),   cmocka_unit_test(test_wall_text),
        cmocka_unit_test(test_duration_parse),      cmocka_unit_test(test_duration_text),
        cmocka_unit_test(test_duration_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
