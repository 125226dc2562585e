/* Metric math: what expressions come to, what they may not be, and how much they may ask for. */
#include "metric_math.h"
#include "rig.h"

#include <stdio.h>
#include <string.h>

/* m1 and m2 share the times 60 and 120; e1 has not been evaluated. */
static int64_t times1[] = { 0, 60, 120 }, times2[] = { 60, 120, 180 };
static double values1[] = { 1, 2, 4 }, values2[] = { 10, 0, -5 };

static struct math_named given[] = {
    { "m1", true, true, { 3, times1, values1 } },
    { "m2", true, true, { 3, times2, values2 } },
    { "e1", false, false, { 0 } },
    { "e2", false, true, { 3, times1, values1 } },
};

static struct math_scope scope_of(struct arena *a)
{
    return (struct math_scope){ given, sizeof(given) / sizeof(*given), a, MATH_POINTS_MAX };
}

static void print(const struct math_series *s, char *out, size_t size)
{
    size_t n = 0;
    *out = 0;
    for (size_t i = 0; i < s->count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld=%g", i ? " " : "", (long long)s->times[i], s->values[i]);
}

static void expressions_come_to(void **state)
{
    static const char *const cases[][2] = {
        { "m1", "0=1 60=2 120=4" },
        { "m1 + m2", "60=12 120=4" },
        { "m2 - m1", "60=8 120=-4" },
        { "m1 * 2", "0=2 60=4 120=8" },
        { "2 * m1 + 1", "0=3 60=5 120=9" },
        { "1 + 2 * m1", "0=3 60=5 120=9" },
        { "(1 + 2) * m1", "0=3 60=6 120=12" },
        { "8 / m1", "0=8 60=4 120=2" },
        { "m1 / m2", "60=0.2" }, /* 4 / 0 is left out */
        { "m1 / 0", "" },
        { "-m1", "0=-1 60=-2 120=-4" },
        { "m1 - -1", "0=2 60=3 120=5" },
        { "10 - 2 - 3", "0=5 60=5 120=5 180=5" }, /* a number stands wherever a metric does */
        { "16 / 4 / 2 + 0 * m1", "0=2 60=2 120=2" },
        { "SUM([m1, m2])", "0=1 60=12 120=4 180=-5" },
        { "SUM(METRICS())", "0=1 60=12 120=4 180=-5" }, /* e2 is none */
        { "AVG([m1,m2])", "0=1 60=6 120=2 180=-5" },
        { "MIN([m1,m2])", "0=1 60=2 120=0 180=-5" },
        { "MAX([m1,m2])", "0=1 60=10 120=4 180=-5" },
        { "m1 / SUM(m1) * 7", "0=1 60=2 120=4" },
        { "m1 * 0 + AVG(m1)", "0=2.33333 60=2.33333 120=2.33333" },
        { "m1 * 0 + MAX(m2) - MIN(m2)", "0=15 60=15 120=15" },
        { "FILL(m1, 0) + FILL(m2, 0)", "0=1 60=12 120=4 180=-5" },
        { "FILL(m2, 7)", "0=7 60=10 120=0 180=-5" },
        { "ABS(m2)", "60=10 120=0 180=5" },
        { "CEIL(m1 / 3)", "0=1 60=1 120=2" },
        { "FLOOR(m1 / 3)", "0=0 60=0 120=1" },
        { "m1 * ABS(-2)", "0=2 60=4 120=8" },
        { "e2 + .5", "0=1.5 60=2.5 120=4.5" },
        { " ( m1 )\n", "0=1 60=2 120=4" },
        { "m1 * 1000000000 * 1000000000", "0=1e+18 60=2e+18 120=4e+18" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = { 0 };
        struct math_scope s = scope_of(&a);
        struct math_series out = { 0 };
        const char *why = NULL;
        size_t waits_for;
        char text[256];
        if (math_evaluate(cases[i][0], &s, &out, &waits_for, &why) != MATH_OK)
            fail_msg("%s: %s", cases[i][0], why);
        print(&out, text, sizeof(text));
        if (strcmp(text, cases[i][1]) != 0)
            fail_msg("%s: %s instead of %s", cases[i][0], text, cases[i][1]);
        arena_done(&a);
    }
}

static void what_is_wrong_is_said(void **state)
{
    static const char *const cases[][2] = {
        { "", "ends too early" },
        { "m1 +", "ends too early" },
        { "m1 m2", "\"m2\" was not expected" },
        { "m9", "no query with the id \"m9\"" },
        { "(m1", "')' is missing" },
        { "m1)", "\")\" was not expected" },
        { "SUM(m1", "')' is missing" },
        { "[m1, m2", "']' is missing" },
        { "[m1, m2]", "it is an array" },
        { "[m1, 2]", "only time series" },
        { "[m1] + 1", "array cannot be used with '+'" },
        { "SUM", "'(' is missing behind SUM" },
        { "SUM()", "SUM, AVG, MIN and MAX take one" },
        { "SUM(1)", "SUM, AVG, MIN and MAX take one" },
        { "SUM(m1, m2)", "SUM, AVG, MIN and MAX take one" },
        { "ABS([m1])", "ABS, CEIL and FLOOR take one" },
        { "FILL(m1)", "FILL takes" },
        { "FILL(1, 2)", "FILL takes" },
        { "METRICS(m1)", "METRICS takes nothing" },
        { "SEARCH(m1)", "no function SEARCH" },
        { "1.2.3", "is no number" },
        { ".", "is no number" },
        { "m1 ^ 2", "was not expected" },
        { "\xff", "was not expected" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = { 0 };
        struct math_scope s = scope_of(&a);
        struct math_series out;
        const char *why = NULL;
        size_t waits_for;
        if (math_evaluate(cases[i][0], &s, &out, &waits_for, &why) != MATH_WRONG)
            fail_msg("'%s' passes", cases[i][0]);
        if (!strstr(why, cases[i][1]))
            fail_msg("'%s': %s", cases[i][0], why);
        arena_done(&a);
    }
}

static void what_is_not_known_yet_is_waited_for(void **state)
{
    struct arena a = { 0 };
    struct math_scope s = scope_of(&a);
    struct math_series out;
    const char *why;
    size_t waits_for = 99;
    (void)state;
    assert_int_equal(math_evaluate("m1 + SUM(e1)", &s, &out, &waits_for, &why), MATH_WAITS);
    assert_int_equal(waits_for, 2);
    arena_done(&a);
}

static void texts_and_brackets_are_limited(void **state)
{
    struct arena a = { 0 };
    struct math_scope s = scope_of(&a);
    struct math_series out;
    const char *why;
    size_t waits_for;
    char text[MATH_TEXT_MAX + 2];
    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text, "m1", 2);
    text[MATH_TEXT_MAX] = 0;
    assert_int_equal(math_evaluate(text, &s, &out, &waits_for, &why), MATH_OK);
    text[MATH_TEXT_MAX] = ' ';
    text[MATH_TEXT_MAX + 1] = 0;
    assert_int_equal(math_evaluate(text, &s, &out, &waits_for, &why), MATH_WRONG);
    assert_non_null(strstr(why, "more than 2048 characters"));
    for (int depth = MATH_DEPTH_MAX - 1; depth <= MATH_DEPTH_MAX; depth++) {
        memset(text, '(', (size_t)depth);
        memcpy(text + depth, "m1", 2);
        memset(text + depth + 2, ')', (size_t)depth);
        text[2 * depth + 2] = 0;
        assert_int_equal(math_evaluate(text, &s, &out, &waits_for, &why),
                         depth < MATH_DEPTH_MAX ? MATH_OK : MATH_WRONG);
    }
    assert_non_null(strstr(why, "more than 32 brackets"));
    memset(text, '-', MATH_TEXT_MAX - 2); /* signs are no brackets */
    memcpy(text + MATH_TEXT_MAX - 2, "m1", 3);
    assert_int_equal(math_evaluate(text, &s, &out, &waits_for, &why), MATH_OK);
    assert_true(out.values[0] == 1);
    arena_done(&a);
}

/* A page full of points, added up again and again in one text: refused before it takes the memory. */
static void points_are_limited(void **state)
{
    struct arena a = { 0 }, room = { 0 };
    size_t many = 100800;
    struct math_named large = {
        "m1", true, true, { many, arena_get(&room, many * sizeof(int64_t)), arena_get(&room, many * sizeof(double)) }
    };
    struct math_scope s = { &large, 1, &a, MATH_POINTS_MAX };
    struct math_series out;
    const char *why;
    size_t waits_for;
    char text[MATH_TEXT_MAX + 1] = "m1";
    (void)state;
    for (size_t i = 0; i < many; i++)
        large.series.times[i] = (int64_t)i;
    for (int i = 0; i < 500; i++)
        strcat(text, "+m1");
    assert_int_equal(math_evaluate(text, &s, &out, &waits_for, &why), MATH_WRONG);
    assert_non_null(strstr(why, "more than 2000000 points"));
    /* It was the scope's: nothing is left for another expression. */
    assert_int_equal(math_evaluate("m1 + 1", &s, &out, &waits_for, &why), MATH_WRONG);
    arena_done(&a);
    arena_done(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_come_to),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(what_is_not_known_yet_is_waited_for),
        cmocka_unit_test(texts_and_brackets_are_limited),
        cmocka_unit_test(points_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
