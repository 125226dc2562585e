/* What control hears of this host: that it is there, that it drains, that it leaves. */
#include "membership.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/watch.pb-c.h"
#include "rpc/server.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define HANG_MS 20000
#define BEATS   16

/* With the turn. */
static struct {
    struct loop *loop;
    pthread_t thread;
    struct rpc *rpc;
    struct rpc_server *control;
    struct membership *membership;
    char target[32];
    unsigned beats;
    bool draining[BEATS], leaving[BEATS];
    bool holds; /* the next heartbeat is not answered until it is let go */
    struct rpc_call *held;
    bool left, drained;
} rig;

static void answer(struct rpc_call *call)
{
    Pilotlight__Internal__V1__HeartbeatResponse reply = PILOTLIGHT__INTERNAL__V1__HEARTBEAT_RESPONSE__INIT;

    reply.lease_ms = 600000; /* the next one comes for news only */
    rpc_reply(call, &reply.base);
}

static void heartbeat(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__HeartbeatRequest *m = message;

    (void)service;
    assert_true(rig.beats < BEATS);
    rig.draining[rig.beats] = m->host->draining;
    rig.leaving[rig.beats++] = m->leaving;
    if (rig.holds)
        rig.held = call;
    else
        answer(call);
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void wait_until(const char *what, bool (*yes)(void))
{
    int64_t until_ms = pl_now_ms() + HANG_MS;
    bool is = false;

    while (!is && pl_now_ms() < until_ms) {
        loop_enter(rig.loop);
        is = yes();
        loop_leave(rig.loop);
        (void)usleep(1000);
    }
    if (!is)
        fail_msg("%s never came", what);
}

static void set_left(void *arg)
{
    *(bool *)arg = true;
}

static int set_up(void **state)
{
    static const struct rpc_method methods[] = {
        { "/pilotlight.internal.v1.MembershipService/Heartbeat", RPC_UNARY,
          &pilotlight__internal__v1__heartbeat_request__descriptor, heartbeat, 0 },
        { 0 },
    };
    static const struct rpc_service service = { "pilotlight.internal.v1.MembershipService", methods, NULL };
    static const char *const listen[] = { "127.0.0.1:0" };
    static char *runtimes[] = { (char *)(uintptr_t) "xgboost" };
    const struct rpc_server_options o = {
        .listen = listen, .listen_count = 1, .services = &service, .service_count = 1
    };
    struct pl_err err;

    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.loop = loop_new(0);
    rig.rpc = rpc_new(rig.loop, NULL);
    loop_enter(rig.loop);
    assert_ok(rpc_server_start(&rig.control, rig.rpc, &o, &err), err);
    (void)snprintf(rig.target, sizeof(rig.target), "127.0.0.1:%d", rpc_server_port(rig.control, 0));
    rig.membership = membership_start(rig.loop, rig.rpc,
                                      &(struct membership_options){ .control = rig.target,
                                                                    .host_id = "host-1",
                                                                    .address = "127.0.0.1:1",
                                                                    .runtimes = runtimes,
                                                                    .runtime_count = 1 });
    loop_leave(rig.loop);
    assert_int_equal(pthread_create(&rig.thread, NULL, run, rig.loop), 0);
    return 0;
}

static bool has_left(void)
{
    return rig.left;
}

static bool has_drained(void)
{
    return rig.drained;
}

static int tear_down(void **state)
{
    (void)state;
    loop_enter(rig.loop);
    membership_leave(rig.membership, set_left, &rig.left);
    loop_leave(rig.loop);
    wait_until("the word that it has left", has_left);
    loop_enter(rig.loop);
    assert_true(rig.leaving[rig.beats - 1] && rig.draining[rig.beats - 1]);
    membership_free(rig.membership);
    rpc_server_drain(rig.control, 0, set_left, &rig.drained);
    loop_leave(rig.loop);
    wait_until("control's end", has_drained);
    loop_enter(rig.loop);
    rpc_server_free(rig.control);
    loop_leave(rig.loop);
    loop_stop(rig.loop);
    assert_int_equal(pthread_join(rig.thread, NULL), 0);
    rpc_free(rig.rpc);
    loop_free(rig.loop);
    return 0;
}

static bool one(void)
{
    return rig.beats == 1;
}

static bool two(void)
{
    return rig.beats == 2;
}

static void draining_is_told_at_once(void **state)
{
    (void)state;
    wait_until("the first heartbeat", one);
    loop_enter(rig.loop);
    assert_false(rig.draining[0] || rig.leaving[0]);
    membership_drain(rig.membership);
    loop_leave(rig.loop);
    wait_until("another one", two);
    loop_enter(rig.loop);
    assert_true(rig.draining[1] && !rig.leaving[1]);
    loop_leave(rig.loop);
}

/* It was sent before: another one follows its answer. */
static void draining_while_a_heartbeat_is_in_flight(void **state)
{
    (void)state;
    loop_enter(rig.loop);
    rig.holds = true;
    loop_leave(rig.loop);
    wait_until("the first heartbeat", one);
    loop_enter(rig.loop);
    membership_drain(rig.membership);
    rig.holds = false;
    if (rig.held)
        answer(pl_take(rig.held));
    loop_leave(rig.loop);
    wait_until("another one", two);
    loop_enter(rig.loop);
    assert_true(rig.draining[1] && !rig.leaving[1]);
    loop_leave(rig.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(draining_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(draining_while_a_heartbeat_is_in_flight, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
