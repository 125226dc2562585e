/* Reports against a control whose answers the test decides: numbered, sent again as they are, found again after a kill.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "report.h"
#include "rpc/server.h"

#include "pilotlight/internal/v1/report.pb-c.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 20000 /* only a hang reaches it */

static struct world {
    struct loop *loop;
    struct rpc *rpc;
    struct rpc_server *control;
    char target[32], folder[64], spool[96];
    pthread_t thread;
    struct report *report;
    struct measure *measure;
    /* What control does, and has seen; with the turn. */
    enum pl_code answer;
    unsigned calls;
    int64_t epoch, sequence; /* the last that it counted */
    int64_t invocations;
    bool lost_answers; /* counts, but says that it did not */
    size_t kept_bytes; /* of the next router */
} w;
static struct pl_err err;

/* ---- control ---- */

static void count(const Pilotlight__Internal__V1__ReportBatch *b)
{
    if (b->epoch < w.epoch || (b->epoch == w.epoch && b->sequence <= w.sequence))
        return;
    assert_true(b->epoch > w.epoch || b->sequence == w.sequence + 1); /* none is left out */
    w.epoch = b->epoch;
    w.sequence = b->sequence;
    for (size_t i = 0; i < b->n_variants; i++)
        if (b->variants[i]->usage)
            w.invocations += b->variants[i]->usage->invocations;
}

static void report_called(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__ReportRequest *r = message;
    Pilotlight__Internal__V1__ReportResponse reply = PILOTLIGHT__INTERNAL__V1__REPORT_RESPONSE__INIT;
    struct pl_err status;
    (void)service;
    assert_string_equal(r->reporter_id, "router-1");
    assert_true(r->n_batches > 0);
    w.calls++;
    if (w.answer == PL_OK || w.lost_answers)
        for (size_t i = 0; i < r->n_batches; i++)
            count(r->batches[i]);
    if (w.answer != PL_OK) {
        (void)pl_fail(&status, w.answer, NULL, "not now");
        rpc_fail(call, &status);
        return;
    }
    rpc_reply(call, &reply.base);
}

