/* Who may enter, and which variant serves it. */
#include "core_rig.h"

static void says_what_does_not_exist(void **state)
{
    struct core_variant_spec v = variant("main");
    struct core *c = new_core();
    struct core_request q;

    (void)state;
    assert_int_equal(core_admit(c, &q, "fraud", "", 0, &err), PL_NOT_FOUND);
    assert_string_equal(err.field, "endpoint_name");
    assert_string_equal(err.message, "endpoint \"fraud\" does not exist or is not in service");
    serve(c, "fraud", 1, &v, 1);
    assert_int_equal(core_admit(c, &q, "fraud", "other", 0, &err), PL_NOT_FOUND);
    assert_string_equal(err.field, "target_variant");
    assert_string_equal(err.message, "endpoint \"fraud\" has no variant \"other\"");
    core_endpoint_remove(c, "fraud", 0);
    assert_int_equal(core_admit(c, &q, "fraud", "", 0, &err), PL_NOT_FOUND);
    assert_null(q.variant);
    core_free(c);
}

static void the_limit_counts_old_generations_too(void **state)
{
    struct core_variant_spec v = variant("main");
    struct core_request q[3];
    struct core *c = new_core();

    (void)state;
    v.max_concurrency = 2;
    serve(c, "fraud", 1, &v, 1);
    admit(c, &q[0], "fraud", 0);
    serve(c, "fraud", 2, &v, 1);
    admit(c, &q[1], "fraud", 0);
    assert_ptr_not_equal(q[0].variant, q[1].variant);
    assert_int_equal(core_admit(c, &q[2], "fraud", "main", 0, &err), PL_EXHAUSTED);
    assert_string_equal(err.reason, "MAX_CONCURRENCY");
    assert_string_equal(err.message,
                        "endpoint \"fraud\", variant \"main\": 2 requests are in flight, its max_concurrency is 2");
    assert_true(err.retry_after_ms > 0);
    assert_int_equal(q[2].variant->tally->throttled, 1); /* whose it was is told, for the books */
    (void)core_cancel(c, &q[0], 0);
    admit(c, &q[2], "fraud", 0);
    core_free(c);
}

static unsigned share(const double *weights, size_t count, unsigned which)
{
    static const char *const names[] = { "a", "b", "c" };
    struct core_variant_spec v[3];
    struct core *c = new_core();
    struct core_request q[1000];
    unsigned n = 0;

    for (size_t i = 0; i < count; i++) {
        v[i] = variant(names[i]);
        v[i].weight = weights[i];
        v[i].max_concurrency = 1000;
    }
    serve(c, "fraud", 1, v, count);
    for (size_t i = 0; i < 1000; i++) {
        admit(c, &q[i], "fraud", 0);
        n += strcmp(q[i].variant->name, names[which]) == 0;
    }
    core_free(c);
    return n;
}

static void weights_share(void **state)
{
    (void)state;
    assert_in_range(share((double[]){ 3, 1 }, 2, 0), 700, 800);
    assert_in_range(share((double[]){ 3, 1 }, 2, 1), 200, 300);
    assert_int_equal(share((double[]){ 1, 0, 1 }, 3, 1), 0);
    assert_in_range(share((double[]){ 0, 0, 0 }, 3, 1), 280, 390); /* none has any: all alike */
    assert_int_equal(share((double[]){ 0 }, 1, 0), 1000);
    assert_in_range(share((double[]){ 0.1, 0.3 }, 2, 1), 700, 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_does_not_exist),
        cmocka_unit_test(the_limit_counts_old_generations_too),
        cmocka_unit_test(weights_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
