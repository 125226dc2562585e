/* Which host gets an instance. */
#include "core_rig.h"

/* Starts 'n' for as many requests, and counts those that 'h' gets. */
static unsigned starts_on(struct core *c, struct core_request *q, unsigned n, const struct core_host *h)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        admit(c, &q[i], "fraud", 0);
        count += next(c, CORE_START).instance->host == h;
    }
    nothing(c);
    return count;
}

static void free_memory_attracts(void **state)
{
    struct core_variant_spec v = variant("main");
    struct core *c = new_core();
    struct core_request q[64];
    struct core_host *roomy = host(c, "roomy", 32000);

    (void)state;
    (void)host(c, "narrow", 1000);
    serve(c, "fraud", 1, &v, 1);
    /* Two choices of two hosts: three times in four the roomy one is among them, until starts are under way there. */
    assert_in_range(starts_on(c, q, 64, roomy), 40, 62);
    core_free(c);
}

static void a_host_with_the_artifact_is_preferred(void **state)
{
    struct core_variant_spec v = variant("main");
    struct core *c = new_core();
    struct core_request q[33];
    struct core_host *a = host(c, "a", 8000), *b = host(c, "b", 8000), *has;
    struct core_action start;

    (void)state;
    serve(c, "fraud", 1, &v, 1);
    admit(c, &q[32], "fraud", 0);
    start = next(c, CORE_START);
    has = start.instance->host;
    core_started(c, start.instance, 1, &(struct core_start_parts){ 0 }, 1);
    (void)next(c, CORE_DISPATCH);
    assert_true(has == a || has == b);
    assert_in_range(starts_on(c, q, 16, has), 9, 16);
    core_free(c);
}

static void only_hosts_that_can(void **state)
{
    static const char *const other[] = { "python" };
    struct core_variant_spec v = variant("main");
    struct core *c = new_core();
    struct core_request q[4];
    struct core_host *good = host(c, "good", 1000), *draining = host(c, "draining", 9000),
                     *down = host(c, "down", 9000), *wrong = core_host_add(c, "wrong", NULL);

    (void)state;
    core_host_up(c, wrong, other, 1, &(struct core_load){ .memory_free_mb = 9000 }, NULL, 0, 0);
    core_host_draining(c, draining, true, 0);
    core_host_down(c, down, 0);
    serve(c, "fraud", 1, &v, 1);
    assert_int_equal(starts_on(c, q, 4, good), 4);
    core_free(c);
}

static void the_floor_is_spread(void **state)
{
    struct core_variant_spec v = variant("main");
    struct core *c = new_core();
    unsigned counts[3] = { 0 };

    (void)state;
    struct core_host *hosts[] = { host(c, "a", 32000), host(c, "b", 1000), host(c, "c", 100) };
    v.provisioned = 6;
    serve(c, "fraud", 1, &v, 1);
    for (unsigned i = 0; i < 6; i++) {
        struct core_instance *in = next(c, CORE_START).instance;

        for (unsigned k = 0; k < 3; k++)
            counts[k] += in->host == hosts[k];
    }
    nothing(c);
    for (unsigned k = 0; k < 3; k++)
        assert_int_equal(counts[k], 2);
    core_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_memory_attracts),
        cmocka_unit_test(a_host_with_the_artifact_is_preferred),
        cmocka_unit_test(only_hosts_that_can),
        cmocka_unit_test(the_floor_is_spread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
