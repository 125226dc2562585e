/* Sketches: values come back within the promised error at every rank, parts add up to the whole, bytes are checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sketch/sketch.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void assert_near(double got, double want)
{
    if (fabs(got - want) > SKETCH_ERROR * want)
        fail_msg("%.17g is not within %g of %.17g", got, SKETCH_ERROR, want);
}

/* Values over 'decades' orders of magnitude, as latencies are. */
static double *values_of(size_t n, unsigned seed, double decades)
{
    double *v = calloc(n, sizeof(*v));
    srand(seed);
    for (size_t i = 0; i < n; i++)
        v[i] = pow(10, decades * rand() / RAND_MAX);
    return v;
}

static void test_every_rank_is_near(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        size_t n = 1 + seed * 97;
        double *v = values_of(n, seed, 9);
        struct sketch s = { 0 };
        for (size_t i = 0; i < n; i++)
            sketch_add(&s, v[i], 1);
        qsort(v, n, sizeof(*v), by_value);
        assert_int_equal(sketch_total(&s), n);
        for (size_t i = 0; i < n; i++)
            assert_near(sketch_at(&s, i), v[i]);
        sketch_done(&s);
        free(v);
    }
}

static void test_extremes(void **state)
{
    static const double values[] = { 0, 1, DBL_MIN, DBL_MAX, 1e-300, 1e300, 0.1, 3 };
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        struct sketch s = { 0 };
        sketch_add(&s, values[i], 3);
        assert_near(sketch_at(&s, 2), values[i]);
        sketch_done(&s);
    }
    struct sketch s = { 0 };
    sketch_add(&s, -1, 1);
    sketch_add(&s, NAN, 1);
    sketch_add(&s, INFINITY, 1);
    assert_int_equal(sketch_total(&s), 0);
    sketch_add(&s, -0.0, 1);
    assert_true(sketch_at(&s, 0) == 0);
    sketch_done(&s);
}

static bool same(const struct sketch *a, const struct sketch *b)
{
    bool equal = a->len == b->len && a->total == b->total;
    for (uint32_t i = 0; equal && i < a->len; i++)
        equal = a->buckets[i].index == b->buckets[i].index && a->buckets[i].count == b->buckets[i].count;
    return equal;
}

static void test_parts_add_up(void **state)
{
    enum { N = 3000, PARTS = 7 };
    struct sketch whole = { 0 }, parts[PARTS] = { 0 }, forth = { 0 }, back = { 0 };
    double *v = values_of(N, 5, 6);
    (void)state;
    for (int i = 0; i < N; i++) {
        sketch_add(&whole, v[i], 1);
        sketch_add(&parts[i % PARTS], v[i], 1);
    }
    for (int i = 0; i < PARTS; i++) {
        sketch_merge(&forth, &parts[i]);
        sketch_merge(&back, &parts[PARTS - 1 - i]);
    }
    assert_true(same(&whole, &forth));
    assert_true(same(&whole, &back));
    for (int i = 0; i < PARTS; i++)
        sketch_done(&parts[i]);
    sketch_done(&whole);
    sketch_done(&forth);
    sketch_done(&back);
    free(v);
}

static void test_stays_small(void **state)
{
    enum { N = 200000 };
    struct sketch s = { 0 };
    double *v = values_of(N, 9, 300);
    (void)state;
    for (int i = 0; i < N; i++)
        sketch_add(&s, v[i], 1);
    assert_int_equal(s.len, SKETCH_MAX_BUCKETS);
    assert_int_equal(sketch_total(&s), N);
    qsort(v, N, sizeof(*v), by_value);
    for (int i = N - N / 50; i < N; i++) /* what is high keeps its precision */
        assert_near(sketch_at(&s, (uint64_t)i), v[i]);
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(SKETCH_MAX_BYTES);
    assert_true(sketch_encode(&s, &b));
    sketch_done(&s);
    free(v);
}

static void test_counts_do_not_overflow(void **state)
{
    struct sketch s = { 0 };
    (void)state;
    sketch_add(&s, 1, UINT64_MAX - 1);
    sketch_add(&s, 2, 5);
    sketch_add(&s, 3, 5);
    assert_true(sketch_total(&s) == UINT64_MAX);
    assert_int_equal(s.len, 2);
    sketch_done(&s);
}

static void test_bytes_and_back(void **state)
{
    struct sketch s = { 0 }, t = { 0 };
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(SKETCH_MAX_BYTES);
    double *v = values_of(500, 3, 4);
    (void)state;
    for (int i = 0; i < 500; i++)
        sketch_add(&s, v[i], (uint64_t)i + 1);
    assert_true(sketch_encode(&s, &b));
    assert_true(sketch_decode(&t, b.data, b.len));
    assert_true(same(&s, &t));
    assert_true(sketch_decode(&t, NULL, 0));
    assert_int_equal(t.len, 0);
    for (size_t cut = 2; cut < b.len; cut++) /* never more than was written */
        if (sketch_decode(&t, b.data, cut))
            assert_true(t.total < s.total);
    sketch_done(&s);
    sketch_done(&t);
    free(v);
}

static void test_malformed_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        { "\x02", 1 },                                                      /* unknown version       */
        { "\x01\x05", 2 },                                                  /* no count              */
        { "\x01\x05\x00", 3 },                                              /* count 0               */
        { "\x01\x05\x01\x00\x01", 5 },                                      /* the same bucket twice */
        { "\x01\xff\xff\xff\xff\x7f\x01", 7 },                              /* beyond the last one   */
        { "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", 13 },     /* more than 64 bits     */
        { "\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01", 14 }, /* counts overflow  */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct sketch s = { 0 };
        sketch_add(&s, 7, 7);
        assert_false(sketch_decode(&s, bad[i].bytes, bad[i].len));
        assert_int_equal(s.len, 0);
        assert_int_equal(sketch_total(&s), 0);
        sketch_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rank_is_near),     cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_parts_add_up),           cmocka_unit_test(test_stays_small),
        cmocka_unit_test(test_counts_do_not_overflow), cmocka_unit_test(test_bytes_and_back),
        cmocka_unit_test(test_malformed_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
