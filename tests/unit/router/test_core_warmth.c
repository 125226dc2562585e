/* Who stays warm: the policy is asked level by level, and its windows are kept. */
#include "core_rig.h"

/* A policy that lets go at once and wants level 1 back from 'from' to 'until' after that; it notes what it is told. */
static struct {
    int64_t from_us, until_us;
    unsigned busy, idle, last_level, colds;
} p;

static void on_busy(struct policy *policy, int64_t now_us, unsigned level, bool cold)
{
    (void)policy;
    (void)now_us;
    p.busy++;
    p.colds += cold;
    p.last_level = level;
}

static struct policy_window on_idle(struct policy *policy, int64_t now_us, unsigned level)
{
    (void)policy;
    p.idle++;
    p.last_level = level;
    return (struct policy_window){ now_us + p.from_us, now_us + p.until_us };
}

static const struct policy_ops noting = { .name = "noting", .busy = on_busy, .idle = on_idle };

struct one {
    struct core *c;
    struct core_host *h;
    struct core_request q[4];
    uint64_t next_id;
};

static void up(struct one *o, int64_t from_us, int64_t until_us)
{
    struct core_variant_spec v = variant("main");

    memset(o, 0, sizeof(*o));
    memset(&p, 0, sizeof(p));
    p.from_us = from_us;
    p.until_us = until_us;
    o->c = new_core();
    o->h = host(o->c, "a", 8000);
    v.policy = &noting;
    serve(o->c, "fraud", 1, &v, 1);
}

static struct core_instance *ready(struct one *o, int64_t now_us)
{
    struct core_instance *in = next(o->c, CORE_START).instance;

    core_started(o->c, in, ++o->next_id, &(struct core_start_parts){ .load_us = 1 }, now_us);
    return in;
}

static void levels(void **state)
{
    struct one o;

    (void)state;
    up(&o, 0, SECOND);
    admit(o.c, &o.q[0], "fraud", 0);
    admit(o.c, &o.q[1], "fraud", 0);
    (void)next(o.c, CORE_START);
    struct core_instance *second = next(o.c, CORE_START).instance;
    core_started(o.c, second, 1, &(struct core_start_parts){ .load_us = 1 }, MS);
    assert_int_equal(p.busy, 1);
    assert_int_equal(p.last_level, 1);
    assert_int_equal(p.colds, 1);
    (void)next(o.c, CORE_DISPATCH);
    /* It takes the next at once: its level was not idle in between. */
    core_replied(o.c, &o.q[0], CORE_ANSWERED, NULL, 2 * MS);
    (void)next(o.c, CORE_DISPATCH);
    assert_int_equal(p.busy, 1);
    assert_int_equal(p.idle, 0);
    core_replied(o.c, &o.q[1], CORE_ANSWERED, NULL, 3 * MS);
    assert_int_equal(p.idle, 1);
    assert_int_equal(p.last_level, 1);
    assert_true(core_stops_at_us(second, 3 * MS) == 3 * MS + SECOND);
    pass(o.c, 2 * SECOND); /* the start that nobody waits for goes first */
    (void)next(o.c, CORE_CANCEL_START);
    assert_ptr_equal(next(o.c, CORE_STOP).instance, second);
    core_free(o.c);
}

static void a_window_that_begins_later(void **state)
{
    struct one o;
    struct core_instance *in;

    (void)state;
    up(&o, 10 * SECOND, 12 * SECOND);
    admit(o.c, &o.q[0], "fraud", 0);
    in = ready(&o, MS);
    (void)next(o.c, CORE_DISPATCH);
    core_replied(o.c, &o.q[0], CORE_ANSWERED, NULL, 2 * MS);
    pass(o.c, 2 * MS);
    assert_ptr_equal(next(o.c, CORE_STOP).instance, in);
    core_stopped(o.c, in, 3 * MS);
    pass(o.c, 9 * SECOND);
    nothing(o.c);
    assert_int_equal(core_next_us(o.c), 10 * SECOND + 2 * MS);
    pass(o.c, 10 * SECOND + 2 * MS);
    in = ready(&o, 10 * SECOND + 20 * MS);
    nothing(o.c);
    assert_int_equal(p.idle, 1); /* it is not asked about what it wanted itself */
    pass(o.c, 12 * SECOND + MS);
    nothing(o.c);
    pass(o.c, 12 * SECOND + 2 * MS);
    assert_ptr_equal(next(o.c, CORE_STOP).instance, in);
    core_stopped(o.c, in, 13 * SECOND);
    pass(o.c, 100 * SECOND);
    nothing(o.c);
    core_free(o.c);
}

static void a_request_ends_the_window_of_its_level(void **state)
{
    struct one o;
    struct core_instance *in;

    (void)state;
    up(&o, 10 * SECOND, 12 * SECOND);
    admit(o.c, &o.q[0], "fraud", 0);
    (void)ready(&o, MS);
    (void)next(o.c, CORE_DISPATCH);
    core_replied(o.c, &o.q[0], CORE_ANSWERED, NULL, 2 * MS);
    pass(o.c, 2 * MS);
    core_stopped(o.c, next(o.c, CORE_STOP).instance, 3 * MS);
    admit(o.c, &o.q[0], "fraud", 5 * SECOND);
    in = ready(&o, 5 * SECOND + MS);
    assert_ptr_equal(next(o.c, CORE_DISPATCH).instance, in);
    pass(o.c, 11 * SECOND); /* it is still at it */
    nothing(o.c);
    core_free(o.c);
}

static void fixed_keep_alive(void **state)
{
    struct policy fixed = { .ops = &policy_fixed, .keep_alive_us = 7 };
    struct policy_window w = fixed.ops->idle(&fixed, 100, 3);

    (void)state;
    assert_true(w.from_us == 100 && w.until_us == 107);
}

/* The one that was used last is taken first, and the others go when they are due. */
static void most_recently_used_first(void **state)
{
    struct one o;
    struct core_instance *in[2];

    (void)state;
    up(&o, 0, SECOND);
    for (int i = 0; i < 2; i++)
        admit(o.c, &o.q[i], "fraud", 0);
    for (int i = 0; i < 2; i++)
        in[i] = next(o.c, CORE_START).instance;
    for (int i = 0; i < 2; i++)
        core_started(o.c, in[i], (uint64_t)i + 1, &(struct core_start_parts){ .load_us = 1 }, MS);
    for (int i = 0; i < 2; i++)
        (void)next(o.c, CORE_DISPATCH);
    core_replied(o.c, &o.q[1], CORE_ANSWERED, NULL, 2 * MS);
    core_replied(o.c, &o.q[0], CORE_ANSWERED, NULL, 3 * MS);
    for (int64_t t = 10; t < 1500; t += 10) {
        pass(o.c, t * MS);
        if (t < 1010)
            nothing(o.c);
        else if (t == 1010)
            assert_ptr_equal(next(o.c, CORE_STOP).instance, in[1]);
        admit(o.c, &o.q[2], "fraud", t * MS);
        assert_ptr_equal(next(o.c, CORE_DISPATCH).instance, in[0]);
        core_replied(o.c, &o.q[2], CORE_ANSWERED, NULL, t * MS + 1);
    }
    core_free(o.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(a_window_that_begins_later),
        cmocka_unit_test(a_request_ends_the_window_of_its_level),
        cmocka_unit_test(fixed_keep_alive),
        cmocka_unit_test(most_recently_used_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
