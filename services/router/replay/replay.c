/* One run:
 *
 *     an event is due -> the core hears of it -> its actions become events -> the next
 *
 *     arrival          core_admit()                        and the next arrival of its row, and of the next row
 *     START            a unit; ready after init_ms      -> core_started()
 *     DISPATCH         its wait is counted; ends later  -> core_replied()
 *     STOP             its idle time is counted; gone   -> core_stopped()
 *
 * An instance that may go at t still serves a request that arrives at t: time itself (core_tick()) comes last. */
#include "replay.h"

#include "base/mem.h"
#include "core/core.h"
#include "events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define US(ms) ((ms)*1000)
/* Room for everything: nothing waits for memory. */
#define HOST_MB (INT64_C(1) << 50)

struct run {
    const struct trace *trace;
    struct replay *out;
    struct core *core;
    struct core_host *host;
    struct events events;
    uint64_t order, worker_ids;
    int64_t now_us;
};

/* An instance, as its host has it. */
struct unit {
    struct core_instance *core;
    uint32_t endpoint;
    bool started, cancelled;
    int64_t idle_since_us;
};

struct request {
    struct core_request core;
    uint32_t endpoint;
    int64_t duration_ms;
};

/* ---- what is counted ---- */

static void count_idle(struct run *r, const struct unit *u)
{
    int64_t horizon_us = US(r->trace->horizon_ms), until_us = r->now_us < horizon_us ? r->now_us : horizon_us;
    double gb = (double)r->trace->endpoints[u->endpoint]->memory_mb / 1024, gb_s;

    if (until_us <= u->idle_since_us)
        return;
    gb_s = gb * (double)(until_us - u->idle_since_us) / 1e6;
    r->out->all.idle_gb_s += gb_s;
    r->out->endpoints[u->endpoint].idle_gb_s += gb_s;
}

static void count_wait(struct run *r, uint32_t endpoint, int64_t wait_ms)
{
    struct replay_figures *all = &r->out->all, *one = &r->out->endpoints[endpoint];

    all->served++;
    one->served++;
    if (wait_ms == 0)
        return;
    if ((size_t)all->waited == all->wait_room) {
        all->wait_room = all->wait_room ? 2 * all->wait_room : 1024;
        all->waits_ms = pl_grow(all->waits_ms, all->wait_room, sizeof(*all->waits_ms));
    }
    all->waits_ms[all->waited] = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    all->waited++;
    all->waited_ms += wait_ms;
    one->waited++;
    one->waited_ms += wait_ms;
}

/* ---- what the core asks for ---- */

static void later(struct run *r, struct unit *u, int64_t ms)
{
    events_add(&r->events,
               &(struct event){ .at_us = r->now_us + US(ms), .kind = EVENT_END, .order = r->order++, .what = u });
}

static void do_start(struct run *r, struct core_instance *in)
{
    struct unit *u = PL_NEW(struct unit);

    u->core = in;
    u->endpoint = *(const uint32_t *)in->variant->user;
    in->user = u;
    r->out->all.starts++;
    r->out->endpoints[u->endpoint].starts++;
    later(r, u, r->trace->endpoints[u->endpoint]->init_ms);
}

static void do_dispatch(struct run *r, struct core_instance *in, struct core_request *core)
{
    struct request *q = PL_CONTAINER(core, struct request, core);
    struct unit *u = in->user;

    count_idle(r, u);
    count_wait(r, q->endpoint, (core->dispatched_us - core->admitted_us) / 1000);
    later(r, u, q->duration_ms);
}

static void do_stop(struct run *r, struct core_instance *in)
{
    struct unit *u = in->user;

    count_idle(r, u);
    free(u);
    in->user = NULL;
    core_stopped(r->core, in, r->now_us);
}

static void act(struct run *r)
{
    struct core_action a;

    while (core_take(r->core, &a)) {
        switch (a.kind) {
        case CORE_START:
            do_start(r, a.instance);
            break;
        case CORE_CANCEL_START:
            ((struct unit *)a.instance->user)->cancelled = true;
            break;
        case CORE_DISPATCH:
            do_dispatch(r, a.instance, a.request);
            break;
        case CORE_STOP:
            do_stop(r, a.instance);
            break;
        case CORE_FORGET_VARIANT:
        case CORE_FORGET_HOST:
        case CORE_ENDPOINT_GONE:
            break;
        case CORE_FAIL:
        case CORE_STOP_STRANGER:
            pl_die("replay: the core asks for what cannot be: action %d", (int)a.kind);
        }
    }
}

/* ---- what happens ---- */

static void start_ends(struct run *r, struct unit *u)
{
    struct core_instance *in = u->core;
    struct pl_err err;

    if (u->cancelled) {
        (void)pl_fail(&err, PL_CANCELLED, NULL, "not wanted any more");
        free(u);
        in->user = NULL;
        core_start_failed(r->core, in, &err, r->now_us);
        return;
    }
    u->started = true;
    u->idle_since_us = r->now_us;
    core_started(r->core, in, ++r->worker_ids, &(struct core_start_parts){ 0 }, r->now_us);
}

