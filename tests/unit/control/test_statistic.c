/* Statistics by name: what is accepted, and their values against the same computed from the values themselves. */
#include "fixtures.h"

#include "statistic.h"

#include <math.h>

static void test_names(void **state)
{
    static const char *const good[] = { "sum",  "Average", "SAMPLE_COUNT", "p99",         "P0",          "p99.9",
                                        "p100", "tm90",    "TM(10%:90%)",  "TM(:90%)",    "tm(150:)",    "wm95",
                                        "tc50", "ts50.5",  "PR(:300)",     "PR(100:300)", "WM(-5.5:20)", "IQM" };
    static const char *const bad[] = { "",           "p",        "p101", "p-1",   "pp9",         "p9x",
                                       "median",     "tm",       "TM()", "TM(:)", "TM(90%:10%)", "TM(10%:90)",
                                       "TM(10%:90%", "PR(10%:)", "pr90", "p1e1",  "TM(-1%:5%)",  "iqm5",
                                       "p 9" };
    struct statistic s;
    (void)state;
    for (size_t i = 0; i < PL_COUNT(good); i++)
        if (!statistic_parse(good[i], &s))
            fail_msg("\"%s\" was refused", good[i]);
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        if (statistic_parse(bad[i], &s))
            fail_msg("\"%s\" was accepted", bad[i]);
    assert_true(statistic_parse("maximum", &s) && !statistic_is_extended(&s));
    assert_true(statistic_parse("p50", &s) && statistic_is_extended(&s));
}

static double of(const struct point *p, const char *name)
{
    struct statistic s;
    assert_true(statistic_parse(name, &s));
    return statistic_of(&s, p);
}

static void near(double got, double want)
{
    if (!(fabs(got - want) <= SKETCH_ERROR * fabs(want) + 1e-12))
        fail_msg("%.17g is not within %g of %.17g", got, SKETCH_ERROR, want);
}

/* 1..1000, each once. */
static void test_values(void **state)
{
    pl_cleanup(point_done) struct point p = { 0 };
    (void)state;
    for (int i = 1000; i >= 1; i--)
        point_add(&p, i, 1);
    assert_true(of(&p, "sample_count") == 1000 && of(&p, "sum") == 500500 && of(&p, "average") == 500.5);
    assert_true(of(&p, "minimum") == 1 && of(&p, "maximum") == 1000);
    for (int i = 1; i <= 99; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "p%d", i);
        near(of(&p, name), i * 10);
    }
    assert_true(of(&p, "p0") == 1 && of(&p, "p100") == 1000);
    near(of(&p, "tm90"), 450.5);        /* of 1..900 */
    near(of(&p, "TM(10%:90%)"), 500.5); /* of 101..900 */
    near(of(&p, "IQM"), 500.5);         /* of 251..750 */
    near(of(&p, "TM(201:400)"), 300.5);
    near(of(&p, "ts90"), 900 * 450.5);
    assert_true(of(&p, "tc90") == 900 && of(&p, "TC(10%:90%)") == 800);
    near(of(&p, "wm90"), (900 * 450.5 + 100 * 900) / 1000.0);
    near(of(&p, "PR(:300)"), 30);
    near(of(&p, "PR(100:300)"), 20.1);
}

static void test_one_value(void **state)
{
    pl_cleanup(point_done) struct point p = { 0 };
    (void)state;
    point_add(&p, 7, 5);
    static const char *const all[] = { "p0", "p50", "p99", "p100", "tm90", "wm90", "IQM", "average" };
    for (size_t i = 0; i < PL_COUNT(all); i++)
        assert_true(of(&p, all[i]) == 7);
}

static void test_what_is_not_known(void **state)
{
    pl_cleanup(point_done) struct point set = { 0 }, same = { 0 }, negative = { 0 }, nothing_left = { 0 };
    (void)state;
    point_add(&set, 1, 10);
    point_add_set(&set, 3, 30, 5, 15);
    assert_true(isnan(of(&set, "p50")) && isnan(of(&set, "tm90")) && isnan(of(&set, "PR(:7)")));
    assert_true(of(&set, "sum") == 40 && of(&set, "maximum") == 15);
    point_add_set(&same, 3, 15, 5, 5);
    assert_true(of(&same, "p50") == 5);
    point_add(&negative, -1, 1);
    point_add(&negative, 4, 1);
    assert_true(isnan(of(&negative, "p50")) && of(&negative, "minimum") == -1);
    point_add(&nothing_left, 5, 2);
    assert_true(isnan(of(&nothing_left, "TM(6:7)")) && of(&nothing_left, "TC(6:7)") == 0);
    point_done(&same);
    point_done(&negative);
    point_done(&nothing_left);
}

/* What a row keeps is what was put in, and rows that are merged are as if all values had gone into one. */
static void test_rows(void **state)
{
    pl_cleanup(point_done) struct point whole = { 0 };
    struct point sum = { 0 };
    (void)state;
    srand(3);
    for (int part = 0; part < 20; part++) {
        pl_cleanup(point_done) struct point p = { 0 }, read = { 0 };
        pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(SKETCH_MAX_BYTES);
        for (int i = 0; i <= part; i++) {
            double v = part % 3 == 0 ? 42 : rand() % 5000;
            point_add(&p, v, 1 + rand() % 3);
        }
        point_merge(&whole, &p);
        assert_true(point_encode_sketch(&p, &b));
        assert_true((b.len == 0) == (p.min == p.max));
        assert_true(point_decode(&read, p.count, p.sum, p.min, p.max, b.data, b.len));
        point_merge(&sum, &read);
        point_done(&read);
    }
    assert_true(sum.count == whole.count && sum.sum == whole.sum && sum.min == whole.min && sum.max == whole.max);
    assert_true(point_distribution_known(&sum));
    assert_true(of(&sum, "p37") == of(&whole, "p37"));
    point_done(&sum);
}

static void test_rows_that_lie(void **state)
{
    struct point p;
    (void)state;
    assert_false(point_decode(&p, 2, 3, 1, 2, "\x07", 1));
    assert_false(point_decode(&p, 1, 3, 1, 2, "\x01\xc0\xff\x03\x09", 5)); /* nine values of one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_values),
        cmocka_unit_test(test_one_value), cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_rows_that_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
