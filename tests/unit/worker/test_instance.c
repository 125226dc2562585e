/* The states of an instance, each road to its end, and who hears what. Its process is a real one, a fork of this test
 * that speaks frames and does what it is told to; only the sandbox and the cache are not there. */
#include "instance.h"
#include "fake_runner.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "ends.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "rpc/rpc.h"
#include "runtimes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define HANG_MS   20000
#define NEVER_MS  10000 /* longer than any test */
#define SOON_MS   20
#define MAX_BYTES FAKE_RUNNER_BYTES

struct rig {
    struct loop *loop;
    struct loop_timer hang, look;
    struct instances *all;
    struct runtime runtime;
    char on_load;          /* what the next process does with LOAD: see fake_runner.h */
    bool no_process, late; /* the spawner has none; has none yet */
    struct spawn *asked;
    /* what was heard */
    unsigned started, invoked, stopped, died, idle, uses, dropped, cancelled;
    struct instance *in;
    struct pl_err err;
    char result[MAX_BYTES];
    char reason[512];
    bool over; /* the next process that ends was at its memory limit */
    struct instance_stop stop;
};
static struct rig *rig;

/* ---- in place of the spawner ---- */

static void give_process(struct spawn *w)
{
    struct spawned p = { .seat = (struct seat *)rig };
    struct ends ends;

    assert_true(ends_make(&ends));
    p.pid = fork();
    assert_true(p.pid >= 0);
    if (p.pid == 0) {
        (void)dup2(ends.their_channel, 3);
        (void)close_range(4, ~0U, 0);
        fake_runner(3, rig->on_load);
    }
    (void)close(ends.their_channel);
    (void)close(ends.their_log);
    p.pidfd = pidfd_open(p.pid, 0);
    p.fd = ends.channel;
    p.log_fd = ends.log;
    w->made(w, &p, NULL);
}

void spawn_instance(struct spawner *s, const struct spawn_spec *spec, struct spawn *w)
{
    struct pl_err err;

    (void)s;
    assert_string_equal(spec->model, "/models/a");
    rig->asked = w;
    w->door_fd = spec->door_fd;
    if (rig->no_process) {
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "there is no process");
        w->made(w, NULL, &err);
    } else if (!rig->late) {
        give_process(w);
    }
}

void spawn_cancel(struct spawn *w)
{
    assert_ptr_equal(w, rig->asked);
    rig->cancelled++;
}

bool spawn_over(struct spawner *s, struct seat *seat)
{
    (void)s;
    assert_ptr_equal(seat, rig);
    return rig->over;
}

void spawn_clear(struct spawner *s, struct seat *seat)
{
    (void)s;
    (void)seat;
}

const char *spawn_model_dir(const struct spawner *s, const char *runtime)
{
    (void)s;
    (void)runtime;
    return "/model";
}

const char *spawn_code_dir(const struct spawner *s, const char *runtime, const char *code)
{
    (void)s;
    (void)runtime;
    return code;
}

/* No instance here has a way out of its sandbox. */
const char *spawn_why_no_network(const struct spawner *s, const char *runtime)
{
    (void)s;
    (void)runtime;
    return "it has none";
}

enum pl_code spawn_egress(struct spawner *s, int control, int memory_size_mb, spawn_tool_made_fn *made, void *arg,
                          struct spawn_tool **out, struct seat **out_seat, struct pl_err *e)
{
    (void)s, (void)control, (void)memory_size_mb, (void)made, (void)arg, (void)out, (void)out_seat;
    return pl_fail(e, PL_UNAVAILABLE, NULL, "it has none");
}

void spawn_tool_cancel(struct spawn_tool *t)
{
    (void)t;
    fail();
}

/* ---- in place of the cache ---- */

const char *cache_item_dir(const struct cache_item *item)
{
    assert_ptr_equal(item, rig);
    return "/models/a";
}

void cache_give(struct cache_item *item)
{
    if (!item)
        return;
    assert_ptr_equal(item, rig);
    rig->uses--;
}

void cache_drop_forests(struct cache_item *item)
{
    assert_ptr_equal(item, rig);
    rig->dropped++;
}

void cache_item_learn(struct cache_item *item, int64_t instance_bytes)
{
    (void)item;
    (void)instance_bytes;
}

/* ---- who hears ---- */

