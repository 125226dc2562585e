/* Models of every kind, trained here, against XGBoost's own prediction on a DMatrix. */
#include "runner_test.h"

#include "booster.h"
#include "matrix.h"
#include "model.h"

#include <xgboost/c_api.h>

#include <ftw.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 60, COLS = 4 };

struct recipe {
    const char *objective, *booster;
    int classes, rounds;
    float label_shift; /* makes models of one recipe differ */
    const char *best_iteration;
};

struct fixture {
    char dir[64];
    float data[ROWS * COLS];
};

static void check(int code)
{
    if (code != 0)
        fail_msg("%s", XGBGetLastError());
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    strcpy(f->dir, "/tmp/pilotlight-model-XXXXXX");
    for (int i = 0; i < ROWS * COLS; i++)
        f->data[i] = i % 17 == 0 ? NAN : (float)((i * 7919) % 1000) / 100;
    *state = f;
    return mkdtemp(f->dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    (void)nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static float label(const struct recipe *r, const float *row)
{
    float x = r->label_shift;

    for (int i = 0; i < 2; i++)
        x += isnan(row[i]) ? 0 : row[i];
    if (r->classes > 1)
        return (float)((int)x % r->classes);
    return strncmp(r->objective, "binary:", 7) == 0 ? (float)((int)x % 2) : x + 1;
}

static DMatrixHandle matrix_of(const struct fixture *f, const struct recipe *r)
{
    DMatrixHandle d;
    float labels[ROWS];

    check(XGDMatrixCreateFromMat(f->data, ROWS, COLS, NAN, &d));
    for (int i = 0; i < ROWS; i++)
        labels[i] = label(r, f->data + i * COLS);
    check(XGDMatrixSetFloatInfo(d, "label", labels, ROWS));
    return d;
}

/* Trains and saves under 'name' in the fixture's folder; copies its predictions of the training rows. */
static void train(const struct fixture *f, const struct recipe *r, const char *name, float *out_predictions, int end)
{
    const char config[] =
        "{\"type\":0,\"training\":false,\"iteration_begin\":0,\"iteration_end\":%d,\"strict_shape\":false}";
    DMatrixHandle d = matrix_of(f, r);
    BoosterHandle b;
    char text[256];
    const bst_ulong *shape;
    bst_ulong dims, n = 1;
    const float *values;

    check(XGBoosterCreate(&d, 1, &b));
    check(XGBoosterSetParam(b, "nthread", "1"));
    check(XGBoosterSetParam(b, "objective", r->objective));
    check(XGBoosterSetParam(b, "booster", r->booster ? r->booster : "gbtree"));
    check(XGBoosterSetParam(b, "max_depth", "3"));
    check(XGBoosterSetParam(b, "verbosity", "0"));
    if (r->classes) {
        (void)snprintf(text, sizeof(text), "%d", r->classes);
        check(XGBoosterSetParam(b, "num_class", text));
    }
    for (int i = 0; i < r->rounds; i++)
        check(XGBoosterUpdateOneIter(b, i, d));
    if (r->best_iteration)
        check(XGBoosterSetAttr(b, "best_iteration", r->best_iteration));
    (void)snprintf(text, sizeof(text), "%s/%s", f->dir, name);
    check(XGBoosterSaveModel(b, text));
    (void)snprintf(text, sizeof(text), config, end);
    check(XGBoosterPredictFromDMatrix(b, d, text, &shape, &dims, &values));
    for (bst_ulong i = 0; i < dims; i++)
        n *= shape[i];
    memcpy(out_predictions, values, n * sizeof(float));
    XGBoosterFree(b);
    XGDMatrixFree(d);
}

static struct model *open_model(const struct fixture *f, bool ensemble)
{
    struct pl_err err = { 0 };
    struct model *m = NULL;

    if (model_open(&m, f->dir, ensemble, &err) != PL_OK || model_warm(m, &err) != PL_OK)
        fail_msg("%s", err.message);
    return m;
}

static struct matrix dense(const struct fixture *f)
{
    return (struct matrix){ .rows = ROWS, .cols = COLS, .values = (float *)f->data, .count = ROWS * COLS };
}

static void assert_close(const float *values, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fabsf(values[i] - expected[i]) > 1e-5f * (1 + fabsf(expected[i])))
            fail_msg("prediction %zu is %.9g, not %.9g", i, (double)values[i], (double)expected[i]);
}

static struct prediction predict(struct model *m, const struct matrix *rows)
{
    struct pl_err err = { 0 };
    struct prediction p;

    if (model_predict(m, rows, &p, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.rows, rows->rows);
    return p;
}

static void each_objective_predicts_as_xgboost_does(void **state)
{
    static const struct {
        struct recipe recipe;
        unsigned outputs, classes;
        bool list;
        enum output_meaning meaning;
    } cases[] = {
        { { "reg:squarederror", NULL, 0, 5, 0, NULL }, 1, 0, false, MEANING_SCORE },
        { { "reg:squarederror", "dart", 0, 5, 0, NULL }, 1, 0, false, MEANING_SCORE },
        { { "reg:squarederror", "gblinear", 0, 5, 0, NULL }, 1, 0, false, MEANING_SCORE },
        { { "reg:gamma", NULL, 0, 5, 0, NULL }, 1, 0, false, MEANING_SCORE },
        { { "count:poisson", NULL, 0, 5, 0, NULL }, 1, 0, false, MEANING_SCORE },
        { { "rank:pairwise", NULL, 0, 5, 0, NULL }, 1, 0, false, MEANING_SCORE },
        { { "binary:logistic", NULL, 0, 5, 0, NULL }, 1, 2, false, MEANING_PROBABILITY },
        { { "binary:logitraw", NULL, 0, 5, 0, NULL }, 1, 2, false, MEANING_MARGIN },
        { { "binary:hinge", NULL, 0, 5, 0, NULL }, 1, 2, false, MEANING_CLASS },
        { { "multi:softmax", NULL, 3, 5, 0, NULL }, 1, 3, false, MEANING_CLASS },
        { { "multi:softprob", NULL, 3, 5, 0, NULL }, 3, 3, true, MEANING_PROBABILITIES },
    };
    struct fixture *f = *state;
    struct matrix rows = dense(f);
    char library[32];

    booster_version(library, sizeof(library));
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        float expected[ROWS * 3];
        struct model *m;
        struct prediction p;

        train(f, &cases[i].recipe, "m.ubj", expected, 0);
        m = open_model(f, true);
        assert_string_equal(model_facts(m)->version, library);
        assert_string_equal(model_facts(m)->objective, cases[i].recipe.objective);
        assert_int_equal(model_facts(m)->features, COLS);
        assert_int_equal(model_facts(m)->outputs, cases[i].outputs);
        assert_int_equal(model_facts(m)->files, 1);
        p = predict(m, &rows);
        assert_int_equal(p.outputs, cases[i].outputs);
        assert_int_equal(p.classes, cases[i].classes);
        assert_int_equal(p.list, cases[i].list);
        assert_int_equal(p.meaning, cases[i].meaning);
        assert_close(p.values, expected, ROWS * p.outputs);
        model_close(m);
    }
}

/* Format is told by content: the same model as JSON, UBJSON and binary, whatever the file is called. */
static void each_file_format_loads(void **state)
{
    static const char *const saved[] = { "m.json", "m.ubj", "m.deprecated" };
    struct fixture *f = *state;
    struct recipe r = { "reg:squarederror", NULL, 0, 5, 0, NULL };
    struct matrix rows = dense(f);

    for (size_t i = 0; i < PL_COUNT(saved); i++) {
        char from[128], to[128];
        float expected[ROWS];
        struct model *m;

        train(f, &r, saved[i], expected, 0);
        (void)snprintf(from, sizeof(from), "%s/%s", f->dir, saved[i]);
        (void)snprintf(to, sizeof(to), "%s/model.json", f->dir);
        assert_int_equal(rename(from, to), 0);
        m = open_model(f, true);
        assert_close(predict(m, &rows).values, expected, ROWS);
        model_close(m);
    }
}

static void best_iteration_is_where_predictions_stop(void **state)
{
    struct fixture *f = *state;
    struct recipe r = { "reg:squarederror", NULL, 0, 8, 0, "2" };
    struct matrix rows = dense(f);
    float expected[ROWS];
    struct model *m;

    train(f, &r, "m.ubj", expected, 3);
    m = open_model(f, true);
    assert_close(predict(m, &rows).values, expected, ROWS);
    model_close(m);
    r.best_iteration = "99";
    train(f, &r, "m.ubj", expected, 0);
    m = open_model(f, true);
    assert_close(predict(m, &rows).values, expected, ROWS);
    model_close(m);
}

static void absent_columns_are_missing_and_surplus_ones_refused(void **state)
{
    struct fixture *f = *state;
    struct recipe r = { "reg:squarederror", NULL, 0, 5, 0, NULL };
    float expected[ROWS], short_rows[ROWS * 2], full_rows[ROWS * COLS], first[ROWS];
    struct matrix two = { .rows = ROWS, .cols = 2, .values = short_rows, .count = ROWS * 2 };
    struct matrix full = { .rows = ROWS, .cols = COLS, .values = full_rows, .count = ROWS * COLS };
    struct matrix five = { .rows = 1, .cols = 5, .values = full_rows, .count = 5 };
    struct pl_err err = { 0 };
    struct prediction p;
    struct model *m;

    train(f, &r, "m.ubj", expected, 0);
    m = open_model(f, true);
    for (int i = 0; i < ROWS; i++) {
        memcpy(short_rows + 2 * i, f->data + COLS * i, 2 * sizeof(float));
        memcpy(full_rows + COLS * i, f->data + COLS * i, 2 * sizeof(float));
        full_rows[COLS * i + 2] = full_rows[COLS * i + 3] = NAN;
    }
    p = predict(m, &two);
    memcpy(first, p.values, sizeof(first));
    assert_memory_equal(predict(m, &full).values, first, sizeof(first));
    assert_refused(model_predict(m, &five, &p, &err), &err, 400,
                   "Unable to evaluate payload provided: the rows have 5 columns, but the model has 4 features");
    model_close(m);
}

static void sparse_rows_predict_like_dense_ones(void **state)
{
    static const char *const boosters[] = { "gbtree", "gblinear" };
    struct fixture *f = *state;

    for (size_t i = 0; i < PL_COUNT(boosters); i++) {
        struct recipe r = { "reg:squarederror", boosters[i], 0, 5, 0, NULL };
        float expected[ROWS];
        struct matrix sparse = { 0 };
        struct pl_err err = { 0 };
        struct model *m;

        train(f, &r, "m.ubj", expected, 0);
        m = open_model(f, true);
        matrix_clear(&sparse, true);
        for (int row = 0; row < ROWS; row++) {
            for (uint32_t col = 0; col < COLS; col++)
                if (!isnan(f->data[row * COLS + (int)col]))
                    assert_int_equal(matrix_add_sparse(&sparse, col, f->data[row * COLS + (int)col], &err), PL_OK);
            assert_int_equal(matrix_end_row(&sparse, &err), PL_OK);
        }
        assert_close(predict(m, &sparse).values, expected, ROWS);
        matrix_done(&sparse);
        model_close(m);
    }
}

static void an_ensemble_is_the_mean(void **state)
{
    struct fixture *f = *state;
    struct recipe a = { "reg:squarederror", NULL, 0, 5, 0, NULL }, b = { "reg:squarederror", NULL, 0, 5, 40, NULL };
    struct matrix rows = dense(f);
    float first[ROWS], second[ROWS], mean[ROWS];
    struct model *m;

    train(f, &a, "a.ubj", first, 0);
    train(f, &b, "b.ubj", second, 0);
    for (int i = 0; i < ROWS; i++)
        mean[i] = (first[i] + second[i]) / 2;
    m = open_model(f, true);
    assert_int_equal(model_facts(m)->files, 2);
    assert_close(predict(m, &rows).values, mean, ROWS);
    model_close(m);
    m = open_model(f, false);
    assert_int_equal(model_facts(m)->files, 1);
    assert_close(predict(m, &rows).values, first, ROWS);
    model_close(m);
}

static void an_ensemble_of_classes_votes(void **state)
{
    struct fixture *f = *state;
    struct recipe r = { "multi:softmax", NULL, 5, 3, 0, NULL };
    struct matrix rows = dense(f);
    float votes[3][ROWS];
    struct prediction p;
    struct model *m;

    for (int i = 0; i < 3; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%d.ubj", i);
        r.label_shift = (float)i;
        train(f, &r, name, votes[i], 0);
    }
    m = open_model(f, true);
    p = predict(m, &rows);
    for (int i = 0; i < ROWS; i++) {
        float a = votes[0][i], b = votes[1][i], c = votes[2][i], least = fminf(a, fminf(b, c));
        float winner = a == b || a == c ? a : b == c ? b : least;

        assert_true(p.values[i] == winner);
    }
    model_close(m);
}

/* So many rows that they are predicted in pieces. */
static void many_rows_are_predicted_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct recipe r = { "multi:softprob", NULL, 3, 2, 0, NULL };
    size_t copies = 6000, count = copies * ROWS;
    float expected[ROWS * 3], *values = malloc(count * COLS * sizeof(float));
    struct matrix rows = { .rows = count, .cols = COLS, .values = values, .count = count * COLS };
    struct prediction p;
    struct model *m;

    assert_non_null(values);
    for (size_t i = 0; i < copies; i++)
        memcpy(values + i * ROWS * COLS, f->data, sizeof(f->data));
    train(f, &r, "m.ubj", expected, 0);
    m = open_model(f, true);
    p = predict(m, &rows);
    for (size_t i = 0; i < copies; i += 99)
        assert_close(p.values + i * ROWS * 3, expected, ROWS * 3);
    assert_close(p.values + (copies - 1) * ROWS * 3, expected, ROWS * 3);
    model_close(m);
    free(values);
}

