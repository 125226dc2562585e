/* start_gate - not all starts of a host at the same time.
 *
 * A start is some milliseconds of a core. Two hundred that go on together take it from each other, so that the first
 * is hardly done before the last, and from instances that are ready and have requests. So as many go on as keep the
 * cores busy; the others wait in line, and come to a host that has less to do, or are not needed any more.
 *
 * Whatever takes longer than START_GATE_MS waits for something else than a core (a model's own code that sleeps or
 * loads from a disk), and does not count any longer: nobody's slow start holds up those of others.
 *
 * Threads: with the turn.  Memory: a ticket is part of its owner's struct, zeroed but for 'enter'. */
#ifndef WORKER_START_GATE_H
#define WORKER_START_GATE_H

#include "base/list.h"
#include "loop/loop.h"

#include <stdbool.h>

#define START_GATE_MS 50

struct start_gate;

enum start_ticket_state { START_OUT, START_IN_LINE, START_INSIDE, START_OVERDUE };

struct start_ticket {
    void (*enter)(struct start_ticket *t); /* its turn, after a start_gate_enter() that was false */
    enum start_ticket_state state;
    struct list link;
    struct loop_timer overdue;
    struct start_gate *gate;
};

/* 'limit' = starts at a time; 0: three for each core of this machine. */
struct start_gate *start_gate_new(struct loop *l, unsigned limit);
/* Nobody comes or leaves any more. NULL is fine. */
void start_gate_free(struct start_gate *g);

/* True: go on; false: 'enter' comes later, never from inside. */
bool start_gate_enter(struct start_gate *g, struct start_ticket *t);
/* Done, or not wanted any more: wherever the ticket is, also nowhere. */
void start_gate_leave(struct start_ticket *t);

#endif
