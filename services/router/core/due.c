/* A binary heap of variants by due_us. On the way of a warm request nothing moves in it: due_us may be too early, which
 * costs one tick that finds nothing to do. */
#include "state.h"

#include "base/mem.h"

#include <assert.h>

static void put(struct core *c, size_t slot, struct core_variant *v)
{
    c->due[slot - 1] = v;
    v->due_slot = slot;
}

static void up(struct core *c, struct core_variant *v)
{
    size_t slot = v->due_slot;

    for (; slot > 1 && c->due[slot / 2 - 1]->due_us > v->due_us; slot /= 2)
        put(c, slot, c->due[slot / 2 - 1]);
    put(c, slot, v);
}

static void down(struct core *c, struct core_variant *v)
{
    size_t slot = v->due_slot, child;

    for (; (child = 2 * slot) <= c->due_count; slot = child) {
        if (child < c->due_count && c->due[child]->due_us < c->due[child - 1]->due_us)
            child++;
        if (c->due[child - 1]->due_us >= v->due_us)
            break;
        put(c, slot, c->due[child - 1]);
    }
    put(c, slot, v);
}

void due_remove(struct core *c, struct core_variant *v)
{
    struct core_variant *last;

    v->due_us = CORE_NEVER;
    if (v->due_slot == 0)
        return;
    last = c->due[--c->due_count];
    if (last != v) {
        put(c, v->due_slot, last);
        up(c, last);
        down(c, last);
    }
    v->due_slot = 0;
}

void due_set(struct core *c, struct core_variant *v, int64_t at_us)
{
    if (at_us == CORE_NEVER) {
        due_remove(c, v);
        return;
    }
    v->due_us = at_us;
    if (v->due_slot == 0) {
        if (c->due_count == c->due_room) {
            c->due_room = c->due_room ? 2 * c->due_room : 64;
            c->due = pl_grow(c->due, c->due_room, sizeof(struct core_variant *));
        }
        v->due_slot = ++c->due_count;
    }
    up(c, v);
    down(c, v);
}

void due_by(struct core *c, struct core_variant *v, int64_t at_us)
{
    if (at_us < v->due_us)
        due_set(c, v, at_us);
}

int64_t core_next_us(const struct core *c)
{
    return c->due_count ? c->due[0]->due_us : CORE_NEVER;
}

void core_tick(struct core *c, int64_t now_us)
{
    while (c->due_count && c->due[0]->due_us <= now_us) {
        struct core_variant *v = c->due[0];

        coldstart_expire(c, v, now_us);
        warmth_expire(c, v, now_us);
        coldstart_balance(c, v, now_us);
        coldstart_expire_starved(c, v, now_us);
        due_remove(c, v);
        due_by(c, v, warmth_due_us(v, now_us));
        due_by(c, v, coldstart_due_us(c, v, now_us));
        assert(v->due_us > now_us && "what was due has been done");
        endpoints_settle(c, v, now_us);
    }
}