static void put_file(const struct fixture *f, const char *name, const void *bytes, size_t n)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void what_is_no_model_says_why(void **state)
{
    static const struct {
        const char *bytes, *message;
    } cases[] = {
        { "", "Unable to load model: m: the file is empty" },
        { "garbage",
          "Unable to load model: m: is not an XGBoost model (neither JSON, UBJSON nor XGBoost's binary format)" },
        { "\x80\x04\x95", "Unable to load model: m: is a Python pickle; save it with Booster.save_model" },
        { "ccopy_reg\n_reconstructor\n",
          "Unable to load model: m: is a Python pickle; save it with Booster.save_model" },
        { "{\"foo\": 1}", "Unable to load model: m: XGBoost cannot read it: Invalid cast, from Null to Object" },
    };
    struct fixture *f = *state;
    struct pl_err err = { 0 };
    struct model *m = NULL;

    assert_refused(model_open(&m, f->dir, true, &err), &err, 500,
                   "Unable to load model: there is no model file in the top level of the artifact");
    put_file(f, ".hidden", "x", 1);
    assert_refused(model_open(&m, f->dir, true, &err), &err, 500,
                   "Unable to load model: there is no model file in the top level of the artifact");
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        put_file(f, "m", cases[i].bytes, strlen(cases[i].bytes));
        assert_refused(model_open(&m, f->dir, true, &err), &err, 500, cases[i].message);
    }
    assert_refused(model_open(&m, "/nonexistent", true, &err), &err, 500,
                   "Unable to load model: cannot open the model directory: No such file or directory");
}

