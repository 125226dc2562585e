#include "rig.h"

#include <stdlib.h>
#include <string.h>

static void test_messages_in_order_then_ok(void **state)
{
    static const char *const counts[] = { "0", "1", "500" };
    for (size_t i = 0; i < 3; i++) {
        struct result r;
        rig_open(*state, COUNT, counts[i], &r);
        wait_event(&r.over);
        assert_int_equal(r.status.code, PL_OK);
        assert_int_equal(r.messages, atoi(counts[i]));
        assert_int_equal(r.last, atoi(counts[i]));
        result_done(&r);
    }
}

static void test_slow_reader_is_told_so(void **state)
{
    struct rig *g = *state;
    struct result r;
    rig_open(g, FLOOD, "", &r);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_EXHAUSTED);
    assert_non_null(strstr(r.status.message, "too slow"));
    rig_enter(g);
    assert_in_range(g->flood_sent, 31, 40);
    rig_leave(g);
    assert_true(r.messages < g->flood_sent);
    result_done(&r);
}

static void test_client_cancels(void **state)
{
    struct rig *g = *state;
    struct result r;
    struct pl_err err;
    struct rpc_request *q = rig_open(g, WATCH, "", &r);
    wait_event(&r.message);
    wait_event(&g->held_event);
    rig_enter(g);
    rpc_cancel(q);
    rig_leave(g);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_CANCELLED);
    wait_event(&g->cancelled_event);
    rig_enter(g);
    (void)pl_fail(&err, PL_CANCELLED, NULL, "cancelled");
    rpc_fail(g->held, &err);
    rig_leave(g);
    result_done(&r);
}

static void test_server_ends_with_details(void **state)
{
    struct rig *g = *state;
    struct result r;
    struct pl_err err;
    rig_open(g, WATCH, "", &r);
    wait_event(&g->held_event);
    rig_enter(g);
    (void)pl_fail_reason(&err, PL_ABORTED, "MOVED", "shard", "look elsewhere");
    rpc_fail(g->held, &err);
    rig_leave(g);
    wait_event(&r.over);
    assert_int_equal(r.messages, 1);
    assert_int_equal(r.status.code, PL_ABORTED);
    assert_string_equal(r.status.reason, "MOVED");
    assert_string_equal(r.status.field, "shard");
    result_done(&r);
}

static void test_unknown_stream(void **state)
{
    struct result r;
    rig_open(*state, "/test.Rig/Nothing", "", &r);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_UNIMPLEMENTED);
    assert_int_equal(r.messages, 0);
    result_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages_in_order_then_ok, rig_fixture_up, rig_fixture_down),
        cmocka_unit_test_setup_teardown(test_slow_reader_is_told_so, rig_fixture_up, rig_fixture_down),
        cmocka_unit_test_setup_teardown(test_client_cancels, rig_fixture_up, rig_fixture_down),
        cmocka_unit_test_setup_teardown(test_server_ends_with_details, rig_fixture_up, rig_fixture_down),
        cmocka_unit_test_setup_teardown(test_unknown_stream, rig_fixture_up, rig_fixture_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
