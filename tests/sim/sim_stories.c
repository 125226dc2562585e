/* A few scenarios on virtual time, told by the core's own actions and compared with what must be told. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Everything takes exactly as long as the story says. */
static struct world *exact_world(void)
{
    static const struct world_settings s = { .seed = 1,
                                             .keep_alive_us = 300 * SECOND,
                                             .capacity_wait_us = SECOND,
                                             .start_min_us = 38 * MS,
                                             .start_max_us = 38 * MS,
                                             .model_min_us = 3 * MS,
                                             .model_max_us = 3 * MS,
                                             .story = true };
    return world_new(&s);
}

static void expect(struct world *w, const char *story)
{
    assert_string_equal(world_story(w), story);
    world_free(w);
}

/* A call from nothing, a warm one, and five minutes of silence. */
static void cold_warm_and_gone(void **state)
{
    struct world *w = exact_world();

    (void)state;
    (void)world_host(w, 4);
    world_endpoint(w, "fraud", 2, 0, -1);
    (void)world_request(w, "fraud");
    world_run(w, 100 * MS);
    (void)world_request(w, "fraud");
    world_run(w, 400 * SECOND);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] request 1 -> instance 1, cold\n"
              "[     41] request 1 answered\n"
              "[    100] fraud request 2\n"
              "[    100] request 2 -> instance 1\n"
              "[    103] request 2 answered\n"
              "[ 300103] stop instance 1: keep-alive over\n");
}

/* Two are started for two; the second takes the first instance that is free, and the surplus becomes stock. */
static void late_binding(void **state)
{
    struct world *w = exact_world();

    (void)state;
    (void)world_host(w, 4);
    world_endpoint(w, "fraud", 3, 0, SECOND);
    (void)world_request(w, "fraud");
    world_run(w, 37 * MS);
    (void)world_request(w, "fraud");
    (void)world_request(w, "fraud");
    world_run(w, 10 * SECOND);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     37] fraud request 2\n"
              "[     37] fraud -> cold start on host-a\n"
              "[     37] fraud request 3\n"
              "[     37] fraud -> cold start on host-a\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] request 1 -> instance 1, cold\n"
              "[     41] request 1 answered\n"
              "[     41] request 2 -> instance 1\n"
              "[     44] request 2 answered\n"
              "[     44] request 3 -> instance 1\n"
              "[     47] request 3 answered\n"
              "[     75] fraud instance 2 ready\n"
              "[     75] fraud instance 3 ready\n"
              "[   1047] stop instance 1: keep-alive over\n"
              "[   1075] stop instance 2: keep-alive over\n"
              "[   1075] stop instance 3: keep-alive over\n");
}

/* Waiting requests count: the third is refused, and in again when one has ended. */
static void over_the_limit(void **state)
{
    struct world *w = exact_world();

    (void)state;
    (void)world_host(w, 4);
    world_endpoint(w, "fraud", 2, 0, -1);
    (void)world_request(w, "fraud");
    (void)world_request(w, "fraud");
    (void)world_request(w, "fraud");
    world_run(w, 50 * MS);
    (void)world_request(w, "fraud");
    world_run(w, 50 * MS);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[      0] fraud request 2\n"
              "[      0] fraud -> cold start on host-a\n"
              "[      0] fraud request 3\n"
              "[      0] request 3 refused: MAX_CONCURRENCY\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] request 1 -> instance 1, cold\n"
              "[     38] fraud instance 2 ready\n"
              "[     38] request 2 -> instance 2, cold\n"
              "[     41] request 1 answered\n"
              "[     41] request 2 answered\n"
              "[     50] fraud request 4\n"
              "[     50] request 4 -> instance 2\n"
              "[     53] request 4 answered\n");
}

