/* Proofs: rows reach every leaf that can be reached, and a forest that is not its model's is found out. */
#include "trained.h"

#include "compiler/compile.h"
#include "compiler/prove.h"
#include "compiler/source.h"
#include "forest/check.h"
#include "forest/forest.h"
#include "forest/ordinal.h"
#include "forest/view.h"

/* clang-format off */
static const struct recipe recipes[] = {
    { "reg:squarederror", { { "max_depth", "6" } }, 20, 6, .missing = 0.2f },
    { "multi:softprob", { { "max_depth", "5" } }, 8, 5, .classes = 3, .missing = 0.1f },
    { "binary:logistic", { { "booster", "dart" }, { "rate_drop", "0.3" }, { "max_depth", "5" } }, 12, 5, .classes = 2 },
    { "reg:squarederror", { { "tree_method", "hist" }, { "max_cat_to_onehot", "1" }, { "max_depth", "6" } }, 12, 5, .categories = true, .missing = 0.15f },
};
/* clang-format on */

static enum pl_code ask(void *arg, const float *rows, size_t count, bool margins, const float **out_values,
                        size_t *out_width, bool *out_list, struct pl_err *err)
{
    const struct trained *t = arg;
    size_t n;

    (void)err;
    trained_predict(t, rows, count, margins, out_values, &n);
    *out_width = n / count;
    *out_list = *out_width > 1;
    return PL_OK;
}

static void compile(const struct trained *t, struct forest_image *image)
{
    pl_cleanup(source_free_p) struct source *s = NULL;
    struct pl_err err = { 0 };
    size_t n;
    char *bytes = trained_save(t, "ubj", &n);

    if (source_read(&s, bytes, n, true, &err) != PL_OK || forest_compile(s, image, &err) != PL_OK)
        fail_msg("%s", err.message);
    free(bytes);
}

static void every_leaf_is_reached(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(recipes); i++) {
        struct forest_image image;
        const struct forest_header *h;
        struct forest_view view;
        struct pl_err err = { 0 };
        struct trained t;

        trained_make(&t, &recipes[i], 77 + i);
        compile(&t, &image);
        if (forest_prove(&image, ask, &t, &err) != PL_OK)
            fail_msg("%s", err.message);
        h = image.bytes;
        assert_int_equal(h->proven, 1);
        assert_true(h->leaves > 20);
        /* A leaf below two contradicting splits cannot be reached by any row: there may be few of those. */
        assert_true(h->leaves_reached >= h->leaves - h->leaves / 100);
        assert_int_equal(forest_check(image.bytes, image.n, &view, &err), PL_OK);
        forest_image_done(&image);
        trained_done(&t);
    }
}

static uint32_t slot_of(const struct forest_header *h, const struct forest_node *node)
{
    return node->next & ((UINT32_C(1) << h->slot_bits) - 1);
}

/* What a compiler with a fault might do to one node. */
typedef void fault_fn(const struct forest_view *v, struct forest_node *node, uint32_t *absent);

static void threshold_one_step_up(const struct forest_view *v, struct forest_node *node, uint32_t *absent)
{
    (void)v, (void)absent;
    node->threshold++;
}

/* Between 0 and the number below it is the ordinal of -0, which no row has. */
static void threshold_one_step_down(const struct forest_view *v, struct forest_node *node, uint32_t *absent)
{
    (void)v, (void)absent;
    node->threshold -= node->threshold == forest_ordinal(0) ? 2 : 1;
}

static void missing_the_other_way(const struct forest_view *v, struct forest_node *node, uint32_t *absent)
{
    uint32_t *slot = &absent[slot_of(v->header, node)];

    *slot = *slot == FOREST_LEFT ? FOREST_RIGHT : FOREST_LEFT;
}

