/* Documents of versions that no library here can write, and documents that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "compiler/compile.h"
#include "compiler/source.h"
#include "documents.h"
#include "forest/forest.h"

#include <math.h>

static const struct document plain = {
    .version = "[2,0,3]",
    .base_score = "\"5E-1\"",
    .objective = "reg:squarederror",
    .trees = TREE_NUMBERS("0") "," TREE_SETS("1"),
    .groups = "[0,0]",
    .rounds = "[0,1,2]",
};

static enum pl_code compile(const char *bytes, size_t n, struct forest_image *image, struct pl_err *err)
{
    pl_cleanup(source_free_p) struct source *s = NULL;

    if (source_read(&s, bytes, n, true, err) != PL_OK)
        return err->code;
    return forest_compile(s, image, err);
}

/* Of one row, in both formats, which must agree. */
static void predict(const struct document *d, const float row[3], float *out)
{
    size_t n[2];
    char *bytes[2];
    float values[2][8] = { { 0 } };
    const struct forest_rows rows = { .count = 1, .cols = 3, .values = row };

    bytes[0] = document_json(d, &n[0]);
    bytes[1] = document_ubjson(bytes[0], n[0], &n[1]);
    for (int i = 0; i < 2; i++) {
        struct forest_image image;
        struct forest *f = NULL;
        struct pl_err err = { 0 };

        if (compile(bytes[i], n[i], &image, &err) != PL_OK || forest_view(&f, image.bytes, image.n, &err) != PL_OK)
            fail_msg("%s", err.message);
        assert_true(forest_header(f)->groups <= 8);
        assert_int_equal(forest_header(f)->proven, 0);
        assert_int_equal(forest_predict(f, &rows, values[i], &err), PL_OK);
        forest_close(f);
        forest_image_done(&image);
        free(bytes[i]);
    }
    assert_memory_equal(values[0], values[1], sizeof(values[0]));
    memcpy(out, values[0], sizeof(values[0]));
}

#define ASSERT_PREDICTS(document, a, b, c, expected)                                                                   \
    do {                                                                                                               \
        float out_[8];                                                                                                 \
        predict(document, (const float[]){ a, b, c }, out_);                                                           \
        assert_float_equal(out_[0], expected, 0);                                                                      \
    } while (0)

static void each_split_goes_where_the_document_says(void **state)
{
    (void)state;
    ASSERT_PREDICTS(&plain, 1, 0, 0, 0.5f - 1 + 7);
    ASSERT_PREDICTS(&plain, 1.5f, -3, 1, 0.5f + 10 + 5);
    ASSERT_PREDICTS(&plain, 1.5f, -2, 2, 0.5f + 20 + 7);
    ASSERT_PREDICTS(&plain, NAN, NAN, NAN, 0.5f + 10 + 7);
    ASSERT_PREDICTS(&plain, INFINITY, INFINITY, 40, 0.5f + 20 + 5);
    ASSERT_PREDICTS(&plain, -INFINITY, 0, 40.9f, 0.5f - 1 + 5);
    ASSERT_PREDICTS(&plain, 0, 0, 41, 0.5f - 1 + 7);
    ASSERT_PREDICTS(&plain, 0, 0, -1, 0.5f - 1 + 7);
    ASSERT_PREDICTS(&plain, 0, 0, 16777216, 0.5f - 1 + 7);
}

static void base_scores_come_as_a_number_or_as_a_list(void **state)
{
    struct document d = plain;
    float out[8];

    (void)state;
    d.version = "[3,1,0]";
    d.base_score = "\"[2.5E0]\"";
    ASSERT_PREDICTS(&d, 1, 0, 0, 2.5f - 1 + 7);
    d.objective = "multi:softprob";
    d.classes = "2";
    d.groups = "[0,1]";
    d.rounds = "[0,2]";
    d.base_score = "\"[1E0, -2E0]\"";
    predict(&d, (const float[]){ 1, 0, 1 }, out);
    assert_float_equal(out[0], 1 / (1 + expf(3 - 0)), 1e-6f); /* margins 0 and 3 */
    d.base_score = "\"5E-1\"";
    predict(&d, (const float[]){ 1, 0, 1 }, out);
    assert_float_equal(out[0], 1 / (1 + expf(6)), 1e-6f); /* -0.5 and 5.5 */
}

static void weights_stand_with_dart_or_beside_or_inside_the_trees(void **state)
{
    struct document d = plain;

    (void)state;
    d.weights = "[5E-1,2]";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 0.5f + 14);
    d.weights_beside = true;
    d.version = "[3,3,0]";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 0.5f + 14);
    d.weights_beside = false;
    d.weights_inside = true;
    d.version = "[3,4,0]";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 0.5f + 14);
}

static void trees_end_at_the_best_iteration_by_the_documents_own_rounds(void **state)
{
    struct document d = plain;

    (void)state;
    d.best_iteration = "0";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 1);
    d.best_iteration = "1";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 1 + 7);
    d.best_iteration = "77";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 1 + 7);
    d.best_iteration = "none";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 1 + 7);
    d.trees = TREE_LEAF("0", "1") "," TREE_LEAF("1", "2") "," TREE_LEAF("2", "4");
    d.groups = "[0,0,0]";
    d.rounds = "[0,2,3]";
    d.best_iteration = "0";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f + 3);
    d.rounds = NULL;
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f + 1);
}

