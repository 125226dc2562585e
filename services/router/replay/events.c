#include "events.h"

#include "base/mem.h"

#include <stdlib.h>

static bool before(const struct event *a, const struct event *b)
{
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us;
    return a->kind != b->kind ? a->kind < b->kind : a->order < b->order;
}

void events_add(struct events *e, const struct event *what)
{
    size_t at = e->count++;

    if (e->count > e->room) {
        e->room = e->room ? 2 * e->room : 256;
        e->heap = pl_grow(e->heap, e->room, sizeof(*e->heap));
    }
    for (; at > 0 && before(what, &e->heap[(at - 1) / 2]); at = (at - 1) / 2)
        e->heap[at] = e->heap[(at - 1) / 2];
    e->heap[at] = *what;
}

const struct event *events_first(const struct events *e)
{
    return e->count > 0 ? e->heap : NULL;
}

struct event events_take(struct events *e)
{
    struct event first = e->heap[0], last = e->heap[--e->count];
    size_t at = 0, child;

    for (; (child = 2 * at + 1) < e->count; at = child) {
        if (child + 1 < e->count && before(&e->heap[child + 1], &e->heap[child]))
            child++;
        if (!before(&e->heap[child], &last))
            break;
        e->heap[at] = e->heap[child];
    }
    e->heap[at] = last;
    return first;
}

void events_done(struct events *e)
{
    free(e->heap);
    *e = (struct events){ 0 };
}