static void call_ends(struct run *r, struct unit *u)
{
    struct core_request *core = u->core->request;

    u->idle_since_us = r->now_us;
    core_replied(r->core, core, CORE_ANSWERED, NULL, r->now_us);
    free(PL_CONTAINER(core, struct request, core));
}

static void expect_row(struct run *r, uint64_t row, uint32_t k)
{
    if (row < r->trace->row_count)
        events_add(&r->events, &(struct event){ .at_us = US(trace_arrival_ms(&r->trace->rows[row], k)),
                                                .kind = EVENT_ARRIVAL,
                                                .order = row,
                                                .k = k });
}

static void arrive(struct run *r, const struct event *e)
{
    const struct trace_row *row = &r->trace->rows[e->order];
    struct request *q = PL_NEW(struct request);
    struct pl_err err;

    if (e->k + 1 < row->count)
        expect_row(r, e->order, e->k + 1);
    if (e->k == 0)
        expect_row(r, e->order + 1, 0);
    q->endpoint = row->endpoint;
    q->duration_ms = row->duration_ms;
    if (core_admit(r->core, &q->core, r->trace->endpoints[row->endpoint]->name, "", r->now_us, &err) != PL_OK) {
        assert(err.code == PL_EXHAUSTED);
        r->out->all.throttled++;
        r->out->endpoints[row->endpoint].throttled++;
        free(q);
    }
}

static void happen(struct run *r)
{
    struct event e = events_take(&r->events);
    struct unit *u = e.what;

    r->now_us = e.at_us;
    if (e.kind == EVENT_ARRIVAL)
        arrive(r, &e);
    else if (u->started)
        call_ends(r, u);
    else
        start_ends(r, u);
    act(r);
}

/* ---- a run ---- */

static void begin(struct run *r, const struct trace *t, struct replay *out)
{
    static const char *const runtimes[] = { "any" };
    const struct core_settings settings = { .keep_alive_us = US(out->keep_alive_ms),
                                            .capacity_wait_us = US(TRACE_TIME_MAX_MS),
                                            .seed = 1 };
    const struct core_load load = { .memory_mb = HOST_MB, .memory_free_mb = HOST_MB };

    *r = (struct run){ .trace = t, .out = out, .core = core_new(&settings) };
    r->host = core_host_add(r->core, "host", NULL);
    core_host_up(r->core, r->host, runtimes, PL_COUNT(runtimes), &load, NULL, 0, 0);
    for (size_t i = 0; i < t->endpoint_count; i++) {
        const struct trace_endpoint *e = t->endpoints[i];
        const struct core_variant_spec v = { .name = "main",
                                             .runtime = runtimes[0],
                                             .max_concurrency = (unsigned)e->max_concurrency,
                                             .weight = 1,
                                             .keep_alive_us = -1,
                                             .start_timeout_us = US(TRACE_TIME_MAX_MS),
                                             .memory_mb = (int32_t)e->memory_mb,
                                             .artifact = 1,
                                             .user = (void *)&t->endpoints[i]->index };
        const struct core_endpoint_spec s = { .name = e->name, .generation = 1, .variants = &v, .variant_count = 1 };

        core_endpoint_set(r->core, &s, 0);
    }
    act(r);
    expect_row(r, 0, 0);
}

static void end(struct run *r)
{
    struct core_instance *in;

    r->now_us = US(r->trace->horizon_ms);
    list_each_safe(it, &r->host->all)
    {
        struct unit *u;

        in = list_entry(it, struct core_instance, host_link);
        u = in->user;
        if (in->state == CORE_IDLE)
            count_idle(r, u);
        free(u);
    }
    events_done(&r->events);
    core_free(r->core);
}

void replay_run(struct replay *out, const struct trace *t, int64_t keep_alive_ms)
{
    struct run r;
    const struct event *e;
    int64_t tick_us;

    *out = (struct replay){ .keep_alive_ms = keep_alive_ms, .endpoint_count = t->endpoint_count };
    out->endpoints = pl_new0(t->endpoint_count, sizeof(*out->endpoints));
    begin(&r, t, out);
    for (;;) {
        e = events_first(&r.events);
        tick_us = core_next_us(r.core);
        if (e && e->at_us <= tick_us) {
            happen(&r);
        } else if (tick_us != CORE_NEVER) {
            r.now_us = tick_us;
            core_tick(r.core, tick_us);
            act(&r);
        } else {
            break;
        }
    }
    end(&r);
}

void replay_done(struct replay *r)
{
    free(r->all.waits_ms);
    free(r->endpoints);
    *r = (struct replay){ 0 };
}

/* ---- what it says ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int64_t replay_wait_ms(const struct replay_figures *f, double percent)
{
    int64_t rank = (int64_t)(percent / 100 * (double)f->served), at;

    if (rank >= f->served)
        rank = f->served - 1;
    at = rank - (f->served - f->waited); /* those that did not wait come first */
    if (f->served == 0 || at < 0)
        return 0;
    qsort(f->waits_ms, (size_t)f->waited, sizeof(*f->waits_ms), compare);
    return f->waits_ms[at];
}

double replay_cost(const struct replay_figures *f, double price)
{
    return f->idle_gb_s + price * (double)f->waited;
}