/* A good model cut anywhere is refused by XGBoost, and its words reach the caller without a stack trace. */
static void a_truncated_model_is_refused(void **state)
{
    struct fixture *f = *state;
    struct recipe r = { "reg:squarederror", NULL, 0, 5, 0, NULL };
    float expected[ROWS];
    char path[128], *whole;
    size_t n;

    train(f, &r, "m.json", expected, 0);
    (void)snprintf(path, sizeof(path), "%s/m.json", f->dir);
    whole = read_whole(path, &n);
    for (size_t cut = 3; cut < n; cut += n / 13) {
        struct pl_err err = { 0 };
        struct model *m = NULL;

        put_file(f, "m.json", whole, cut);
        assert_int_equal(model_open(&m, f->dir, true, &err), PL_MODEL);
        assert_int_equal(err.model_status, 500);
        assert_non_null(strstr(err.message, "Unable to load model: m.json: XGBoost cannot read it: "));
        assert_null(strstr(err.message, "Stack trace"));
        assert_null(strchr(err.message, '\n'));
    }
    free(whole);
}

static void files_of_an_ensemble_must_agree(void **state)
{
    struct fixture *f = *state;
    struct recipe a = { "reg:squarederror", NULL, 0, 2, 0, NULL }, b = { "binary:logistic", NULL, 0, 2, 0, NULL };
    float expected[ROWS];
    struct pl_err err = { 0 };
    struct model *m = NULL;

    train(f, &a, "a.ubj", expected, 0);
    train(f, &b, "b.ubj", expected, 0);
    assert_refused(
        model_open(&m, f->dir, true, &err), &err, 500,
        "Unable to load model: files of one ensemble differ in objective: reg:squarederror and binary:logistic");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_objective_predicts_as_xgboost_does),
        TEST(each_file_format_loads),
        TEST(best_iteration_is_where_predictions_stop),
        TEST(absent_columns_are_missing_and_surplus_ones_refused),
        TEST(sparse_rows_predict_like_dense_ones),
        TEST(an_ensemble_is_the_mean),
        TEST(an_ensemble_of_classes_votes),
        TEST(many_rows_are_predicted_in_pieces),
        TEST(what_is_no_model_says_why),
        TEST(a_truncated_model_is_refused),
        TEST(files_of_an_ensemble_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
