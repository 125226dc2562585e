#include "start_gate.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

/* One computes while others are being cloned, or wait for a page. */
#define STARTS_PER_CORE 3

struct start_gate {
    struct loop *loop;
    unsigned limit, inside;
    struct list line;
    struct loop_timer open;
};

static void someone_left(struct start_gate *g)
{
    g->inside--;
    if (!list_empty(&g->line))
        loop_timer_set(g->loop, &g->open, pl_now_ms());
}

static void overdue(struct loop_timer *timer)
{
    struct start_ticket *t = PL_CONTAINER(timer, struct start_ticket, overdue);

    t->state = START_OVERDUE;
    someone_left(t->gate);
}

static void step_in(struct start_gate *g, struct start_ticket *t)
{
    t->state = START_INSIDE;
    t->overdue.fire = overdue;
    g->inside++;
    loop_timer_set(g->loop, &t->overdue, pl_now_ms() + START_GATE_MS);
}

/* Who enters may leave at once. */
static void open_now(struct loop_timer *timer)
{
    struct start_gate *g = PL_CONTAINER(timer, struct start_gate, open);
    struct start_ticket *t;

    while (g->inside < g->limit && (t = list_first(&g->line, struct start_ticket, link))) {
        list_remove(&t->link);
        step_in(g, t);
        t->enter(t);
    }
}

bool start_gate_enter(struct start_gate *g, struct start_ticket *t)
{
    assert(t->state == START_OUT);
    t->gate = g;
    if (g->inside < g->limit && list_empty(&g->line)) {
        step_in(g, t);
        return true;
    }
    t->state = START_IN_LINE;
    list_push_back(&g->line, &t->link);
    return false;
}

void start_gate_leave(struct start_ticket *t)
{
    enum start_ticket_state was = t->state;

    t->state = START_OUT;
    if (was == START_IN_LINE)
        list_remove(&t->link);
    if (was != START_INSIDE)
        return;
    loop_timer_clear(t->gate->loop, &t->overdue);
    someone_left(t->gate);
}

struct start_gate *start_gate_new(struct loop *l, unsigned limit)
{
    struct start_gate *g = PL_NEW(struct start_gate);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    g->loop = l;
    g->limit = limit > 0 ? limit : STARTS_PER_CORE * (cores > 0 ? (unsigned)cores : 1);
    g->open.fire = open_now;
    list_init(&g->line);
    return g;
}

void start_gate_free(struct start_gate *g)
{
    if (!g)
        return;
    loop_timer_clear(g->loop, &g->open);
    free(g);
}
