/* events - what is going to happen, in the order of its happening: a binary heap.
 *
 * At one instant what was under way ends first (an instance is ready, an answer is there), in the order in which it was
 * said to come, and then requests arrive, in the order of the trace.  Memory: a few words for each event. */
#ifndef REPLAY_EVENTS_H
#define REPLAY_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind { EVENT_END, EVENT_ARRIVAL };

struct event {
    int64_t at_us;
    enum event_kind kind;
    uint64_t order; /* among those of one kind at one instant */
    void *what;     /* EVENT_END: the instance */
    uint32_t k;     /* EVENT_ARRIVAL: which request of row 'order' */
};

struct events {
    struct event *heap;
    size_t count, room;
};

void events_add(struct events *e, const struct event *what);
const struct event *events_first(const struct events *e); /* NULL: nothing is going to happen */
struct event events_take(struct events *e);
void events_done(struct events *e);

#endif