static void objectives_mean_what_they_meant_in_the_version_that_saved(void **state)
{
    struct document d = plain;
    float out[8];

    (void)state;
    d.objective = "reg:quantileerror";
    d.targets = "2";
    d.groups = "[0,1]";
    d.rounds = "[0,2]";
    d.trees = TREE_LEAF("0", "5") "," TREE_LEAF("1", "3");
    predict(&d, (const float[]){ 0, 0, 0 }, out);
    assert_float_equal(out[0], 5.5f, 0);
    assert_float_equal(out[1], 3.5f, 0);
    d.version = "[3,4,1]";
    predict(&d, (const float[]){ 0, 0, 0 }, out);
    assert_float_equal(out[0], 3.5f, 0);
    assert_float_equal(out[1], 5.5f, 0);

    d = plain;
    d.objective = "binary:logitraw";
    d.base_score = "\"2E-1\"";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.2f - 1 + 7);
    d.version = "[1,2,0]";
    ASSERT_PREDICTS(&d, 1, 0, 0, -logf(1 / 0.2f - 1) - 1 + 7);
}

static void categories_of_data_frames_are_passed_over(void **state)
{
    struct document d = plain;

    (void)state;
    d.version = "[3,1,2]";
    d.more = "\"cats\":{\"enc\":[{\"offsets\":[0,1,2],\"values\":[97,98],\"type\":7}],\"feature_segments\":[0,0,2],"
             "\"sorted_idx\":[0,1]},";
    ASSERT_PREDICTS(&d, 1, 0, 0, 0.5f - 1 + 7);
}

/* ---- refusals ---- */

static void assert_refused(const struct document *d, enum pl_code code, const char *why)
{
    struct forest_image image;
    struct pl_err err = { 0 };
    size_t n;
    char *json = document_json(d, &n);

    assert_int_equal(compile(json, n, &image, &err), code);
    if (!strstr(err.message, why))
        fail_msg("'%s' does not say '%s'", err.message, why);
    free(json);
}

static void what_cannot_be_a_forest_is_refused_with_a_reason(void **state)
{
    struct document d = plain;

    (void)state;
    d.objective = "reg:unheard_of";
    assert_refused(&d, PL_UNIMPLEMENTED, "objective reg:unheard_of is not supported");
    d = plain;
    d.objective = "reg:expectileerror";
    d.targets = "2";
    assert_refused(&d, PL_UNIMPLEMENTED, "with 2 expectiles");
    d = plain;
    d.trees =
        "{\"default_left\":[0],\"left_children\":[-1],\"right_children\":[-1],\"split_conditions\":[0],"
        "\"split_indices\":[0],\"tree_param\":{\"size_leaf_vector\":\"3\"},\"leaf_weights\":[1,2,3]}," TREE_SETS("1");
    assert_refused(&d, PL_UNIMPLEMENTED, "several targets in a leaf");
    d = plain;
    d.classes = "3";
    d.targets = "2";
    assert_refused(&d, PL_UNIMPLEMENTED, "several targets of several classes");
}

static void what_contradicts_itself_is_refused(void **state)
{
    struct document d = plain;

    (void)state;
    d.groups = "[0,1]";
    assert_refused(&d, PL_INVALID, "a tree belongs to no group");
    d.groups = "[0]";
    assert_refused(&d, PL_INVALID, "not every tree has a group");
    d = plain;
    d.weights = "[1]";
    assert_refused(&d, PL_INVALID, "not every tree has a weight");
    d = plain;
    d.base_score = "\"[1,2,3]\"";
    assert_refused(&d, PL_INVALID, "base_score has another length");
    d = plain;
    d.best_iteration = "0";
    d.rounds = "[0,7,9]";
    assert_refused(&d, PL_INVALID, "rounds end after the last tree");
    d = plain;
    d.features = "2";
    assert_refused(&d, PL_INVALID, "asks for feature 2, but the model has 2");
    d = plain;
    d.objective = "binary:logistic";
    d.base_score = "\"7\"";
    assert_refused(&d, PL_INVALID, "base_score 7 is out of the range");
}

#define TREE(left, right, conditions, features, extra)                                                                 \
    "{\"default_left\":[0,0,0],\"id\":0,\"left_children\":" left ",\"right_children\":" right                          \
    ",\"split_conditions\":" conditions ",\"split_indices\":" features extra "}"

