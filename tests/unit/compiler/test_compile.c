/* Models of every kind, compiled, against what XGBoost predicts with them. Equal means equal: every bit of every sum.
 */
#include "trained.h"

#include "compiler/compile.h"
#include "compiler/source.h"
#include "forest/forest.h"

#define ROWS 300

/* clang-format off */
static const struct recipe recipes[] = {
    { "reg:squarederror", { { "max_depth", "6" } }, 20, 6 },
    { "reg:squarederror", { { "max_depth", "6" }, { "base_score", "-3.7" } }, 20, 6, .missing = 0.2f },
    { "reg:squarederror", { { "max_depth", "1" } }, 3, 2 },
    { "reg:squarederror", { { "max_depth", "0" }, { "grow_policy", "lossguide" }, { "tree_method", "hist" }, { "max_leaves", "200" } }, 5, 6, .missing = 0.1f },
    { "reg:squarederror", { { "tree_method", "exact" }, { "max_depth", "14" }, { "min_child_weight", "0" } }, 7, 3, .missing = 0.1f },
    { "reg:squaredlogerror", { { "max_depth", "4" } }, 10, 5, .classes = 1 },
    { "reg:pseudohubererror", { { "max_depth", "4" } }, 10, 5 },
    { "reg:absoluteerror", { { "max_depth", "4" }, { "tree_method", "hist" } }, 10, 5 },
    { "reg:logistic", { { "max_depth", "4" }, { "base_score", "0.2" } }, 10, 5, .classes = 2 },
    { "reg:gamma", { { "max_depth", "4" } }, 10, 5, .classes = 1 },
    { "reg:tweedie", { { "max_depth", "4" }, { "base_score", "1.5" } }, 10, 5, .classes = 1 },
    { "count:poisson", { { "max_depth", "4" } }, 10, 5, .classes = 1 },
    { "binary:logistic", { { "max_depth", "5" } }, 30, 5, .classes = 2, .missing = 0.3f },
    { "binary:logitraw", { { "max_depth", "5" }, { "base_score", "0.3" } }, 10, 5, .classes = 2 },
    { "binary:hinge", { { "max_depth", "5" } }, 10, 5, .classes = 2 },
    { "multi:softmax", { { "max_depth", "4" } }, 9, 5, .classes = 4 },
    { "multi:softprob", { { "max_depth", "4" }, { "num_parallel_tree", "3" }, { "subsample", "0.7" } }, 9, 5, .classes = 5, .missing = 0.1f },
    { "rank:pairwise", { { "max_depth", "4" } }, 10, 5, .classes = 3 },
    { "rank:ndcg", { { "max_depth", "4" } }, 10, 5, .classes = 3 },
    { "rank:map", { { "max_depth", "4" } }, 10, 5, .classes = 2 },
    { "survival:cox", { { "max_depth", "4" } }, 10, 5, .classes = 1 },
    { "survival:aft", { { "max_depth", "4" }, { "base_score", "2" } }, 10, 5, .classes = 1 },
    { "reg:squarederror", { { "max_depth", "5" }, { "tree_method", "hist" } }, 8, 5, .targets = 3 },
    { "reg:squarederror", { { "booster", "dart" }, { "rate_drop", "0.4" }, { "max_depth", "4" } }, 20, 5, .missing = 0.1f },
    { "multi:softprob", { { "booster", "dart" }, { "rate_drop", "0.3" }, { "normalize_type", "forest" } }, 8, 5, .classes = 3 },
    { "reg:squarederror", { { "num_parallel_tree", "7" }, { "subsample", "0.5" }, { "max_depth", "5" } }, 4, 5, .best_iteration = "1" },
    { "multi:softprob", { { "max_depth", "3" } }, 12, 5, .classes = 3, .best_iteration = "4" },
    { "reg:squarederror", { { "max_depth", "3" } }, 6, 5, .best_iteration = "5" },
    { "reg:squarederror", { { "tree_method", "hist" }, { "max_cat_to_onehot", "100" }, { "max_depth", "6" } }, 12, 5, .categories = true, .missing = 0.15f },
    { "reg:squarederror", { { "tree_method", "hist" }, { "max_cat_to_onehot", "1" }, { "max_depth", "6" } }, 12, 5, .categories = true, .missing = 0.15f },
    { "multi:softprob", { { "tree_method", "approx" }, { "max_cat_to_onehot", "1" }, { "max_depth", "12" } }, 5, 4, .classes = 3, .categories = true },
};
/* clang-format on */

