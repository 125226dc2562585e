#include "runner_test.h"

#include "base/number.h"

#include <math.h>

static void reads_what_is_a_number(void **state)
{
    static const struct {
        const char *text;
        double value;
        size_t used;
    } cases[] = {
        { "0", 0, 1 },
        { "-0.5", -0.5, 4 },
        { "+7", 7, 2 },
        { ".5", 0.5, 2 },
        { "5.", 5, 2 },
        { "1e3", 1000, 3 },
        { "1E-2x", 0.01, 4 },
        { "1e", 1, 1 },
        { "1e+", 1, 1 },
        { "1.2.3", 1.2, 3 },
        { "123456789012345678901234567890", 123456789012345678901234567890.0, 30 },
        { "0.000000000000000000000000000001", 1e-30, 32 },
        { "9007199254740993", 9007199254740993.0, 16 },
        { "1e400", INFINITY, 5 },
        { "-1e99999999999", -INFINITY, 14 },
        { "1e-400", 0, 6 },
        { "inf", INFINITY, 3 },
        { "-Infinity", -INFINITY, 9 },
        { "INFx", INFINITY, 3 },
        { "0x10", 0, 1 },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        char *text = exact(cases[i].text, n);
        double value = 12345;

        assert_int_equal(number_scan(text, n, &value), cases[i].used);
        if (value != cases[i].value)
            fail_msg("'%s' is %.17g", cases[i].text, value);
        free(text);
    }
}

static void knows_nan(void **state)
{
    double value = 0;

    (void)state;
    assert_int_equal(number_scan("NaN", 3, &value), 3);
    assert_true(isnan(value));
    assert_int_equal(number_scan("-nan(7)", 7, &value), 4);
}

static void refuses_what_is_none(void **state)
{
    static const char *const texts[] = { "", "-", "+", ".", "-.", "e5", "abc", " 1", "na", "in", "--1", "+-1", "\xff" };
    double value;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(texts); i++)
        assert_int_equal(number_scan(texts[i], strlen(texts[i]), &value), 0);
}

static void has_a_limit_of_length(void **state)
{
    char text[NUMBER_MAX_CHARS + 2];
    double value;

    (void)state;
    memset(text, '1', sizeof(text));
    assert_int_equal(number_scan(text, NUMBER_MAX_CHARS, &value), NUMBER_MAX_CHARS);
    assert_int_equal(number_scan(text, NUMBER_MAX_CHARS + 1, &value), 0);
}

/* Correctly rounded as the C library's, for texts of every kind that printf() makes. */
static void agrees_with_strtod(void **state)
{
    static const char *const formats[] = { "%.17g", "%.9g", "%.3f", "%.0f", "%.6e", "%.20g", "%.40e" };
    uint64_t seed = 88172645463325252u;
    char text[512];

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        double random, value;
        int n;

        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        memcpy(&random, &seed, sizeof(random));
        if (!isfinite(random))
            continue;
        n = snprintf(text, sizeof(text), formats[i % PL_COUNT(formats)], i % 3 ? fmod(random, 1e6) : random);
        assert_int_equal(number_scan(text, (size_t)n, &value), n);
        if (value != strtod(text, NULL))
            fail_msg("'%s' is %.17g", text, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_a_number), cmocka_unit_test(knows_nan),
        cmocka_unit_test(refuses_what_is_none),   cmocka_unit_test(has_a_limit_of_length),
        cmocka_unit_test(agrees_with_strtod),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
