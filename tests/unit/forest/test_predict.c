/* Predictions against the plain walk: every kernel, any number of rows, dense and sparse, shallow and deep. */
#include "random_forest.h"

#include "forest/forest.h"
#include "kernel.h"

#define MAX_ROWS 77

/* clang-format off */
static const struct random_spec specs[] = {
    { .trees = 0, .features = 3, .groups = 1, .splits = 0 },
    { .trees = 1, .features = 1, .groups = 1, .splits = 0 },
    { .trees = 1, .features = 1, .groups = 1, .splits = 1 },
    { .trees = 21, .features = 4, .groups = 2, .splits = 1, .missing = true },
    { .trees = 19, .features = 4, .groups = 1, .splits = 1, .sets = true, .missing = true },
    { .trees = 9, .features = 5, .groups = 1, .splits = 31, .missing = true },
    { .trees = 40, .features = 12, .groups = 3, .splits = 15, .missing = true },
    { .trees = 17, .features = 4, .groups = 2, .splits = 25, .sets = true, .missing = true },
    { .trees = 8, .features = 3, .groups = 1, .splits = 400 },
    { .trees = 11, .features = 3, .groups = 1, .splits = 60, .chains = true, .missing = true },
    { .trees = 3, .features = 3, .groups = 1, .splits = 300, .chains = true, .sets = true },
    { .trees = 30, .features = 3000, .groups = 1, .splits = 200, .missing = true, .sets = true },
};
/* clang-format on */

struct rig {
    struct source *source;
    struct forest_image image;
    struct forest *forest;
    float *cells;
    size_t cols;
};

static void rig_init(struct rig *r, const struct random_spec *spec, uint64_t seed)
{
    struct random_spec s = *spec;
    struct pl_err err = { 0 };

    s.seed = seed;
    r->source = random_source(&s);
    r->image = random_image(r->source);
    r->cells = random_rows(&s, MAX_ROWS, seed + 1);
    r->cols = s.features;
    if (forest_view(&r->forest, r->image.bytes, r->image.n, &err) != PL_OK)
        fail_msg("%s", err.message);
}

static void rig_done(struct rig *r)
{
    forest_close(r->forest);
    forest_image_done(&r->image);
    source_free(r->source);
    free(r->cells);
}

static void compare(const struct rig *r, const struct forest_rows *rows, const float *dense, size_t cols)
{
    uint32_t groups = r->source->targets;
    float *ours = calloc(rows->count * groups + 1, sizeof(*ours));
    float expected[8];
    struct pl_err err = { 0 };

    assert_true(groups <= 8);
    assert_int_equal(forest_predict(r->forest, rows, ours, &err), PL_OK);
    for (size_t i = 0; i < rows->count; i++) {
        plain_sums(r->source, dense + i * cols, cols, expected);
        assert_memory_equal(ours + i * groups, expected, groups * sizeof(float));
    }
    free(ours);
}

static void rows_by_any_kernel_and_in_any_number(void **state)
{
    static const size_t counts[] = { 0, 1, 2, 7, 8, 9, 16, MAX_ROWS };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(specs); i++) {
        struct rig r;
        size_t kernels = 0;

        rig_init(&r, &specs[i], 100 + i);
        for (size_t k = 0; k < forest_kernel_count; k++) {
            kernels += forest_kernels[k]->runs();
            if (!forest_use_kernel(r.forest, forest_kernels[k]->name))
                continue;
            for (size_t c = 0; c < PL_COUNT(counts); c++) {
                const struct forest_rows rows = { .count = counts[c], .cols = r.cols, .values = r.cells };
                compare(&r, &rows, r.cells, r.cols);
            }
        }
        assert_true(kernels > 0);
        assert_false(forest_use_kernel(r.forest, "no such kernel"));
        rig_done(&r);
    }
}

static void columns_that_are_not_there_are_missing(void **state)
{
    (void)state;
    for (size_t i = 5; i < PL_COUNT(specs); i++) {
        struct rig r;

        rig_init(&r, &specs[i], 200 + i);
        for (size_t cols = 1; cols < r.cols; cols += r.cols / 3 + 1) {
            const struct forest_rows rows = { .count = 9, .cols = cols, .values = r.cells };
            compare(&r, &rows, r.cells, cols);
        }
        rig_done(&r);
    }
}

struct sparse {
    uint64_t starts[MAX_ROWS + 1];
    uint32_t *columns;
    float *values;
};

/* The cells that are not missing; each row's in an order of its own: ascending, descending, or stirred. */
static void make_sparse(const struct rig *r, struct sparse *s)
{
    size_t n = 0;

    s->columns = calloc(MAX_ROWS * r->cols, sizeof(*s->columns));
    s->values = calloc(MAX_ROWS * r->cols, sizeof(*s->values));
    for (size_t row = 0; row < MAX_ROWS; row++) {
        s->starts[row] = n;
        for (size_t i = 0; i < r->cols; i++) {
            size_t col = row % 3 == 0 ? i : row % 3 == 1 ? r->cols - 1 - i : (i % 2 ? i / 2 : r->cols - 1 - i / 2);
            float value = r->cells[row * r->cols + col];

            if (isnan(value))
                continue;
            s->columns[n] = (uint32_t)col;
            s->values[n++] = value;
        }
    }
    s->starts[MAX_ROWS] = n;
}

static void sparse_rows_are_as_dense_ones(void **state)
{
    (void)state;
    for (size_t i = 5; i < PL_COUNT(specs); i++) {
        struct rig r;
        struct sparse s;

        rig_init(&r, &specs[i], 300 + i);
        make_sparse(&r, &s);
        for (size_t first = 0; first < MAX_ROWS; first += 30) {
            const struct forest_rows rows = { .count = MAX_ROWS - first,
                                              .cols = r.cols,
                                              .values = s.values,
                                              .starts = s.starts + first,
                                              .columns = s.columns };
            compare(&r, &rows, r.cells + first * r.cols, r.cols);
        }
        free(s.columns);
        free(s.values);
        rig_done(&r);
    }
}

static void of_a_column_that_comes_twice_the_last_value_counts(void **state)
{
    static const struct random_spec spec = { .trees = 20, .features = 4, .groups = 1, .splits = 15 };
    static const uint64_t starts[] = { 0, 7 };
    static const uint32_t columns[] = { 2, 0, 2, 1, 9, 3, 2 };
    static const float values[] = { 100, 1, -3, 2, 5, 0.5f, NAN }, dense[] = { 1, 2, -3, 0.5f };
    const struct forest_rows rows = { .count = 1, .cols = 10, .values = values, .starts = starts, .columns = columns };
    struct rig r;

    (void)state;
    rig_init(&r, &spec, 9);
    compare(&r, &rows, dense, 4);
    rig_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_by_any_kernel_and_in_any_number),
        cmocka_unit_test(columns_that_are_not_there_are_missing),
        cmocka_unit_test(sparse_rows_are_as_dense_ones),
        cmocka_unit_test(of_a_column_that_comes_twice_the_last_value_counts),
    };

    return cmocka_run_group_tests_name("forest/predict", tests, NULL, NULL);
}
