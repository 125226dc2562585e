#include "world_private.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- small things ---- */

static void breach(const struct world *w, const char *what)
{
    fprintf(stderr, "seed %" PRIu64 ", at %" PRId64 " us: %s\n", w->s.seed, w->now_us, what);
    if (w->story.data)
        fprintf(stderr, "%s\n", w->story.len > 4000 ? w->story.data + w->story.len - 4000 : w->story.data);
    abort();
}

void world_check(const struct world *w, bool holds, const char *what)
{
    if (!holds)
        breach(w, what);
}

uint64_t world_random(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % below;
}

int64_t world_between(struct world *w, int64_t min, int64_t max)
{
    return min + (int64_t)world_random(w, (uint64_t)(max - min + 1));
}

bool world_chance(struct world *w, unsigned in_1000)
{
    return world_random(w, 1000) < in_1000;
}

void world_tell(struct world *w, const char *fmt, ...)
{
    char line[256];
    va_list args;

    if (!w->s.story)
        return;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    (void)pl_buf_addf(&w->story, "[%7" PRId64 "] %s\n", w->now_us / MS, line);
}

/* ---- events ---- */

struct event *world_later(struct world *w, int64_t after_us, enum event_kind kind)
{
    struct event *e;

    if (w->event_count == w->event_room) {
        w->event_room = w->event_room ? 2 * w->event_room : 64;
        w->events = pl_grow(w->events, w->event_room, sizeof(*w->events));
    }
    e = &w->events[w->event_count++];
    *e = (struct event){ .at_us = w->now_us + after_us, .order = w->order++, .kind = kind };
    return e;
}

int64_t world_wire(struct world *w)
{
    return world_between(w, WIRE_US, 2 * WIRE_US);
}

static struct event *earliest(struct world *w)
{
    struct event *first = NULL;

    for (size_t i = 0; i < w->event_count; i++) {
        struct event *e = &w->events[i];

        if (!first || e->at_us < first->at_us || (e->at_us == first->at_us && e->order < first->order))
            first = e;
    }
    return first;
}

/* ---- processes ---- */

void world_process_free(struct world *w, struct process *p)
{
    list_each(it, &w->requests)
    {
        struct request *r = list_entry(it, struct request, link);

        if (r->at == p)
            r->at = NULL;
    }
    for (size_t i = 0; i < w->event_count; i++)
        if (w->events[i].process == p)
            w->events[i].process = NULL;
    list_remove(&p->link);
    free(p);
}

struct process *world_process_of(struct world *w, const struct core_host *h, uint64_t id)
{
    list_each(it, &w->processes)
    {
        struct process *p = list_entry(it, struct process, link);

        if (p->host->core == h && p->id == id)
            return p;
    }
    return NULL;
}

unsigned world_processes_on(struct world *w, const struct machine *m)
{
    unsigned n = 0;

    list_each(it, &w->processes) n += list_entry(it, struct process, link)->host == m;
    return n;
}

unsigned world_alive(const struct world *w, const char *endpoint)
{
    unsigned n = 0;

    list_each(it, &((struct world *)(uintptr_t)w)->processes)
    {
        const struct process *p = list_entry(it, struct process, link);

        n += !p->stopping && strcmp(p->endpoint, endpoint) == 0;
    }
    return n;
}

/* ---- time ---- */

/* True: something happened. */
static bool step(struct world *w, int64_t until_us)
{
    struct event *e = earliest(w);
    int64_t tick_us = core_next_us(w->core);

    if (e && e->at_us <= until_us && e->at_us < tick_us) {
        world_happen(w, e);
        return true;
    }
    if (tick_us > until_us)
        return false;
    w->now_us = tick_us > w->now_us ? tick_us : w->now_us;
    core_tick(w->core, w->now_us);
    world_check(w, core_next_us(w->core) > w->now_us, "time stands still");
    world_act(w);
    return true;
}

void world_run(struct world *w, int64_t us)
{
    int64_t until_us = w->now_us + us;

    while (step(w, until_us)) {
    }
    w->now_us = until_us;
}

void world_settle(struct world *w)
{
    while (w->event_count > 0)
        (void)step(w, CORE_NEVER - 1);
}

/* ---- life ---- */

struct world *world_new(const struct world_settings *s)
{
    struct world *w = PL_NEW(struct world);
    const struct core_settings c = { .keep_alive_us = s->keep_alive_us,
                                     .capacity_wait_us = s->capacity_wait_us,
                                     .seed = s->seed };

    w->s = *s;
    w->random = s->seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    w->core = core_new(&c);
    list_init(&w->processes);
    list_init(&w->requests);
    return w;
}

void world_free(struct world *w)
{
    list_each_safe(it, &w->processes)
    {
        list_remove(it);
        free(list_entry(it, struct process, link));
    }
    core_free(w->core);
    list_each_safe(it, &w->requests)
    {
        world_request_free(list_entry(it, struct request, link));
    }
    free(w->events);
    pl_buf_done(&w->story);
    free(w);
}

struct core *world_core(struct world *w)
{
    return w->core;
}

int64_t world_now(const struct world *w)
{
    return w->now_us;
}

const char *world_story(struct world *w)
{
    return w->story.data ? w->story.data : "";
}

const struct world_counts *world_counts(const struct world *w)
{
    return &w->counts;
}

void world_chances(struct world *w, unsigned start_fails, unsigned instance_dies)
{
    w->s.start_fails = start_fails;
    w->s.instance_dies = instance_dies;
}
