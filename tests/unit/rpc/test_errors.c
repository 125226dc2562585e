#include "rig.h"

#include <stdlib.h>
#include <string.h>

static struct pl_err fail_with(struct rig *g, struct pl_err e)
{
    struct pl_err got = { 0 };
    struct rpc_bytes *reply = NULL;
    rig_enter(g);
    g->failure = e;
    rig_leave(g);
    assert_int_equal(rig_call(g, FAIL, "", 0, &reply, &got), e.code);
    assert_null(reply);
    return got;
}

static void test_every_code_and_detail_comes_back(void **state)
{
    for (int code = PL_CANCELLED; code < PL_CODE_COUNT; code++) {
        struct pl_err e = { .code = (enum pl_code)code,
                            .field = "variants[0].memory_size_mb",
                            .reason = "BECAUSE",
                            .message = "100 % of \xc3\xbc: 7000 MB, larger than 6144 MB\nand a second line",
                            .retry_after_ms = 1500 };
        e.model_status = code == PL_MODEL ? 415 : 0;
        struct pl_err got = fail_with(*state, e);
        assert_string_equal(got.field, e.field);
        assert_string_equal(got.reason, e.reason);
        assert_string_equal(got.message, e.message);
        assert_int_equal(got.retry_after_ms, e.retry_after_ms);
        assert_int_equal(got.model_status, e.model_status);
    }
}

static void test_what_was_empty_stays_empty(void **state)
{
    for (int code = PL_CANCELLED; code < PL_MODEL; code++) {
        struct pl_err got = fail_with(*state, (struct pl_err){ .code = (enum pl_code)code, .message = "m" });
        assert_string_equal(got.field, "");
        assert_string_equal(got.reason, "");
        assert_int_equal(got.retry_after_ms, 0);
    }
}

static void test_model_errors(void **state)
{
    static const int statuses[] = { 0, 400, 415, 499, 500, 503 };
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct pl_err e = { .code = PL_MODEL, .message = "the model said no", .model_status = statuses[i] };
        struct pl_err got = fail_with(*state, e);
        assert_int_equal(got.model_status, statuses[i]);
        assert_string_equal(got.reason, "MODEL_ERROR");
    }
}

static void test_longest_error_fits(void **state)
{
    struct pl_err e = { .code = PL_INVALID };
    memset(e.message, '%', sizeof(e.message) - 1);
    memset(e.field, 'f', sizeof(e.field) - 1);
    memset(e.reason, 'R', sizeof(e.reason) - 1);
    struct pl_err got = fail_with(*state, e);
    assert_string_equal(got.message, e.message);
    assert_string_equal(got.field, e.field);
    assert_string_equal(got.reason, e.reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_and_detail_comes_back),
        cmocka_unit_test(test_what_was_empty_stays_empty),
        cmocka_unit_test(test_model_errors),
        cmocka_unit_test(test_longest_error_fits),
    };
    int failed = cmocka_run_group_tests_name("gRPC", tests, rig_fixture_up, rig_fixture_down);
    return failed + cmocka_run_group_tests_name("local", tests, rig_fixture_up_local, rig_fixture_down);
}
