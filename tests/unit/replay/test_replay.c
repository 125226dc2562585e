/* Small traces whose figures can be worked out by hand, and many random ones, for which some things must hold. */
#include "trace_text.h"

#include "base/buf.h"
#include "base/mem.h"
#include "replay.h"

#include <inttypes.h>
#include <math.h>

#define SEEDS 12

static struct replay replayed(const char *endpoints, const char *rows, int64_t keep_alive_ms)
{
    struct trace t;
    struct pl_err err;
    struct replay r;

    assert_ok(read_trace(&t, endpoints, rows, &err), err);
    replay_run(&r, &t, keep_alive_ms);
    trace_done(&t);
    return r;
}

static void expect(const struct replay *r, int64_t served, int64_t throttled, int64_t starts, int64_t waited,
                   int64_t waited_ms, double idle_gb_s)
{
    assert_int_equal(r->all.served, served);
    assert_int_equal(r->all.throttled, throttled);
    assert_int_equal(r->all.starts, starts);
    assert_int_equal(r->all.waited, waited);
    assert_int_equal(r->all.waited_ms, waited_ms);
    if (fabs(r->all.idle_gb_s - idle_gb_s) > 1e-9)
        fail_msg("idle: %f GB.s, not %f", r->all.idle_gb_s, idle_gb_s);
}

/* A start of 200 ms, a call of 100 ms: ready at 200, idle from 300 on. 2 GB. */
#define ONE ENDPOINTS "a,2048,200,10,x\n"

static void an_instance_stays_as_long_as_it_is_kept(void **state)
{
    struct replay r;

    (void)state;
    r = replayed(ONE, ROWS "0,a,1,0,100\n5300,a,1,0,100\n", 5000); /* at the last moment: still there */
    expect(&r, 2, 0, 1, 1, 200, 2 * (5 + 5));
    replay_done(&r);
    r = replayed(ONE, ROWS "0,a,1,0,100\n5301,a,1,0,100\n", 5000); /* a moment later: gone */
    expect(&r, 2, 0, 2, 2, 400, 2 * (5 + 5));
    replay_done(&r);
    r = replayed(ONE, ROWS "0,a,1,0,100\n5301,a,1,0,100\n", 0); /* never kept */
    expect(&r, 2, 0, 2, 2, 400, 0);
    replay_done(&r);
}

static void idle_time_ends_with_the_record(void **state)
{
    struct replay r = replayed(ONE, ROWS "999000,a,1,0,100\n", 600000);

    (void)state;
    expect(&r, 1, 0, 1, 1, 200, 2 * 0.7); /* idle from 999.3 s on; the record ends at 1000 s */
    replay_done(&r);
}

static void what_comes_first_free_serves_who_waits(void **state)
{
    struct replay r = replayed(ONE, ROWS "0,a,1,0,10\n300,a,2,0,50\n", 60000);

    (void)state;
    /* The first waits 200 ms. Then one is warm, and the other waits 50 ms for it, not the 200 ms of the start that it
     * asked for; that instance becomes warm stock. */
    expect(&r, 3, 0, 2, 2, 200 + 50, 2 * (0.090 + 60 + 60));
    replay_done(&r);
}

static void over_max_concurrency_is_refused(void **state)
{
    struct replay r = replayed(ENDPOINTS "a,1024,100,2,x\nb,1024,0,1,x\n", ROWS "0,a,5,0,10\n0,b,1,0,10\n", 0);

    (void)state;
    assert_int_equal(r.all.throttled, 3);
    assert_int_equal(r.all.served, 3);
    assert_int_equal(r.endpoints[0].throttled, 3);
    assert_int_equal(r.endpoints[0].starts, 2);
    assert_int_equal(r.endpoints[1].throttled, 0);
    assert_int_equal(r.endpoints[1].waited, 0); /* a start that takes no time */
    replay_done(&r);
}

static void percentiles_count_those_that_did_not_wait(void **state)
{
    struct replay r = replayed(ONE, ROWS "0,a,1,0,10\n1000,a,98,98000,10\n999999,a,1,0,10\n", 5000);

    (void)state;
    assert_int_equal(r.all.served, 100);
    assert_int_equal(r.all.waited, 2);
    assert_int_equal(replay_wait_ms(&r.all, 50), 0);
    assert_int_equal(replay_wait_ms(&r.all, 97), 0);
    assert_int_equal(replay_wait_ms(&r.all, 99), 200);
    assert_int_equal(replay_wait_ms(&r.all, 100), 200);
    assert_true(replay_cost(&r.all, 7) == r.all.idle_gb_s + 14);
    replay_done(&r);
}