static void heard(const struct pl_err *err)
{
    rig->err = err ? *err : (struct pl_err){ 0 };
    loop_stop(rig->loop);
}

static void started(void *arg, struct instance *in, const struct pl_err *err)
{
    assert_ptr_equal(arg, rig);
    rig->started++;
    rig->in = in;
    heard(err);
}

static void invoked(void *arg, uint8_t *payload, size_t len, const struct pl_err *err)
{
    assert_ptr_equal(arg, rig);
    rig->invoked++;
    assert_true(len < MAX_BYTES);
    if (payload)
        memcpy(rig->result, payload, len);
    free(payload);
    heard(err);
}

static void stopped(struct instance_stop *s)
{
    assert_ptr_equal(s, &rig->stop);
    rig->stopped++;
    rig->in = NULL;
    loop_stop(rig->loop);
}

static void died(void *arg, const struct instance *in, const char *reason)
{
    assert_ptr_equal(arg, rig);
    assert_ptr_equal(in, rig->in);
    rig->died++;
    (void)snprintf(rig->reason, sizeof(rig->reason), "%s", reason);
    rig->in = NULL;
    loop_stop(rig->loop);
}

static void idle(void *arg, struct instance *in)
{
    assert_ptr_equal(arg, rig);
    assert_int_equal(in->state, INSTANCE_IDLE);
    rig->idle++;
}

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nothing was heard: %u started, %u invoked, %u died", rig->started, rig->invoked, rig->died);
}

static int set_up(void **state)
{
    struct instances_observer observer = { .died = died, .idle = idle };

    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->hang.fire = hangs;
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    rig->runtime = (struct runtime){ .name = "xgboost", .exit_grace_ms = NEVER_MS };
    rig->stop.stopped = stopped;
    rig->on_load = 'g';
    rig->all = instances_new(rig->loop, NULL, NULL, 5);
    observer.arg = rig;
    instances_observe(rig->all, &observer);
    return 0;
}

static void stop(struct instance *in)
{
    instance_stop(in, "told to", NEVER_MS, &rig->stop);
    loop_run(rig->loop);
}

static int tear_down(void **state)
{
    (void)state;
    if (rig->in)
        stop(rig->in);
    assert_int_equal(rig->uses, 0);
    assert_int_equal(instances_count(rig->all), 0);
    instances_free(rig->all);
    loop_free(rig->loop);
    free(rig);
    return 0;
}

/* ---- roads ---- */

static void look(struct loop_timer *t)
{
    (void)t;
    loop_stop(rig->loop);
}

static void turn(void)
{
    rig->look.fire = look;
    loop_timer_set(rig->loop, &rig->look, pl_now_ms() + 1);
    loop_run(rig->loop);
}

static struct instance *begin(int timeout_ms)
{
    Pilotlight__Internal__V1__VariantSpec spec = PILOTLIGHT__INTERNAL__V1__VARIANT_SPEC__INIT;
    struct instance_start s = { .spec = &spec,
                                .model = (struct cache_item *)rig,
                                .runtime = &rig->runtime,
                                .role = INSTANCE_SERVES,
                                .asked_us = pl_now_us(),
                                .estimate_bytes = 1000,
                                .done = started,
                                .arg = rig };

    spec.endpoint_name = (char *)"e";
    spec.variant_name = (char *)"v";
    spec.runtime = (char *)"xgboost";
    spec.memory_size_mb = 1024;
    spec.start_timeout_ms = timeout_ms;
    rig->uses++;
    return instances_start(rig->all, &s);
}

static struct instance *start(void)
{
    struct instance *in = begin(NEVER_MS);

    assert_int_equal(in->state, INSTANCE_LOADING);
    loop_run(rig->loop);
    assert_int_equal(rig->started, 1);
    assert_ptr_equal(rig->in, in);
    assert_int_equal(in->state, INSTANCE_IDLE);
    return in;
}

static void invoke(struct instance *in, char what, uint32_t timeout_ms)
{
    struct pl_err err;
    struct rpc_bytes *message = rpc_bytes_copy(&what, 1);

    assert_ok(instance_invoke(in, message, 1, timeout_ms, invoked, rig, &err), err);
    assert_int_equal(in->state, INSTANCE_BUSY);
}

