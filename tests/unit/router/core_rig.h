/* core_rig - a core without a world: events go in by hand, actions come out into a list. */
#ifndef TEST_ROUTER_CORE_RIG_H
#define TEST_ROUTER_CORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/core.h"

#include <string.h>

#define UNUSED __attribute__((unused))
#define MS     INT64_C(1000)
#define SECOND (1000 * MS)

static UNUSED struct pl_err err;

static UNUSED struct core *new_core(void)
{
    return core_new(&(struct core_settings){ .keep_alive_us = 60 * SECOND, .capacity_wait_us = SECOND, .seed = 7 });
}

static UNUSED struct core_variant_spec variant(const char *name)
{
    return (struct core_variant_spec){ .name = name,
                                       .runtime = "xgboost",
                                       .max_concurrency = 100,
                                       .weight = 1,
                                       .keep_alive_us = -1,
                                       .start_timeout_us = 10 * SECOND,
                                       .memory_mb = 1024,
                                       .artifact = 1 };
}

static UNUSED void serve(struct core *c, const char *name, int64_t generation, const struct core_variant_spec *variants,
                         size_t count)
{
    core_endpoint_set(c,
                      &(struct core_endpoint_spec){
                          .name = name, .generation = generation, .variants = variants, .variant_count = count },
                      0);
}

static UNUSED struct core_host *host(struct core *c, const char *id, int64_t free_mb)
{
    static const char *const runtimes[] = { "xgboost" };
    struct core_host *h = core_host_add(c, id, NULL);
    const struct core_load load = { .memory_mb = free_mb, .memory_free_mb = free_mb };

    core_host_up(c, h, runtimes, 1, &load, NULL, 0, 0);
    return h;
}

/* The next action, which must be of this kind. */
static UNUSED struct core_action next(struct core *c, enum core_action_kind kind)
{
    struct core_action a;

    if (!core_take(c, &a))
        fail_msg("no action, but kind %d is expected", (int)kind);
    assert_int_equal(a.kind, kind);
    return a;
}

static UNUSED void nothing(struct core *c)
{
    struct core_action a;

    if (core_take(c, &a))
        fail_msg("an action of kind %d, but nothing is expected", (int)a.kind);
}

static UNUSED void admit(struct core *c, struct core_request *q, const char *endpoint, int64_t now_us)
{
    if (core_admit(c, q, endpoint, "", now_us, &err) != PL_OK)
        fail_msg("%s", err.message);
}

/* Lets time pass without anything else: every due moment in between. */
static UNUSED void pass(struct core *c, int64_t until_us)
{
    while (core_next_us(c) <= until_us)
        core_tick(c, core_next_us(c));
}

#endif
