/* Thousands of random worlds: requests in bursts, callers that leave, hosts that fail and come back, instances that
 * die, endpoints that are updated and deleted. world.h lists what is checked at every step; here, what must hold at the
 * end.
 *
 *     test_sim_random [SEED]        that world alone, with its story */
#include "world.h"

#include "base/sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS     (PL_SANITIZED ? 1000 : 4000) /* the decisions are the same with a sanitizer */
#define ENDPOINTS 3
#define HOSTS     3

static const char *const names[ENDPOINTS] = { "fraud", "churn", "price" };
static uint64_t only_seed;

struct run {
    struct world *w;
    unsigned max[ENDPOINTS], provisioned[ENDPOINTS];
    bool exists[ENDPOINTS];
    unsigned last_request;
};

static void set_endpoint(struct run *r, unsigned i)
{
    static const int64_t keep_alives[] = { 0, 50 * MS, 2 * SECOND, -1 };

    r->max[i] = 1 + (unsigned)world_random(r->w, 8);
    r->provisioned[i] = world_random(r->w, 3) ? 0 : (unsigned)world_random(r->w, r->max[i] + 1);
    r->exists[i] = true;
    world_endpoint(r->w, names[i], r->max[i], r->provisioned[i], keep_alives[world_random(r->w, 4)]);
}

static void requests(struct run *r)
{
    unsigned n = 1 + (unsigned)world_random(r->w, 6);
    const char *name = names[world_random(r->w, ENDPOINTS)];

    for (unsigned i = 0; i < n; i++) {
        unsigned number = world_request(r->w, name);

        r->last_request = number ? number : r->last_request;
    }
}

static void one_thing(struct run *r)
{
    struct world *w = r->w;
    unsigned host = (unsigned)world_random(w, HOSTS), endpoint = (unsigned)world_random(w, ENDPOINTS);

    switch (world_random(w, 40)) {
    case 0:
        world_host_fails(w, host);
        break;
    case 1:
        world_host_loses_contact(w, host);
        break;
    case 2:
    case 3:
    case 4:
        world_host_returns(w, host);
        break;
    case 12:
    case 13:
        world_host_loses_stream(w, host);
        if (world_random(w, 2))
            world_host_returns(w, host);
        break;
    case 14:
        world_lose(w);
        break;
    case 5:
        set_endpoint(r, endpoint);
        break;
    case 6:
        r->exists[endpoint] = false;
        world_endpoint_remove(w, names[endpoint]);
        break;
    case 7:
    case 8:
        world_kill(w);
        break;
    case 9:
    case 10:
    case 11:
        if (r->last_request > 0)
            world_cancel(w, r->last_request - (unsigned)world_random(w, r->last_request < 8 ? r->last_request : 8));
        break;
    default:
        requests(r);
        break;
    }
}

/* Hosts are back, nobody calls: all that was asked for ends, floors are restored, the rest goes. */
static void calm_down(struct run *r)
{
    const struct world_counts *c = world_counts(r->w);
    struct world *w = r->w;

    for (unsigned i = 0; i < HOSTS; i++)
        world_host_returns(w, i);
    world_run(w, 120 * SECOND);
    world_settle(w);
    assert_int_equal(c->requests, c->answered + c->failed + c->cancelled);
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        struct core_endpoint *e = core_endpoint_find(world_core(w), names[i]);

        if (!r->exists[i]) {
            assert_null(e);
            assert_int_equal(world_alive(w, names[i]), 0);
            continue;
        }
        assert_true(list_empty(&e->retired));
        assert_int_equal(world_alive(w, names[i]), r->provisioned[i]);
    }
}

static void run_seed(uint64_t seed)
{
    struct world_settings s = { .seed = seed,
                                .keep_alive_us = 5 * SECOND,
                                .capacity_wait_us = 3 * SECOND,
                                .start_min_us = 1 * MS,
                                .start_max_us = 300 * MS,
                                .model_min_us = 100,
                                .model_max_us = 50 * MS,
                                .story = only_seed != 0 };
    struct run r = { .w = world_new(&s) };
    struct world *w = r.w;

    s.start_fails = (unsigned)world_random(w, 4) ? 0 : (unsigned)world_random(w, 400);
    s.instance_dies = (unsigned)world_random(w, 4) ? 0 : (unsigned)world_random(w, 100);
    world_chances(w, s.start_fails, s.instance_dies);
    for (unsigned i = 0; i < HOSTS; i++)
        (void)world_host(w, 8 + (unsigned)world_random(w, 9));
    for (unsigned i = 0; i < ENDPOINTS; i++)
        set_endpoint(&r, i);
    for (unsigned i = 0; i < 150; i++) {
        one_thing(&r);
        world_run(w, (int64_t)world_random(w, world_random(w, 5) ? 20 * MS : 3 * SECOND));
    }
    world_chances(w, 0, 0);
    calm_down(&r);
    if (only_seed)
        printf("%s", world_story(w));
    world_free(w);
}

static uint64_t current;

static void thousands_of_worlds(void **state)
{
    (void)state;
    for (current = only_seed ? only_seed : 1; current <= (only_seed ? only_seed : SEEDS); current++)
        run_seed(current);
}

static int tell_seed(void **state)
{
    (void)state;
    if (current <= SEEDS && !only_seed)
        fprintf(stderr, "it was seed %" PRIu64 "\n", current);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(thousands_of_worlds, tell_seed) };

    only_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