/* ---- set-up ---- */

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static int set_up(void **state)
{
    static const struct rpc_method methods[] = {
        { "/pilotlight.internal.v1.ReportService/Report", RPC_UNARY,
          &pilotlight__internal__v1__report_request__descriptor, report_called, 0 },
        { 0 },
    };
    static const struct rpc_service services[] = { { "pilotlight.internal.v1.ReportService", methods, NULL } };
    static const char *const listen[] = { "127.0.0.1:0" };
    const struct rpc_server_options o = {
        .listen = listen, .listen_count = 1, .services = services, .service_count = 1
    };
    (void)state;
    memset(&w, 0, sizeof(w));
    (void)snprintf(w.folder, sizeof(w.folder), "/tmp/pl-report-XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    (void)snprintf(w.spool, sizeof(w.spool), "%s/spool", w.folder);
    w.loop = loop_new(0);
    w.rpc = rpc_new(w.loop, NULL);
    loop_enter(w.loop);
    assert_int_equal(rpc_server_start(&w.control, w.rpc, &o, &err), PL_OK);
    (void)snprintf(w.target, sizeof(w.target), "127.0.0.1:%d", rpc_server_port(w.control, 0));
    loop_leave(w.loop);
    assert_int_equal(pthread_create(&w.thread, NULL, run_loop, w.loop), 0);
    return 0;
}

static void start_router(int64_t epoch)
{
    loop_enter(w.loop);
    w.report = report_new(&(struct report_options){ .loop = w.loop,
                                                    .rpc = w.rpc,
                                                    .control = w.target,
                                                    .router_id = "router-1",
                                                    .router_epoch = epoch,
                                                    .kept_bytes = w.kept_bytes,
                                                    .spool_path = w.spool });
    report_start(w.report);
    w.measure = report_measure_new(w.report, "fraud", "v1");
    loop_leave(w.loop);
}

static bool wait_for(bool (*ready)(void))
{
    for (int i = 0; i < WAIT_MS; i++) {
        loop_enter(w.loop);
        bool yes = ready();
        loop_leave(w.loop);
        if (yes)
            return true;
        (void)usleep(1000);
    }
    return false;
}

static bool idle(void)
{
    return report_idle(w.report);
}

static void stop_router(void)
{
    loop_enter(w.loop);
    report_drain(w.report);
    loop_leave(w.loop);
    assert_true(wait_for(idle));
    loop_enter(w.loop);
    report_measure_free(w.report, w.measure);
    report_free(w.report);
    loop_leave(w.loop);
}

static int tear_down(void **state)
{
    (void)state;
    loop_enter(w.loop);
    rpc_server_free(w.control);
    loop_leave(w.loop);
    loop_stop(w.loop);
    assert_int_equal(pthread_join(w.thread, NULL), 0);
    rpc_free(w.rpc);
    loop_free(w.loop);
    (void)unlink(w.spool);
    return rmdir(w.folder);
}

static void requests(int n)
{
    const struct usage_facts f = {
        .outcome = USAGE_ANSWERED, .reached = true, .memory_mb = 1024, .model_us = 100, .total_us = 120, .billed_ms = 1
    };
    loop_enter(w.loop);
    for (int i = 0; i < n; i++)
        report_ended(w.report, w.measure, &f);
    loop_leave(w.loop);
}

/* ---- tests ---- */

static int64_t wanted;

static bool counted(void)
{
    return w.invocations >= wanted;
}

static void await_count(int64_t n)
{
    wanted = n;
    assert_true(wait_for(counted));
    assert_int_equal(w.invocations, n);
}

static void test_each_is_counted_once(void **state)
{
    (void)state;
    start_router(1);
    requests(10);
    await_count(10);
    requests(5);
    await_count(15);
    assert_int_equal(w.sequence, 2); /* two batches: what comes together goes together */
    stop_router();
    assert_int_equal(w.invocations, 15);
}

/* An idle router says nothing: no batch, no call. */
static void test_nothing_to_tell(void **state)
{
    (void)state;
    start_router(1);
    stop_router();
    assert_int_equal(w.calls, 0);
}

static unsigned calls_wanted;

static bool called(void)
{
    return w.calls >= calls_wanted;
}

static void test_answers_that_are_lost(void **state)
{
    (void)state;
    w.answer = PL_UNAVAILABLE;
    w.lost_answers = true;
    start_router(1);
    requests(10);
    calls_wanted = 2; /* sent again */
    assert_true(wait_for(called));
    requests(7);
    loop_enter(w.loop);
    w.answer = PL_OK;
    w.lost_answers = false;
    loop_leave(w.loop);
    await_count(17);
    stop_router();
    assert_int_equal(w.invocations, 17);
}

/* Control is away, the router is killed, and again: what was spooled is told by the third life, in order. */
static void test_lives_of_a_router(void **state)
{
    (void)state;
    w.answer = PL_UNAVAILABLE;
    start_router(1);
    requests(10);
    stop_router(); /* in vain: it gives up */
    assert_int_equal(w.invocations, 0);
    start_router(2);
    requests(20);
    stop_router();
    assert_int_equal(w.invocations, 0);
    loop_enter(w.loop);
    w.answer = PL_OK;
    loop_leave(w.loop);
    start_router(3);
    await_count(30);
    requests(3);
    await_count(33);
    assert_int_equal(w.epoch, 3);
    stop_router();
    start_router(4); /* nothing is left in the spool */
    stop_router();
    assert_int_equal(w.invocations, 33);
}

static void test_what_control_refuses_is_given_up(void **state)
{
    (void)state;
    w.answer = PL_INVALID;
    start_router(1);
    requests(10);
    calls_wanted = 1;
    assert_true(wait_for(called));
    loop_enter(w.loop);
    w.answer = PL_OK;
    w.sequence = 1; /* as if it had counted it */
    w.epoch = 1;
    loop_leave(w.loop);
    requests(4);
    await_count(4);
    stop_router();
}

/* Control is away for long: what is billed comes together in few batches, and is told when control is back. */
static void test_no_room_for_more(void **state)
{
    const int n = 25;
    (void)state;
    w.answer = PL_UNAVAILABLE;
    w.kept_bytes = 1;
    start_router(1);
    requests(1);
    calls_wanted = 1;
    assert_true(wait_for(called));
    for (int i = 0; i < n; i++) {
        requests(1);
        (void)usleep(100000);
    }
    loop_enter(w.loop);
    w.answer = PL_OK;
    loop_leave(w.loop);
    await_count(1 + n);
    assert_int_equal(w.sequence, 2);
    stop_router();
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_each_is_counted_once),
        T(test_nothing_to_tell),
        T(test_answers_that_are_lost),
        T(test_lives_of_a_router),
        T(test_what_control_refuses_is_given_up),
        T(test_no_room_for_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
