#include "rig.h"

#include "base/cleanup.h"
#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void drained(void *arg)
{
    sem_post(arg);
}

static void drain(struct rig *g, int64_t grace_ms)
{
    rig_enter(g);
    rpc_server_drain(g->server, grace_ms, drained, &g->drained_event);
    rig_leave(g);
}

static void free_server(struct rig *g)
{
    rig_enter(g);
    rpc_server_free(pl_take(g->server));
    rig_leave(g);
}

static void test_call_in_flight_finishes_and_new_ones_are_refused(void **state)
{
    struct rig *g = *state;
    struct result held, late;
    rig_send(g, HOLD, 20000, &held);
    wait_event(&g->held_event);
    drain(g, 20000);
    rig_send(g, ECHO, 5000, &late);
    wait_event(&late.over);
    assert_int_equal(late.status.code, PL_UNAVAILABLE);
    result_done(&late);
    assert_int_equal(sem_trywait(&g->drained_event), -1);
    rig_enter(g);
    rpc_reply_bytes(g->held, rpc_bytes_copy("done", 4));
    rig_leave(g);
    wait_event(&held.over);
    assert_int_equal(held.status.code, PL_OK);
    result_done(&held);
    wait_event(&g->drained_event);
    free_server(g);
}

static void test_grace_expires(void **state)
{
    struct rig *g = *state;
    struct result held;
    struct pl_err err;
    rig_send(g, HOLD, 20000, &held);
    wait_event(&g->held_event);
    int64_t before = pl_now_ms();
    drain(g, 200);
    wait_event(&g->cancelled_event);
    assert_true(pl_now_ms() - before >= 200);
    rig_enter(g);
    (void)pl_fail(&err, PL_CANCELLED, NULL, "the server stops");
    rpc_fail(g->held, &err);
    rig_leave(g);
    wait_event(&g->drained_event);
    wait_event(&held.over);
    assert_int_not_equal(held.status.code, PL_OK);
    result_done(&held);
    free_server(g);
}

static void test_handler_that_never_answers_is_abandoned(void **state)
{
    struct rig *g = *state;
    struct result held;
    struct pl_err err;
    char text[8];
    rig_send(g, HOLD, 20000, &held);
    wait_event(&g->held_event);
    drain(g, 0);
    wait_event(&g->drained_event);
    free_server(g);
    wait_event(&held.over);
    result_done(&held);
    rig_enter(g);
    assert_string_equal(rpc_call_method(g->held), HOLD);
    assert_false(rpc_call_header(g->held, "traceparent", text, sizeof(text)));
    (void)pl_fail(&err, PL_CANCELLED, NULL, "too late");
    rpc_fail(g->held, &err);
    rig_leave(g);
}

static void test_idle_server_stops_at_once(void **state)
{
    struct rig *g = *state;
    struct rpc_bytes *reply = NULL;
    struct pl_err err;
    assert_int_equal(rig_call(g, ECHO, "x", 1, &reply, &err), PL_OK);
    rpc_bytes_unref(reply);
    int64_t before = pl_now_ms();
    rig_stop_server(g, 10000);
    assert_true(pl_now_ms() - before < 5000);
}

/* It has a connection, and reads neither the GOAWAY nor a ping. */
static void test_client_that_does_not_read_holds_up_nothing(void **state)
{
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct rig *g = *state;
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    char one;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", g->address + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(write(fd, hello, sizeof(hello) - 1), sizeof(hello) - 1);
    assert_int_equal(recv(fd, &one, 1, MSG_PEEK), 1); /* the server's settings: it knows us */
    drain(g, 3600000);
    wait_event(&g->drained_event);
    free_server(g);
    close(fd);
}

static void test_server_freed_without_drain(void **state)
{
    struct rig *g = *state;
    struct result held;
    struct pl_err err;
    rig_send(g, HOLD, 20000, &held);
    wait_event(&g->held_event);
    free_server(g);
    wait_event(&held.over);
    result_done(&held);
    wait_event(&g->cancelled_event);
    rig_enter(g);
    (void)pl_fail(&err, PL_CANCELLED, NULL, "too late");
    rpc_fail(g->held, &err);
    rig_leave(g);
}

static void test_client_survives_a_server_that_comes_back(void **state)
{
    struct rig *g = *state;
    struct rpc_bytes *reply = NULL;
    char again[128];
    struct pl_err err;
    assert_int_equal(rig_call(g, ECHO, "x", 1, &reply, &err), PL_OK);
    rpc_bytes_unref(reply);
    rig_enter(g);
    rpc_channel_connect(g->channel);
    assert_true(rpc_channel_ready(g->channel));
    rig_leave(g);
    snprintf(again, sizeof(again), "%s", g->address);
    rig_stop_server(g, 1000);
    assert_int_equal(rig_call(g, ECHO, "x", 1, &reply, &err), PL_UNAVAILABLE);
    struct rpc_send s = { .path = ECHO, .bytes = rpc_bytes_copy("x", 1), .timeout_ms = 20000, .wait_for_ready = true };
    rig_serve(g, again);
    assert_int_equal(rpc_call_wait(g->channel, &s, NULL, &reply, &err), PL_OK);
    rpc_bytes_unref(reply);
}