static void compile(const char *bytes, size_t n, struct forest_image *image)
{
    struct pl_err err = { 0 };
    pl_cleanup(source_free_p) struct source *s = NULL;

    if (source_read(&s, bytes, n, true, &err) != PL_OK || forest_compile(s, image, &err) != PL_OK)
        fail_msg("%s", err.message);
}

static struct forest *view(const struct forest_image *image)
{
    struct pl_err err = { 0 };
    struct forest *f = NULL;

    if (forest_view(&f, image->bytes, image->n, &err) != PL_OK)
        fail_msg("%s", err.message);
    return f;
}

/* Cells of the training, and odd ones: categories that no set knows, halves of them, infinities, the smallest numbers.
 */
static float *test_cells(const struct recipe *r, uint64_t seed)
{
    static const float odd[] = { -1,       -0.5f, 0.5f,  3.9f,   40,      1000, 16777215,
                                 16777216, 3e9f,  -0.0f, 1e-45f, -1e-45f, 3e38f };
    float *cells = trained_cells(r, ROWS, seed);

    for (int i = 0; i < ROWS * r->columns; i++)
        if (trained_random(&seed) % 16 == 0)
            cells[i] = odd[trained_random(&seed) % PL_COUNT(odd)];
    return cells;
}

/* Bit by bit; a NaN is a NaN. */
static void assert_same(const struct recipe *r, const char *what, const float *ours, const float *theirs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&ours[i], &theirs[i], sizeof(float)) != 0)
            fail_msg("%s %s: value %zu is %.9g, not %.9g", r->objective, what, i, (double)ours[i], (double)theirs[i]);
}

static void compare(const struct trained *t, struct forest *f, const float *cells, const char *what)
{
    const struct forest_rows rows = { .count = ROWS, .cols = (size_t)t->recipe->columns, .values = cells };
    const struct forest_header *h = forest_header(f);
    float *ours = calloc(ROWS * (size_t)h->groups, sizeof(*ours));
    struct pl_err err = { 0 };
    const float *theirs;
    size_t n;

    assert_non_null(ours);
    trained_predict(t, cells, ROWS, true, &theirs, &n);
    assert_int_equal(n, ROWS * h->groups);
    assert_int_equal(forest_margins(f, &rows, ours, &err), PL_OK);
    assert_same(t->recipe, what, ours, theirs, n);
    trained_predict(t, cells, ROWS, false, &theirs, &n);
    assert_int_equal(n, ROWS * h->outputs);
    assert_int_equal(forest_predict(f, &rows, ours, &err), PL_OK);
    assert_same(t->recipe, what, ours, theirs, n);
    free(ours);
}

static void one_recipe(const struct recipe *r, uint64_t seed)
{
    static const char *const formats[] = { "json", "ubj", "deprecated" };
    struct trained t;
    float *cells;

    trained_make(&t, r, seed);
    cells = test_cells(r, seed + 1);
    for (size_t i = 0; i < 2; i++) {
        struct forest_image image;
        struct forest *f;
        size_t n;
        char *bytes = trained_save(&t, formats[i], &n);

        compile(bytes, n, &image);
        f = view(&image);
        compare(&t, f, cells, formats[i]);
        assert_true(forest_use_kernel(f, "x86-64"));
        compare(&t, f, cells, "x86-64");
        forest_close(f);
        forest_image_done(&image);
        free(bytes);
    }
    free(cells);
    trained_done(&t);
}

static void every_kind_of_model_predicts_as_xgboost_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(recipes); i++)
        one_recipe(&recipes[i], 1000 + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_model_predicts_as_xgboost_does),
    };

    return cmocka_run_group_tests_name("compiler/compile", tests, NULL, NULL);
}