static void children_are_leaves_of_each_other(const struct forest_view *v, struct forest_node *node, uint32_t *absent)
{
    uint32_t right = (uint32_t)(node - v->nodes) + (node->next >> v->header->slot_bits);
    struct forest_node *nodes = (struct forest_node *)(uintptr_t)v->nodes, kept = nodes[right];
    bool leaves = slot_of(v->header, &kept) == 0 && slot_of(v->header, &nodes[right - 1]) == 0;

    (void)absent;
    if (leaves) {
        nodes[right] = nodes[right - 1];
        nodes[right - 1] = kept;
    } else {
        node->threshold++;
    }
}

static void a_fault_anywhere_is_found(void **state)
{
    static fault_fn *const faults[] = { threshold_one_step_up, threshold_one_step_down, missing_the_other_way,
                                        children_are_leaves_of_each_other };
    struct forest_image image;
    struct trained t;
    uint32_t tried = 0;

    (void)state;
    trained_make(&t, &recipes[0], 5);
    compile(&t, &image);
    for (uint32_t k = 0; k < ((struct forest_header *)image.bytes)->nodes; k += 13) {
        char *copy =
            aligned_alloc(FOREST_ALIGNMENT, (image.n + FOREST_ALIGNMENT - 1) / FOREST_ALIGNMENT * FOREST_ALIGNMENT);
        struct forest_image faulty = { .bytes = copy, .n = image.n };
        struct forest_view v;
        struct pl_err err = { 0 };

        assert_non_null(copy);
        memcpy(copy, image.bytes, image.n);
        assert_int_equal(forest_check(copy, faulty.n, &v, &err), PL_OK);
        if (slot_of(v.header, &v.nodes[k]) > 0) {
            faults[tried++ % PL_COUNT(faults)](&v, (struct forest_node *)(uintptr_t)&v.nodes[k],
                                               (uint32_t *)(uintptr_t)v.absent);
            forest_image_seal(&faulty);
            if (forest_prove(&faulty, ask, &t, &err) != PL_PRECONDITION)
                fail_msg("fault %u in node %u was not found", tried, k);
            assert_non_null(strstr(err.message, "where XGBoost's is"));
            assert_int_equal(v.header->proven, 0);
        }
        forest_image_done(&faulty);
    }
    assert_true(tried > 20);
    forest_image_done(&image);
    trained_done(&t);
}

static enum pl_code ask_other_shape(void *arg, const float *rows, size_t count, bool margins, const float **out_values,
                                    size_t *out_width, bool *out_list, struct pl_err *err)
{
    enum pl_code code = ask(arg, rows, count, margins, out_values, out_width, out_list, err);

    *out_list = !*out_list;
    return code;
}

static enum pl_code fail_to_answer(void *arg, const float *rows, size_t count, bool margins, const float **out_values,
                                   size_t *out_width, bool *out_list, struct pl_err *err)
{
    (void)arg, (void)rows, (void)count, (void)margins, (void)out_values, (void)out_width, (void)out_list;
    return pl_fail(err, PL_MODEL, NULL, "no answer today");
}

static void shapes_count_and_a_silent_reference_proves_nothing(void **state)
{
    struct forest_image image;
    struct pl_err err = { 0 };
    struct trained t;

    (void)state;
    trained_make(&t, &recipes[0], 6);
    compile(&t, &image);
    assert_int_equal(forest_prove(&image, ask_other_shape, &t, &err), PL_PRECONDITION);
    assert_int_equal(forest_prove(&image, fail_to_answer, &t, &err), PL_MODEL);
    assert_string_equal(err.message, "no answer today");
    assert_int_equal(((struct forest_header *)image.bytes)->proven, 0);
    forest_image_done(&image);
    trained_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_leaf_is_reached),
        cmocka_unit_test(a_fault_anywhere_is_found),
        cmocka_unit_test(shapes_count_and_a_silent_reference_proves_nothing),
    };

    return cmocka_run_group_tests_name("compiler/prove", tests, NULL, NULL);
}
