#include "rig.h"

#include "base/cleanup.h"
#include "grpc/health/v1/health.pb-c.h"

#include <string.h>

#define CHECK         "/grpc.health.v1.Health/Check"
#define HEALTH_WATCH  "/grpc.health.v1.Health/Watch"
#define STATUS(which) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##which

static enum pl_code check(struct rig *g, const char *service, int *out, struct pl_err *err)
{
    Grpc__Health__V1__HealthCheckRequest q = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    q.service = (char *)(uintptr_t)service;
    struct rpc_send s = { .path = CHECK,
                          .message = &q.base,
                          .reply = &grpc__health__v1__health_check_response__descriptor };
    if (rpc_call_wait(g->channel, &s, (void **)&reply, NULL, err) != PL_OK)
        return err->code;
    *out = (int)reply->status;
    grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
    return PL_OK;
}

static void set_serving(struct rig *g, bool serving)
{
    rig_enter(g);
    rpc_server_set_serving(g->server, serving);
    rig_leave(g);
}

static void test_check(void **state)
{
    struct rig *g = *state;
    struct pl_err err;
    int status = -1;
    assert_int_equal(check(g, "", &status, &err), PL_OK);
    assert_int_equal(status, STATUS(SERVING));
    set_serving(g, false);
    assert_int_equal(check(g, "test.Rig", &status, &err), PL_OK);
    assert_int_equal(status, STATUS(NOT_SERVING));
    assert_int_equal(check(g, "test.Other", &status, &err), PL_NOT_FOUND);
    assert_non_null(strstr(err.message, "test.Other"));
}

static void test_watch_hears_changes_and_the_end(void **state)
{
    struct rig *g = *state;
    struct result known, unknown;
    rig_open(g, HEALTH_WATCH, "test.Rig", &known);
    rig_open(g, HEALTH_WATCH, "test.Other", &unknown);
    wait_event(&known.message);
    wait_event(&unknown.message);
    assert_int_equal(known.last, STATUS(SERVING));
    assert_int_equal(unknown.last, STATUS(SERVICE_UNKNOWN));
    set_serving(g, false);
    wait_event(&known.message);
    assert_int_equal(known.last, STATUS(NOT_SERVING));
    set_serving(g, true);
    set_serving(g, true);
    wait_event(&known.message);
    assert_int_equal(known.last, STATUS(SERVING));
    rig_stop_server(g, 20000);
    wait_event(&known.over);
    wait_event(&unknown.over);
    assert_int_equal(known.messages, 4);
    assert_int_equal(known.last, STATUS(NOT_SERVING));
    assert_int_equal(unknown.messages, 1);
    assert_int_equal(known.status.code, PL_UNAVAILABLE);
    result_done(&known);
    result_done(&unknown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_check, rig_fixture_up, rig_fixture_down),
        cmocka_unit_test_setup_teardown(test_watch_hears_changes_and_the_end, rig_fixture_up, rig_fixture_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
