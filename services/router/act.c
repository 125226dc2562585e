#include "act.h"

#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"

#include <stdlib.h>

#define KINDS (CORE_ENDPOINT_GONE + 1)

struct act {
    struct loop *loop;
    struct core *core;
    struct loop_timer timer;
    int64_t armed_us; /* what the timer is set for */
    struct {
        act_fn *fn;
        void *arg;
    } hands[KINDS];
};

static void carry_out(struct act *a)
{
    struct core_action x;

    while (core_take(a->core, &x))
        if (a->hands[x.kind].fn)
            a->hands[x.kind].fn(a->hands[x.kind].arg, &x);
}

static void arm(struct act *a, int64_t at_us)
{
    a->armed_us = at_us;
    if (at_us == CORE_NEVER)
        loop_timer_clear(a->loop, &a->timer);
    else
        loop_timer_set(a->loop, &a->timer, (at_us + 999) / 1000);
}

void act_flush(struct act *a)
{
    int64_t next_us, now_us;

    carry_out(a);
    while ((next_us = core_next_us(a->core)) != a->armed_us) {
        now_us = next_us == CORE_NEVER ? 0 : pl_now_us();
        if (next_us > now_us) {
            arm(a, next_us);
            return;
        }
        core_tick(a->core, now_us);
        carry_out(a);
    }
}

static void due(struct loop_timer *t)
{
    struct act *a = PL_CONTAINER(t, struct act, timer);

    a->armed_us = CORE_NEVER;
    core_tick(a->core, pl_now_us());
    act_flush(a);
}

struct act *act_new(struct loop *l, struct core *c)
{
    struct act *a = PL_NEW(struct act);

    a->loop = l;
    a->core = c;
    a->timer.fire = due;
    a->armed_us = CORE_NEVER;
    return a;
}

void act_free(struct act *a)
{
    if (a)
        loop_timer_clear(a->loop, &a->timer);
    free(a);
}

struct core *act_core(struct act *a)
{
    return a->core;
}

void act_hand(struct act *a, enum core_action_kind kind, act_fn *fn, void *arg)
{
    a->hands[kind].fn = fn;
    a->hands[kind].arg = arg;
}