/* Provisioned instances come without a call, over both hosts, and are replaced; spillover goes at once. */
static void provisioned(void **state)
{
    struct world *w = exact_world();

    (void)state;
    (void)world_host(w, 4);
    (void)world_host(w, 4);
    world_endpoint(w, "fraud", 4, 2, 0);
    world_run(w, 100 * MS);
    world_kill(w);
    world_run(w, 100 * MS);
    for (int i = 0; i < 3; i++)
        (void)world_request(w, "fraud");
    world_run(w, SECOND);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] host-b is up with 0 instances\n"
              "[      0] fraud -> cold start on host-b\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] fraud instance 2 ready\n"
              "[    100] instance 1 is killed\n"
              "[    100] fraud -> cold start on host-b\n"
              "[    138] fraud instance 3 ready\n"
              "[    200] fraud request 1\n"
              "[    200] request 1 -> instance 3\n"
              "[    200] fraud request 2\n"
              "[    200] request 2 -> instance 2\n"
              "[    200] fraud request 3\n"
              "[    200] fraud -> cold start on host-b\n"
              "[    203] request 2 answered\n"
              "[    203] request 3 -> instance 2\n"
              "[    203] request 1 answered\n"
              "[    203] fraud -> start is called off\n"
              "[    206] request 3 answered\n"
              "[    238] fraud instance 4 ready\n"
              "[    238] stop instance 4: not wanted any more\n");
}

/* The old generation finishes what it has; a start that nobody waits for is called off. */
static void update_and_delete(void **state)
{
    struct world *w = exact_world();
    unsigned leaves;

    (void)state;
    (void)world_host(w, 4);
    world_endpoint(w, "fraud", 4, 0, -1);
    (void)world_request(w, "fraud");
    world_run(w, 100 * MS);
    (void)world_request(w, "fraud");
    leaves = world_request(w, "fraud");
    world_endpoint(w, "fraud", 4, 0, -1);
    (void)world_request(w, "fraud");
    world_cancel(w, leaves);
    world_run(w, 100 * MS);
    world_endpoint_remove(w, "fraud");
    (void)world_request(w, "fraud");
    world_run(w, 100 * MS);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] request 1 -> instance 1, cold\n"
              "[     41] request 1 answered\n"
              "[    100] fraud request 2\n"
              "[    100] request 2 -> instance 1\n"
              "[    100] fraud request 3\n"
              "[    100] fraud -> cold start on host-a\n"
              "[    100] fraud request 4\n"
              "[    100] fraud -> cold start on host-a\n"
              "[    100] request 3 cancelled\n"
              "[    100] fraud -> start is called off\n"
              "[    103] request 2 answered\n"
              "[    103] stop instance 1: endpoint updated\n"
              "[    138] fraud instance 3 ready\n"
              "[    138] request 4 -> instance 3, cold\n"
              "[    141] request 4 answered\n"
              "[    200] stop instance 3: endpoint deleted\n"
              "[    200] fraud request 5\n"
              "[    200] request 5 refused: NOT_FOUND\n"
              "[    200] fraud is gone\n");
}

/* The instance died before it had the request: another takes it, before those that came later. */
static void miss(void **state)
{
    struct world *w = exact_world();

    (void)state;
    (void)world_host(w, 4);
    world_endpoint(w, "fraud", 4, 0, -1);
    (void)world_request(w, "fraud");
    world_run(w, 100 * MS);
    world_lose(w);
    (void)world_request(w, "fraud");
    (void)world_request(w, "fraud");
    world_run(w, 100 * MS);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] request 1 -> instance 1, cold\n"
              "[     41] request 1 answered\n"
              "[    100] instance 1 is killed\n"
              "[    100] fraud request 2\n"
              "[    100] request 2 -> instance 1\n"
              "[    100] fraud request 3\n"
              "[    100] fraud -> cold start on host-a\n"
              "[    100] stop stranger 1: it did not take a request\n"
              "[    100] fraud -> cold start on host-a\n"
              "[    138] fraud instance 2 ready\n"
              "[    138] request 2 -> instance 2, cold\n"
              "[    138] fraud instance 3 ready\n"
              "[    138] request 3 -> instance 3, cold\n"
              "[    141] request 2 answered\n"
              "[    141] request 3 answered\n");
}

/* Repeated at once, then with growing pauses; after the third failure the caller is told, and the next one finds the
 * pause. */