/* One request that does not end well: its caller hears of it, then of the instance's end whoever observes. */
static void dies_of(char what, uint32_t timeout_ms, enum pl_code code, const char *text, const char *reason)
{
    struct instance *in = start();

    invoke(in, what, timeout_ms);
    while (rig->died == 0)
        loop_run(rig->loop);
    assert_int_equal(rig->invoked, 1);
    assert_int_equal(rig->err.code, code);
    assert_text(rig->err.message, text);
    assert_text(rig->reason, reason);
}

static void start_fails(enum pl_code code, const char *reason, const char *text)
{
    loop_run(rig->loop);
    assert_int_equal(rig->started, 1);
    assert_null(rig->in);
    assert_int_equal(rig->err.code, code);
    assert_string_equal(rig->err.reason, reason);
    assert_text(rig->err.message, text);
    while (rig->uses > 0) /* it may be about to be reaped */
        turn();
}

/* ---- tests ---- */

static void one_that_lives_well(void **state)
{
    struct instance *in;
    struct pl_err err;

    (void)state;
    in = start();
    assert_int_equal(in->id >> 24, 5);
    assert_ptr_equal(instances_find(rig->all, in->id), in);
    assert_int_equal(instances_count_in(rig->all, INSTANCE_IDLE), 1);
    assert_true(instances_has_pid(rig->all, in->child.pid));
    for (unsigned i = 1; i <= 3; i++) {
        struct rpc_bytes *message = rpc_bytes_copy("g", 1);

        invoke(in, 'g', NEVER_MS);
        assert_int_equal(instance_invoke(in, message, 2, NEVER_MS, invoked, rig, &err), PL_PRECONDITION);
        assert_string_equal(err.reason, "INSTANCE_BUSY");
        rpc_bytes_unref(message);
        loop_run(rig->loop);
        assert_int_equal(rig->invoked, i);
        assert_int_equal(rig->err.code, PL_OK);
        assert_text(rig->result, "ok");
        assert_int_equal(in->served, i);
        assert_int_equal(rig->idle, i); /* of the first time its starter hears */
        assert_int_equal(in->state, INSTANCE_IDLE);
    }
    stop(in);
    assert_int_equal(rig->stopped, 1);
    assert_int_equal(rig->died, 0);
}

static void an_error_of_the_model_leaves_it_alive(void **state)
{
    struct instance *in;

    (void)state;
    in = start();
    invoke(in, 'e', NEVER_MS);
    loop_run(rig->loop);
    assert_int_equal(rig->err.code, PL_OK); /* an answer, as it came */
    assert_memory_equal(rig->result,
                        "\x0a\x03"
                        "bad\x28\x90\x03",
                        8);
    assert_true(in->refused);
    assert_int_equal(in->state, INSTANCE_IDLE);
    invoke(in, 'g', NEVER_MS);
    loop_run(rig->loop);
    assert_false(in->refused);
}

static void one_that_exits_over_a_request(void **state)
{
    (void)state;
    dies_of('x', NEVER_MS, PL_INTERNAL, "died while answering: exited with 7", "exited with 7");
}

static void one_that_is_killed_over_a_request(void **state)
{
    (void)state;
    dies_of('k', NEVER_MS, PL_INTERNAL, "killed by signal 9", "killed by signal 9");
}

static void one_at_its_memory_limit(void **state)
{
    (void)state;
    rig->over = true;
    dies_of('k', NEVER_MS, PL_MODEL, "memory limit", "1024 MB");
}

static void one_that_lies_is_killed(void **state)
{
    (void)state;
    dies_of('l', NEVER_MS, PL_INTERNAL, "killed: ", "killed: ");
}

static void one_that_takes_too_long_is_killed(void **state)
{
    (void)state;
    dies_of('h', SOON_MS, PL_DEADLINE, "invocation timeout of 20 ms", "no answer within");
}

static void one_that_closes_its_end(void **state)
{
    (void)state;
    dies_of('c', NEVER_MS, PL_INTERNAL, "closed its connection", "closed its connection");
}

static void a_caller_that_leaves_takes_it_along(void **state)
{
    struct instance *in;

    (void)state;
    in = start();
    invoke(in, 'h', NEVER_MS);
    instance_cancel_invoke(in);
    instance_hear_end(in, &rig->stop);
    loop_run(rig->loop);
    assert_int_equal(rig->invoked, 0);
    assert_true(rig->stopped == 1 || rig->died == 1);
    while (rig->stopped == 0)
        loop_run(rig->loop);
}

