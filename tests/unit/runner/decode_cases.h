/* Bodies and what a decoder makes of them, for the tables of test_decode_*.c. */
#ifndef DECODE_CASES_H
#define DECODE_CASES_H

#include "runner_test.h"

#include "matrix.h"

#include <math.h>

#define NA NAN /* missing */

struct good_case {
    const char *body;
    size_t rows, cols;
    float values[12];
};

struct bad_case {
    const char *body;
    const char *message;
};

typedef enum pl_code decode_fn(struct matrix *m, const char *body, size_t n, struct pl_err *err);

static inline void assert_values(const float *values, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(expected[i]))
            assert_true(isnan(values[i]));
        else if (values[i] != expected[i])
            fail_msg("value %zu is %.9g, not %.9g", i, (double)values[i], (double)expected[i]);
    }
}

static inline void run_good(decode_fn *decode, const struct good_case *cases, size_t count)
{
    struct matrix m = { 0 };

    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(cases[i].body);
        char *body = exact(cases[i].body, n);
        struct pl_err err = { 0 };

        matrix_clear(&m, false);
        if (decode(&m, body, n, &err) != PL_OK)
            fail_msg("'%s': %s", cases[i].body, err.message);
        assert_int_equal(m.rows, cases[i].rows);
        assert_int_equal(m.cols, cases[i].cols);
        assert_int_equal(m.count, m.rows * m.cols);
        assert_values(m.values, cases[i].values, m.count);
        free(body);
    }
    matrix_done(&m);
}

static inline void run_bad(decode_fn *decode, bool sparse, const struct bad_case *cases, size_t count)
{
    struct matrix m = { 0 };

    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(cases[i].body);
        char *body = exact(cases[i].body, n);
        struct pl_err err = { 0 };

        matrix_clear(&m, sparse);
        assert_refused(decode(&m, body, n, &err), &err, 415, cases[i].message);
        free(body);
    }
    matrix_done(&m);
}

#endif
