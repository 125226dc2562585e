#include "loop_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <stdlib.h>

static void put(struct timers *h, uint32_t at, struct loop_timer *t)
{
    h->heap[at] = t;
    t->slot = at + 1;
}

/* Moves 't' from place 'at' towards the front for as long as it is earlier. */
static void rise(struct timers *h, uint32_t at, struct loop_timer *t)
{
    while (at > 0 && t->at_ms < h->heap[(at - 1) / 2]->at_ms) {
        put(h, at, h->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(h, at, t);
}

static void sink(struct timers *h, uint32_t at, struct loop_timer *t)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < h->count && h->heap[child + 1]->at_ms < h->heap[child]->at_ms)
            child++;
        if (child >= h->count || h->heap[child]->at_ms >= t->at_ms)
            break;
        put(h, at, h->heap[child]);
        at = child;
    }
    put(h, at, t);
}

static void settle(struct timers *h, uint32_t at, struct loop_timer *t)
{
    rise(h, at, t);
    sink(h, t->slot - 1, t);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t at_ms)
{
    struct timers *h = &l->timers;
    loop_assert_turn(l);
    t->at_ms = at_ms;
    if (t->slot == 0) {
        if (h->count == h->room) {
            h->room = h->room > 0 ? h->room * 2 : 16;
            h->heap = pl_grow(h->heap, h->room, sizeof(*h->heap));
        }
        put(h, h->count++, t);
    }
    settle(h, t->slot - 1, t);
    if (at_ms < l->asleep_until_ms) {
        l->asleep_until_ms = at_ms;
        loop_wake(l);
    }
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    struct timers *h = &l->timers;
    loop_assert_turn(l);
    if (t->slot == 0)
        return;
    uint32_t at = t->slot - 1;
    struct loop_timer *last = h->heap[--h->count];
    t->slot = 0;
    if (last != t)
        settle(h, at, last);
}

int64_t timers_next_ms(const struct loop *l)
{
    return l->timers.count > 0 ? l->timers.heap[0]->at_ms : INT64_MAX;
}

/* No more than were there at the start: one that is set to "now" again and again leaves room for the rest of the loop.
 */
void timers_fire(struct loop *l)
{
    if (l->timers.count == 0)
        return;
    int64_t now_ms = pl_now_ms();
    for (uint32_t most = l->timers.count; most > 0 && timers_next_ms(l) <= now_ms && l->timers.count > 0; most--) {
        struct loop_timer *t = l->timers.heap[0];
        loop_timer_clear(l, t);
        t->fire(t);
        loop_let_others(l);
    }
}

void timers_done(struct timers *t)
{
    free(t->heap);
}
