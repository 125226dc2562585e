/* A random play with crashes: checks what must hold whatever happens. */
#include "lives.h"

static uint64_t seed;
static unsigned dice(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static const char *const names[] = { "a", "b", "c" };

/* What holds between any two events. */
static void check_invariants(void)
{
    for (size_t i = 0; i < PL_COUNT(names); i++) {
        pl_cleanup(store_row_done) struct store_row row = { 0 };
        if (store_get(w.store, STORE_ENDPOINT, names[i], &row, &err) != PL_OK)
            continue;
        pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(&row, &err);
        assert_non_null(r);
        bool proving = row.status == ENDPOINT_STATUS(CREATING) || row.status == ENDPOINT_STATUS(UPDATING);
        assert_true(!r->pending || proving);
        if (row.status != ENDPOINT_STATUS(CREATING) && row.status != ENDPOINT_STATUS(DELETING))
            assert_true((r->serving != NULL) == (row.status != ENDPOINT_STATUS(FAILED)));
        if (row.status == ENDPOINT_STATUS(FAILED) || row.status == ENDPOINT_STATUS(ROLLING_BACK))
            assert_true(*r->failure_reason != '\0');
        for (size_t k = 0; r->serving && k < r->serving->n_variants; k++) /* never an unproven one */
            assert_int_equal(strlen(r->serving->variants[k]->variant->artifact_sha256), 64);
        assert_true(row.version <= store_version(w.store));
    }
}

static void random_event(void)
{
    static const enum pl_code codes[] = { PL_OK, PL_OK, PL_OK, PL_UNAVAILABLE, PL_EXHAUSTED, PL_PRECONDITION };
    const char *name = names[dice(PL_COUNT(names))], *config = dice(2) ? "one" : "two";
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    switch (dice(8)) {
    case 0:
        if (store_get(w.store, STORE_ENDPOINT, name, &row, &err) != PL_OK)
            create(name, config);
        break;
    case 1:
        (void)update(name, config);
        break;
    case 2:
        if (dice(3) == 0)
            (void)delete (name);
        break;
    case 3:
        w.applied = dice(2) ? INT64_MAX : 0;
        w.busy = dice(2);
        lifecycle_routers_changed(w.lifecycle);
        break;
    case 4:
        w.hosts = dice(3);
        lifecycle_hosts_changed(w.lifecycle);
        break;
    case 5:
        if (dice(4) == 0) {
            lives_crash();
            lives_start();
        }
        break;
    default:
        for (size_t i = 0, from = dice(CALLS); i < CALLS; i++) {
            struct fake_call *c = &w.calls[(from + i) % CALLS];
            enum pl_code code = codes[dice(PL_COUNT(codes))];
            if (c->open) {
                answer(c, code, code == PL_OK ? SHA_A : "trouble");
                break;
            }
        }
    }
    advance(w.now + dice(3) * dice(3000));
}

static void test_random_lives_settle(void **state)
{
    for (uint64_t run = 1; run <= 40; run++) {
        seed = run;
        for (int i = 0; i < 60; i++) {
            random_event();
            check_invariants();
            w.story[0] = '\0';
        }
        w.applied = INT64_MAX; /* now the world is kind */
        w.busy = false;
        w.hosts = 1;
        lifecycle_hosts_changed(w.lifecycle);
        for (int i = 0; i < 100 && lifecycle_count(w.lifecycle) > 0; i++) {
            for (size_t k = 0; k < CALLS; k++)
                if (w.calls[k].open)
                    answer(&w.calls[k], PL_OK, SHA_A);
            advance(w.now + 1000);
        }
        if (lifecycle_count(w.lifecycle) > 0)
            fail_msg("run %d does not settle", (int)run);
        check_invariants();
        lives_teardown(state);
        lives_setup(state);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lives_setup, lives_teardown)
    const struct CMUnitTest tests[] = {
        T(test_random_lives_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
