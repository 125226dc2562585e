/* What a host without instances takes and refuses, and in which words. */
#include "capacity.h"
#include "unit_test.h"

#include "instance.h"
#include "loop/loop.h"

#define MIB ((int64_t)1 << 20)

static struct loop *loop;
static struct instances *instances;
static struct pl_err err;

static struct capacity *make(int64_t memory_mb, double overcommit, int64_t instance_limit)
{
    return capacity_new(loop, instances,
                        &(struct capacity_options){ .memory_bytes = memory_mb * MIB,
                                                    .overcommit = overcommit,
                                                    .instance_limit = instance_limit });
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new(0);
    instances = instances_new(loop, NULL, NULL, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    instances_free(instances);
    loop_free(loop);
    return 0;
}

static void refused(struct capacity *c, int memory_size_mb, int64_t estimate_mb, const char *part)
{
    assert_int_equal(capacity_admit(c, memory_size_mb, estimate_mb * MIB, &err), PL_EXHAUSTED);
    assert_string_equal(err.reason, "NO_CAPACITY");
    assert_true(err.retry_after_ms > 0);
    assert_text(err.message, part);
}

static void memory_that_is_left(void **state)
{
    struct capacity *c = make(100, 0, 10);
    struct capacity_load load;

    (void)state;
    capacity_load(c, &load);
    assert_int_equal(load.memory_mb, 100);
    assert_int_equal(load.memory_used_mb, 0);
    assert_in_range(load.memory_free_mb, 1, 99); /* a part of it is headroom */
    assert_int_equal(load.instances, 0);
    assert_int_equal(load.instance_limit, 10);
    /* The memory size is a limit, not a reservation. */
    assert_ok(capacity_admit(c, 6144, load.memory_free_mb * MIB, &err), err);
    refused(c, 1024, 100, "of 100 MB");
    capacity_free(c);
}

static void instances_at_most(void **state)
{
    struct capacity *c = make(100, 0, 0);

    (void)state;
    refused(c, 1024, 1, "instance_limit is 0");
    capacity_free(c);
}

static void promises(void **state)
{
    struct capacity *c = make(1000, 2, 10);

    (void)state;
    assert_ok(capacity_admit(c, 2000, MIB, &err), err);
    refused(c, 2001, 1, "may not exceed 2000 MB: overcommit 2 of 1000 MB");
    capacity_free(c);
}

#define R(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = { R(memory_that_is_left), R(instances_at_most), R(promises) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