static enum pl_code start_second(struct rig *g, const char *listen, struct rpc_tls tls, struct pl_err *err)
{
    const char *addresses[] = { listen };
    struct rpc_server_options o = { .listen = addresses, .listen_count = 1, .tls = tls };
    struct rpc_server *second = NULL;
    rig_enter(g);
    enum pl_code code = rpc_server_start(&second, g->rpc, &o, err);
    rpc_server_free(second);
    rig_leave(g);
    return code;
}

static void test_addresses_that_cannot_be_bound(void **state)
{
    struct rig *g = *state;
    struct pl_err err;
    struct rpc_tls none = { 0 };
    assert_int_equal(start_second(g, g->address, none, &err), PL_UNAVAILABLE);
    assert_non_null(strstr(err.message, g->address));
    assert_non_null(strstr(err.message, "another server"));
    assert_int_equal(start_second(g, "unix:/nowhere/at/all.sock", none, &err), PL_UNAVAILABLE);
    assert_non_null(strstr(err.message, "No such file"));
    assert_int_equal(start_second(g, "unix-frames:/nowhere/at/all.sock", none, &err), PL_UNAVAILABLE);
    assert_non_null(strstr(err.message, "No such file"));
    assert_int_equal(start_second(g, "unix-frames:", none, &err), PL_INVALID);
    assert_int_equal(start_second(g, "nonsense", none, &err), PL_UNAVAILABLE);

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    char taken[32];
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(start_second(g, taken, none, &err), PL_UNAVAILABLE);
    assert_non_null(strstr(err.message, taken));
    assert_non_null(strstr(err.message, "in use"));
    close(fd);

    struct rpc_tls missing = { .cert_file = "/nowhere/cert.pem", .key_file = "/nowhere/key.pem" };
    assert_int_equal(start_second(g, "127.0.0.1:0", missing, &err), PL_INVALID);
    assert_non_null(strstr(err.message, "/nowhere/cert.pem"));
    assert_string_equal(err.field, "tls.cert_file");
}

static void test_stale_socket_is_replaced(void **state)
{
    struct rig *g = *state;
    struct pl_err err;
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    char listen[128];
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/stale", g->dir);
    snprintf(listen, sizeof(listen), "%.*s:%s", (int)strcspn(g->address, ":"), g->address, a.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    close(fd);
    assert_int_equal(start_second(g, listen, (struct rpc_tls){ 0 }, &err), PL_OK);
}

static void test_calls_in_flight_are_limited(void **state)
{
    struct rig *g = *state;
    char again[128];
    const char *addresses[] = { again };
    struct rpc_server_options o = { .listen = addresses, .listen_count = 1, .max_calls_in_flight = 1 };
    struct result held, over;
    snprintf(again, sizeof(again), "%s", g->address);
    rig_stop_server(g, 1000);
    rig_serve_with(g, &o);
    rig_enter(g);
    rpc_channel_free(g->channel);
    rig_leave(g);
    rig_connect(g, NULL);
    rig_send(g, HOLD, 20000, &held);
    wait_event(&g->held_event);
    rig_send(g, ECHO, 20000, &over);
    wait_event(&over.over);
    assert_int_equal(over.status.code, PL_EXHAUSTED);
    assert_string_equal(over.status.reason, "MAX_CALLS_IN_FLIGHT");
    assert_true(over.status.retry_after_ms > 0);
    result_done(&over);
    rig_enter(g);
    rpc_reply_bytes(g->held, rpc_bytes_copy("x", 1));
    rig_leave(g);
    wait_event(&held.over);
    assert_int_equal(held.status.code, PL_OK);
    result_done(&held);
}

#define BOTH(test)                                                                                                     \
    cmocka_unit_test_setup_teardown(test, rig_fixture_up, rig_fixture_down),                                           \
        cmocka_unit_test_setup_teardown(test, rig_fixture_up_local, rig_fixture_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_call_in_flight_finishes_and_new_ones_are_refused),
        BOTH(test_grace_expires),
        BOTH(test_handler_that_never_answers_is_abandoned),
        BOTH(test_idle_server_stops_at_once),
        BOTH(test_server_freed_without_drain),
        BOTH(test_client_survives_a_server_that_comes_back),
        BOTH(test_addresses_that_cannot_be_bound),
        BOTH(test_calls_in_flight_are_limited),
        BOTH(test_stale_socket_is_replaced),
        cmocka_unit_test_setup_teardown(test_client_that_does_not_read_holds_up_nothing, rig_fixture_up,
                                        rig_fixture_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
