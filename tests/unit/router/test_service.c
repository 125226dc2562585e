/* flight, hosts, starts and follow, from the outside: what callers, control and the worker host see of the router. */
#include "service_rig.h"

#include <string.h>

static struct pl_err err;
static bool cold;

static bool host_is_up(void)
{
    return rig.stream != NULL;
}

static bool all_is_acknowledged(void)
{
    return rig.acknowledged == rig.version && rig.draining[0] == '\0';
}

static bool held(void)
{
    return rig.held != NULL;
}

/* "e" is served, and the host is known. */
static void serve(int concurrency)
{
    send_snapshot(concurrency);
    wait_for("the acknowledgement", all_is_acknowledged);
    wait_for("the host's stream", host_is_up);
}

static unsigned starts(void)
{
    unsigned n;

    loop_enter(rig.loop);
    n = rig.starts;
    loop_leave(rig.loop);
    return n;
}

static void set_answer(enum rig_answer answer)
{
    loop_enter(rig.loop);
    rig.answer = answer;
    loop_leave(rig.loop);
}

static void call_is(bool wanted_cold)
{
    if (call_once("e", &cold, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(cold, wanted_cold);
}

/* ---- flight ---- */

static void before_control_has_spoken(void **state)
{
    (void)state;
    assert_non_null(router_ready(rig.router));
    assert_int_equal(call_once("e", &cold, &err), PL_UNAVAILABLE);
    serve(4);
    assert_null(router_ready(rig.router));
}

static void cold_then_warm(void **state)
{
    (void)state;
    serve(4);
    call_is(true);
    call_is(false);
    call_is(false);
    assert_int_equal(starts(), 1);
    assert_int_equal(rig.invoked, rig.started);
    assert_int_equal(call_once("nobody", &cold, &err), PL_NOT_FOUND);
    assert_int_equal(rig.invokes, 3);
}

static void over_max_concurrency(void **state)
{
    struct caller first;

    (void)state;
    serve(1);
    set_answer(RIG_HOLDS);
    call_start(&first, "e");
    wait_for("a call in flight", held);
    assert_int_equal(call_once("e", &cold, &err), PL_EXHAUSTED);
    assert_string_equal(err.reason, "MAX_CONCURRENCY");
    assert_true(err.retry_after_ms > 0);
    release_held();
    assert_int_equal(call_wait(&first), PL_OK);
    call_done(&first);
    set_answer(RIG_ANSWERS);
    call_is(false);
}

static void an_instance_that_is_gone_is_no_answer(void **state)
{
    (void)state;
    serve(4);
    call_is(true);
    set_answer(RIG_HAS_NO_SUCH); /* once: it never had the request, another one gets it */
    call_is(true);
    assert_int_equal(starts(), 2);
}

static void an_instance_that_dies_is_told(void **state)
{
    (void)state;
    serve(4);
    set_answer(RIG_SAYS_IT_DIED);
    assert_int_equal(call_once("e", &cold, &err), PL_INTERNAL);
    assert_string_equal(err.reason, "INSTANCE_DIED");
    set_answer(RIG_ANSWERS);
    call_is(true);
    assert_int_equal(rig.invokes, 2); /* the first was not sent again: it may have had an effect */
}

static void a_malformed_answer_is_an_error(void **state)
{
    (void)state;
    serve(4);
    set_answer(RIG_BABBLES);
    assert_int_equal(call_once("e", &cold, &err), PL_INTERNAL);
    assert_non_null(strstr(err.message, "malformed"));
}

static bool cancelled_at_the_host(void)
{
    return rig.cancelled == 1;
}

static void a_caller_that_leaves(void **state)
{
    struct caller c;

    (void)state;
    serve(4);
    set_answer(RIG_HOLDS);
    call_start(&c, "e");
    wait_for("a call in flight", held);
    call_cancel(&c);
    assert_int_equal(call_wait(&c), PL_CANCELLED);
    wait_for("the cancellation at the host", cancelled_at_the_host);
    set_answer(RIG_ANSWERS);
    call_is(true); /* its instance was killed with the call */
}

static void a_model_that_does_not_load(void **state)
{
    (void)state;
    serve(4);
    loop_enter(rig.loop);
    rig.start_refused = true;
    loop_leave(rig.loop);
    assert_int_equal(call_once("e", &cold, &err), PL_INTERNAL);
    assert_string_equal(err.reason, "MODEL_NOT_LOADED");
    assert_non_null(strstr(err.message, "it is no model"));
    assert_int_equal(rig.invokes, 0);
}

/* ---- hosts ---- */

static bool second_stream(void)
{
    return rig.streams >= 2 && rig.stream;
}

static void a_stream_that_breaks_costs_no_instance(void **state)
{
    (void)state;
    serve(4);
    call_is(true);
    loop_enter(rig.loop);
    rig.found = rig.started;
    loop_leave(rig.loop);
    hang_up_stream();
    wait_for("another stream", second_stream);
    call_is(false);
    assert_int_equal(starts(), 1);
}

static void what_another_router_left_is_taken_over(void **state)
{
    (void)state;
    loop_enter(rig.loop);
    rig.found = 77;
    rig.started = 100;
    loop_leave(rig.loop);
    serve(4);
    call_is(false);
    assert_int_equal(rig.invoked, 77);
    assert_int_equal(starts(), 0);
}

static bool stopped_77(void)
{
    return rig.stopped == 77;
}

static void what_belongs_to_nobody_is_stopped(void **state)
{
    (void)state;
    loop_enter(rig.loop);
    rig.found = 77;
    loop_leave(rig.loop);
    send_snapshot(0); /* no endpoint */
    wait_for("the host's stream", host_is_up);
    wait_for("the stranger's stop", stopped_77);
}

static bool a_second_start(void)
{
    struct pl_err e;
    bool is_cold = false;

    loop_leave(rig.loop);
    assert_int_equal(call_once("e", &is_cold, &e), PL_OK);
    loop_enter(rig.loop);
    return is_cold;
}

static void a_death_in_the_stream(void **state)
{
    (void)state;
    serve(4);
    call_is(true);
    send_died(1);
    wait_for("a start in its place", a_second_start);
    assert_int_equal(starts(), 2);
}

/* ---- follow ---- */

static bool second_watch(void)
{
    return rig.watches >= 2 && rig.watch;
}

static void a_control_that_hangs_up(void **state)
{
    (void)state;
    serve(4);
    call_is(true);
    hang_up_watch();
    call_is(false); /* meanwhile */
    wait_for("another Watch", second_watch);
    assert_int_equal(rig.asked_version, rig.version); /* from where it was */
    loop_enter(rig.loop);
    rig.acknowledged = 0;
    loop_leave(rig.loop);
    send_nothing();
    wait_for("the acknowledgement", all_is_acknowledged);
    call_is(false);
}

static bool draining_is_told(void)
{
    return rig.acknowledged == rig.version && strcmp(rig.draining, "e ") == 0;
}

static bool stopped_1(void)
{
    return rig.stopped == 1;
}

static void an_endpoint_that_goes_drains_first(void **state)
{
    struct caller c;

    (void)state;
    serve(4);
    set_answer(RIG_HOLDS);
    call_start(&c, "e");
    wait_for("a call in flight", held);
    send_removed("e");
    wait_for("the word that it drains", draining_is_told);
    assert_int_equal(call_once("e", &cold, &err), PL_NOT_FOUND);
    hang_up_watch(); /* control starts again, and asks again */
    wait_for("another Watch", second_watch);
    loop_enter(rig.loop);
    rig.draining[0] = '\0';
    loop_leave(rig.loop);
    send_nothing();
    wait_for("the word that it still drains", draining_is_told);
    release_held();
    assert_int_equal(call_wait(&c), PL_OK);
    call_done(&c);
    wait_for("the word that it is gone", all_is_acknowledged);
    wait_for("the stop of its instance", stopped_1);
}

#define R(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        R(before_control_has_spoken),
        R(cold_then_warm),
        R(over_max_concurrency),
        R(an_instance_that_is_gone_is_no_answer),
        R(an_instance_that_dies_is_told),
        R(a_malformed_answer_is_an_error),
        R(a_caller_that_leaves),
        R(a_model_that_does_not_load),
        R(a_stream_that_breaks_costs_no_instance),
        R(what_another_router_left_is_taken_over),
        R(what_belongs_to_nobody_is_stopped),
        R(a_death_in_the_stream),
        R(a_control_that_hangs_up),
        R(an_endpoint_that_goes_drains_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
