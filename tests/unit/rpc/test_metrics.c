#include "rig.h"

#include "metrics/metrics.h"

#include <string.h>

static void test_calls_are_counted_by_method_and_status(void **state)
{
    struct rig g;
    struct pl_err err;
    struct rpc_bytes *reply = NULL;
    (void)state;
    rig_up(&g);
    rig_serve(&g, NULL);
    rig_connect(&g, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_call(&g, ECHO, "x", 1, &reply, &err), PL_OK);
        rpc_bytes_unref(reply);
    }
    assert_int_equal(rig_call(&g, "/test.Rig/Nothing", "x", 1, &reply, &err), PL_UNIMPLEMENTED);
    rig_stop_server(&g, 5000);

    static const char *const name = "rpc_server_calls_total";
    struct metrics_counter *ok = metrics_counter(g.metrics, name, "method=\"" ECHO "\",code=\"OK\"", "");
    struct metrics_counter *other = metrics_counter(g.metrics, name, "method=\"other\",code=\"UNIMPLEMENTED\"", "");
    assert_int_equal(ok->value, 3);
    assert_int_equal(other->value, 1);
    assert_int_equal(metrics_gauge(g.metrics, "rpc_server_in_flight", NULL, "")->value, 0);
    rig_down(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_calls_are_counted_by_method_and_status) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