static void nothing_is_nothing(void **state)
{
    struct replay r = replayed(ENDPOINTS, ROWS, 5000);

    (void)state;
    expect(&r, 0, 0, 0, 0, 0, 0);
    assert_int_equal(replay_wait_ms(&r.all, 99), 0);
    replay_done(&r);
}

/* ---- random traces ---- */

static uint64_t seed;

static uint64_t below(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

/* Endpoints that differ, and calls that overlap. */
static void random_trace(struct trace *t, uint64_t from)
{
    pl_cleanup(pl_buf_done) struct pl_buf endpoints = PL_BUF_INIT(1 << 20), rows = PL_BUF_INIT(1 << 20);
    struct pl_err err;
    uint64_t t_ms = 0;

    seed = from * UINT64_C(0x9e3779b97f4a7c15);
    assert_true(pl_buf_adds(&endpoints, ENDPOINTS) && pl_buf_adds(&rows, ROWS));
    for (int i = 0; i < 5; i++)
        assert_true(pl_buf_addf(&endpoints, "e%d,%d,%d,%d,x\n", i, 1024 * (1 + (int)below(6)), (int)below(3000),
                                1 + (int)below(20)));
    while ((t_ms += below(4000)) < 900000)
        assert_true(pl_buf_addf(&rows, "%" PRIu64 ",e%d,%d,%d,%d\n", t_ms, (int)below(5), 1 + (int)below(8),
                                (int)below(20000), (int)below(2000)));
    assert_true(pl_buf_addc(&endpoints, '\0') && pl_buf_addc(&rows, '\0'));
    assert_ok(read_trace(t, endpoints.data, rows.data, &err), err);
}

/* Whatever is kept: nobody is lost, nobody waits for nothing, and the parts make the whole. */
static void check(const struct trace *t, const struct replay *r, uint64_t from)
{
    struct replay_figures sum = { 0 };
    bool good = r->all.served + r->all.throttled == t->requests && r->all.waited <= r->all.served;

    for (size_t e = 0; e < t->endpoint_count; e++) {
        const struct replay_figures *one = &r->endpoints[e];

        good = good && one->starts <= one->waited + (t->endpoints[e]->init_ms == 0 ? one->served : 0);
        sum.served += one->served;
        sum.throttled += one->throttled;
        sum.starts += one->starts;
        sum.waited += one->waited;
        sum.waited_ms += one->waited_ms;
        sum.idle_gb_s += one->idle_gb_s;
    }
    for (int64_t i = 0; i < r->all.waited; i++)
        good = good && r->all.waits_ms[i] > 0;
    good = good && sum.served == r->all.served && sum.throttled == r->all.throttled && sum.starts == r->all.starts &&
           sum.waited == r->all.waited && sum.waited_ms == r->all.waited_ms &&
           fabs(sum.idle_gb_s - r->all.idle_gb_s) < 1e-6;
    /* No instance idles longer than it is kept, after its start and after each answer. */
    good = good && r->all.idle_gb_s <= 6 * (double)r->keep_alive_ms / 1000 * (double)(r->all.starts + r->all.served);
    if (!good)
        fail_msg("seed %" PRIu64 ", keep-alive %" PRId64 " ms", from, r->keep_alive_ms);
}

static void what_always_holds(void **state)
{
    static const int64_t keep_alives_ms[] = { 0, 1000, 30000, 604800000 };

    (void)state;
    for (uint64_t from = 1; from <= SEEDS; from++) {
        struct replay first = { 0 }, r, again;
        struct trace t;

        random_trace(&t, from);
        for (size_t i = 0; i < PL_COUNT(keep_alives_ms); i++) {
            replay_run(&r, &t, keep_alives_ms[i]);
            replay_run(&again, &t, keep_alives_ms[i]);
            check(&t, &r, from);
            assert_true(r.all.starts == again.all.starts && r.all.idle_gb_s == again.all.idle_gb_s);
            if (i == 0)
                first = r;
            else
                assert_true(r.all.starts < first.all.starts); /* keeping helps */
            if (i > 0)
                replay_done(&r);
            replay_done(&again);
        }
        assert_true(first.all.idle_gb_s == 0);
        replay_done(&first);
        trace_done(&t);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(an_instance_stays_as_long_as_it_is_kept),
        T(idle_time_ends_with_the_record),
        T(what_comes_first_free_serves_who_waits),
        T(over_max_concurrency_is_refused),
        T(percentiles_count_those_that_did_not_wait),
        T(nothing_is_nothing),
        T(what_always_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