/* ---- stopping ---- */

static void what_it_has_may_end_before_it_stops(void **state)
{
    struct instance *in;
    struct pl_err err;
    struct rpc_bytes *message;

    (void)state;
    in = start();
    invoke(in, 'g', NEVER_MS);
    instance_stop(in, "told to", NEVER_MS, &rig->stop);
    assert_int_equal(in->state, INSTANCE_STOPPING);
    message = rpc_bytes_copy("g", 1);
    assert_int_equal(instance_invoke(in, message, 2, NEVER_MS, invoked, rig, &err), PL_NOT_FOUND);
    rpc_bytes_unref(message);
    while (rig->stopped == 0)
        loop_run(rig->loop);
    assert_int_equal(rig->invoked, 1);
    assert_int_equal(rig->err.code, PL_OK);
}

static void what_it_has_ends_with_the_grace_time(void **state)
{
    struct instance *in;

    (void)state;
    in = start();
    invoke(in, 'h', NEVER_MS);
    instance_stop(in, "told to", SOON_MS, &rig->stop);
    while (rig->stopped == 0)
        loop_run(rig->loop);
    assert_int_equal(rig->invoked, 1);
    assert_text(rig->err.message, "took longer than the grace time");
}

/* ---- starts that fail ---- */

static void a_model_that_does_not_load(void **state)
{
    (void)state;
    rig->on_load = 'e';
    (void)begin(NEVER_MS);
    start_fails(PL_PRECONDITION, "MODEL_NOT_LOADED", "model did not load: bad");
}

static void a_process_that_dies_while_it_loads(void **state)
{
    (void)state;
    rig->on_load = 'x';
    (void)begin(NEVER_MS);
    start_fails(PL_PRECONDITION, "MODEL_NOT_LOADED", "exited with 7");
}

static void a_model_that_loads_for_too_long(void **state)
{
    (void)state;
    rig->on_load = 'h';
    (void)begin(SOON_MS);
    start_fails(PL_DEADLINE, "START_TIMEOUT", "start_timeout_ms 20");
}

static void no_process(void **state)
{
    (void)state;
    rig->no_process = true;
    (void)begin(NEVER_MS);
    start_fails(PL_UNAVAILABLE, "SPAWN_FAILED", "there is no process");
}

/* Nobody is told anything; the process that is still being made is not wanted any more. */
static void a_starter_that_goes_away(void **state)
{
    struct instance *in;

    (void)state;
    rig->late = true;
    in = begin(NEVER_MS);
    assert_int_equal(in->state, INSTANCE_STARTING);
    instance_hear_end(in, &rig->stop);
    instance_cancel_start(in);
    loop_run(rig->loop);
    assert_int_equal(rig->stopped, 1);
    assert_int_equal(rig->cancelled, 1);
    assert_int_equal(rig->started, 0);
    assert_int_equal(rig->died, 0);
}

static void what_it_uses_counts_as_estimated_until_it_is_measured(void **state)
{
    struct instance *in;
    int64_t estimated;

    (void)state;
    in = start();
    assert_int_equal(instances_used_bytes(rig->all, &estimated), 1000);
    assert_int_equal(estimated, 1000);
    instance_measured(in, 300, 200);
    assert_int_equal(instances_used_bytes(rig->all, &estimated), 300);
    assert_int_equal(estimated, 0);
    stop(in);
    assert_int_equal(instances_used_bytes(rig->all, &estimated), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_that_lives_well),
        CASE(an_error_of_the_model_leaves_it_alive),
        CASE(one_that_exits_over_a_request),
        CASE(one_that_is_killed_over_a_request),
        CASE(one_at_its_memory_limit),
        CASE(one_that_lies_is_killed),
        CASE(one_that_takes_too_long_is_killed),
        CASE(one_that_closes_its_end),
        CASE(a_caller_that_leaves_takes_it_along),
        CASE(what_it_has_may_end_before_it_stops),
        CASE(what_it_has_ends_with_the_grace_time),
        CASE(a_model_that_does_not_load),
        CASE(a_process_that_dies_while_it_loads),
        CASE(a_model_that_loads_for_too_long),
        CASE(no_process),
        CASE(a_starter_that_goes_away),
        CASE(what_it_uses_counts_as_estimated_until_it_is_measured),
    };

    return cmocka_run_group_tests_name("worker/instance", tests, NULL, NULL);
}