static void trees_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *tree, *why;
    } cases[] = {
        { TREE("[1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,0,0]", ""), "differ in length" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0]", "[0,0,0]", ""), "differ in length" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,0,0]", ",\"split_type\":[0]"), "differ in length" },
        { TREE("[3,-1,-1]", "[4,-1,-1]", "[0,0,0]", "[0,0,0]", ""), "leads nowhere" },
        { TREE("[0,-1,-1]", "[1,-1,-1]", "[0,0,0]", "[0,0,0]", ""), "leads nowhere" },
        { TREE("[1,1,-1]", "[2,2,-1]", "[0,0,0]", "[0,0,0]", ""), "two parents" },
        { TREE("[1,-1,-1]", "[1,-1,-1]", "[0,0,0]", "[0,0,0]", ""), "do not follow each other" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[-1,0,0]", ""), "leads nowhere" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,0,0]", ",\"split_type\":[2,0,0]"), "no known type" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,0,0]", ",\"categories_nodes\":[0]"), "differ in length" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,0,0]",
               ",\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[2],\"categories\":[1]"),
          "leads nowhere" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,0,0]",
               ",\"categories_nodes\":[0],\"categories_segments\":[0],\"categories_sizes\":[1],\"categories\":["
               "16777216]"),
          "out of range" },
        { TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,0,0]", ",\"id\":1"), "not in order" },
        { "{}", "differ in length" },
        { "7", "an object is expected" },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct document d = plain;

        d.trees = cases[i].tree;
        d.groups = "[0]";
        d.rounds = NULL;
        assert_refused(&d, strstr(cases[i].why, "follow") ? PL_UNIMPLEMENTED : PL_INVALID, cases[i].why);
    }
}

static void gblinear_has_no_trees(void **state)
{
    static const char json[] =
        "{\"learner\":{\"attributes\":{},\"gradient_booster\":{\"model\":{\"boosted_rounds\":5,\"weights\":[1,2,3,0]},"
        "\"name\":\"gblinear\"},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":"
        "\"3\"},"
        "\"objective\":{\"name\":\"reg:squarederror\"}},\"version\":[1,7,4]}";
    struct forest_image image;
    struct pl_err err = { 0 };

    (void)state;
    assert_int_equal(compile(json, strlen(json), &image, &err), PL_UNIMPLEMENTED);
    assert_string_equal(err.message, "booster gblinear has no trees that could be compiled");
}

/* Every beginning of a document, and every document with a byte less or another, is read to its end or refused. */
static void broken_documents_do_no_harm(void **state)
{
    size_t n[2];
    char *bytes[2];

    (void)state;
    bytes[0] = document_json(&plain, &n[0]);
    bytes[1] = document_ubjson(bytes[0], n[0], &n[1]);
    for (int i = 0; i < 2; i++) {
        for (size_t cut = 0; cut < n[i]; cut++) {
            pl_cleanup(source_free_p) struct source *s = NULL;
            struct pl_err err = { 0 };
            char *copy = malloc(cut ? cut : 1); /* exactly: AddressSanitizer sees a read past the end */

            memcpy(copy, bytes[i], cut);
            assert_int_equal(source_read(&s, copy, cut, true, &err), PL_INVALID);
            free(copy);
        }
        for (size_t at = 0; at < n[i]; at++) {
            struct forest_image image;
            struct pl_err err = { 0 };
            char was = bytes[i][at];

            for (int change = 1; change < 256; change += 37) {
                bytes[i][at] = (char)(was ^ change);
                if (compile(bytes[i], n[i], &image, &err) == PL_OK)
                    forest_image_done(&image);
            }
            bytes[i][at] = was;
        }
        free(bytes[i]);
    }
}

static void an_outline_knows_everything_but_the_trees(void **state)
{
    pl_cleanup(source_free_p) struct source *s = NULL;
    struct document d = plain;
    struct pl_err err = { 0 };
    size_t n;
    char *json;

    (void)state;
    d.version = "[3,4,0]";
    d.base_score = "\"[1]\"";
    d.weights = "[1,1]";
    d.weights_inside = true;
    json = document_json(&d, &n);
    assert_int_equal(source_read(&s, json, n, false, &err), PL_OK);
    assert_null(s->trees);
    assert_int_equal(s->tree_count, 2);
    assert_true(s->base_scores_are_list && s->weights_inside);
    assert_true(source_since(s, 3, 4) && source_since(s, 2, 9) && !source_since(s, 3, 5) && !source_since(s, 4, 0));
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_split_goes_where_the_document_says),
        cmocka_unit_test(base_scores_come_as_a_number_or_as_a_list),
        cmocka_unit_test(weights_stand_with_dart_or_beside_or_inside_the_trees),
        cmocka_unit_test(trees_end_at_the_best_iteration_by_the_documents_own_rounds),
        cmocka_unit_test(objectives_mean_what_they_meant_in_the_version_that_saved),
        cmocka_unit_test(categories_of_data_frames_are_passed_over),
        cmocka_unit_test(what_cannot_be_a_forest_is_refused_with_a_reason),
        cmocka_unit_test(what_contradicts_itself_is_refused),
        cmocka_unit_test(trees_that_are_none_are_refused),
        cmocka_unit_test(gblinear_has_no_trees),
        cmocka_unit_test(broken_documents_do_no_harm),
        cmocka_unit_test(an_outline_knows_everything_but_the_trees),
    };

    return cmocka_run_group_tests_name("compiler/source", tests, NULL, NULL);
}