static void starts_fail(void **state)
{
    struct world *w = exact_world();

    (void)state;
    (void)world_host(w, 4);
    world_endpoint(w, "fraud", 4, 0, -1);
    world_chances(w, 1000, 0);
    (void)world_request(w, "fraud");
    world_run(w, 300 * MS);
    (void)world_request(w, "fraud");
    world_run(w, 500 * MS);
    world_chances(w, 0, 0);
    world_run(w, SECOND);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     38] fraud start failed: PRECONDITION\n"
              "[     38] fraud -> cold start on host-a\n"
              "[     76] fraud start failed: PRECONDITION\n"
              "[    176] fraud -> cold start on host-a\n"
              "[    214] fraud start failed: PRECONDITION\n"
              "[    214] request 1 MODEL_NOT_LOADED\n"
              "[    300] fraud request 2\n"
              "[    414] fraud -> cold start on host-a\n"
              "[    452] fraud start failed: PRECONDITION\n"
              "[    452] request 2 MODEL_NOT_LOADED\n");
}

/* A full host gives up what is idle for longest; when nothing is, a request waits for capacity_wait. */
static void no_room(void **state)
{
    struct world *w = exact_world();

    (void)state;
    (void)world_host(w, 1);
    world_endpoint(w, "fraud", 4, 0, -1);
    world_endpoint(w, "churn", 4, 0, -1);
    (void)world_request(w, "fraud");
    world_run(w, 100 * MS);
    (void)world_request(w, "churn");
    world_run(w, SECOND);
    world_endpoint(w, "price", 1, 1, -1);
    world_run(w, SECOND);
    (void)world_request(w, "fraud");
    world_run(w, 2 * SECOND);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] request 1 -> instance 1, cold\n"
              "[     41] request 1 answered\n"
              "[    100] churn request 2\n"
              "[    100] churn -> cold start on host-a\n"
              "[    100] churn start failed: EXHAUSTED\n"
              "[    100] stop instance 1: its host needs the room\n"
              "[    100] churn -> cold start on host-a\n"
              "[    138] churn instance 2 ready\n"
              "[    138] request 2 -> instance 2, cold\n"
              "[    141] request 2 answered\n"
              "[   1100] price -> cold start on host-a\n"
              "[   1100] price start failed: EXHAUSTED\n"
              "[   1100] stop instance 2: its host needs the room\n"
              "[   1100] price -> cold start on host-a\n"
              "[   1138] price instance 3 ready\n"
              "[   2100] fraud request 3\n"
              "[   2100] fraud -> cold start on host-a\n"
              "[   2100] fraud start failed: EXHAUSTED\n"
              "[   2600] fraud -> cold start on host-a\n"
              "[   2600] fraud start failed: EXHAUSTED\n"
              "[   3100] request 3 NO_CAPACITY\n");
}

/* What an unreachable host has is not used, and is taken over when it can be heard again. */
static void host_comes_back(void **state)
{
    struct world *w = exact_world();
    unsigned host = world_host(w, 4);

    (void)state;
    world_endpoint(w, "fraud", 4, 0, -1);
    (void)world_request(w, "fraud");
    world_run(w, 100 * MS);
    world_host_loses_contact(w, host);
    (void)world_request(w, "fraud");
    world_run(w, 500 * MS);
    world_host_returns(w, host);
    world_run(w, 100 * MS);
    expect(w, "[      0] host-a is up with 0 instances\n"
              "[      0] fraud request 1\n"
              "[      0] fraud -> cold start on host-a\n"
              "[     38] fraud instance 1 ready\n"
              "[     38] request 1 -> instance 1, cold\n"
              "[     41] request 1 answered\n"
              "[    100] host-a is down\n"
              "[    100] fraud request 2\n"
              "[    600] host-a is up with 1 instances\n"
              "[    600] request 2 -> instance 1\n"
              "[    603] request 2 answered\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_warm_and_gone), cmocka_unit_test(late_binding),      cmocka_unit_test(over_the_limit),
        cmocka_unit_test(provisioned),        cmocka_unit_test(update_and_delete), cmocka_unit_test(miss),
        cmocka_unit_test(starts_fail),        cmocka_unit_test(no_room),           cmocka_unit_test(host_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
