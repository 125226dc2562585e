#include "world.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages between router and host take this long, and up to as much again. */
#define WIRE_US (100)

struct machine {
    struct core_host *core;
    char id[24];
    unsigned capacity;
    bool up;    /* calls reach it, and their answers come back */
    bool heard; /* the router has its stream */
};

/* An instance as its host has it. */
struct process {
    struct list link;
    struct machine *host;
    struct core_instance *core; /* the router's object while a call about it is under way */
    uint64_t id;
    char endpoint[32];
    int64_t generation;
    bool ready, busy, stopping;
};

struct request {
    struct list link;
    struct core_request core;
    unsigned number;
    char endpoint[32];
    struct process *at;   /* may have had it */
    bool in, ended, left; /* admitted; an end was told; its caller left */
};

/* What will happen. */
enum event_kind { READY, STARTED, START_FAILED, ANSWERED, GONE, DIED_WITH_IT, STOPPED, TOLD_DEAD };
struct event {
    int64_t at_us;
    uint64_t order;
    enum event_kind kind;
    struct core_instance *instance;
    struct request *request;
    struct process *process;
    enum pl_code code;
    struct machine *host; /* TOLD_DEAD */
    uint64_t id;
};

struct world {
    struct world_settings s;
    struct core *core;
    int64_t now_us;
    uint64_t random, order, next_process;
    int64_t next_generation;
    struct event *events;
    size_t event_count, event_room;
    struct machine machines[16];
    unsigned machine_count;
    struct list processes, requests;
    unsigned next_request;
    struct world_counts counts;
    struct pl_buf story;
};

/* ---- small things ---- */

static void breach(const struct world *w, const char *what)
{
    fprintf(stderr, "seed %" PRIu64 ", at %" PRId64 " us: %s\n", w->s.seed, w->now_us, what);
    if (w->story.data)
        fprintf(stderr, "%s\n", w->story.len > 4000 ? w->story.data + w->story.len - 4000 : w->story.data);
    abort();
}

static void check(const struct world *w, bool holds, const char *what)
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

static int64_t between(struct world *w, int64_t min, int64_t max)
{
    return min + (int64_t)world_random(w, (uint64_t)(max - min + 1));
}

static bool chance(struct world *w, unsigned in_1000)
{
    return world_random(w, 1000) < in_1000;
}

__attribute__((format(printf, 2, 3))) static void tell(struct world *w, const char *fmt, ...)
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

static struct event *later(struct world *w, int64_t after_us, enum event_kind kind)
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

static int64_t wire(struct world *w)
{
    return between(w, WIRE_US, 2 * WIRE_US);
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

static void process_free(struct world *w, struct process *p)
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

static struct process *process_of(struct world *w, const struct core_host *h, uint64_t id)
{
    list_each(it, &w->processes)
    {
        struct process *p = list_entry(it, struct process, link);

        if (p->host->core == h && p->id == id)
            return p;
    }
    return NULL;
}

static unsigned processes_on(struct world *w, const struct machine *m)
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

/* ---- actions ---- */

/* What one may start for: requests that no start is under way for, or a floor. */
static void check_need(struct world *w, const struct core_variant *v)
{
    unsigned starting = v->count[CORE_STARTING];

    check(w, starting <= v->waiting_count || core_alive(v) <= v->provisioned, "a start that nobody needs");
}

static void do_start(struct world *w, const struct core_action *a)
{
    struct core_instance *in = a->instance;
    struct machine *m = in->host->user;
    struct process *p;
    struct event *e;

    check_need(w, in->variant);
    w->counts.starts++;
    tell(w, "%s -> cold start on %s", in->variant->endpoint->name, m->id);
    if (!m->up) {
        e = later(w, wire(w), START_FAILED);
        e->code = PL_UNAVAILABLE;
        e->instance = in;
        return;
    }
    if (processes_on(w, m) >= m->capacity) {
        e = later(w, 2 * wire(w), START_FAILED);
        e->code = PL_EXHAUSTED;
        e->instance = in;
        return;
    }
    p = PL_NEW(struct process);
    p->host = m;
    p->id = ++w->next_process;
    p->core = in;
    p->generation = in->variant->generation;
    (void)snprintf(p->endpoint, sizeof(p->endpoint), "%s", in->variant->endpoint->name);
    list_push_back(&w->processes, &p->link);
    e = later(w, between(w, w->s.start_min_us, w->s.start_max_us),
              chance(w, w->s.start_fails) ? START_FAILED : STARTED);
    e->code = PL_PRECONDITION;
    e->instance = in;
    e->process = p;
    if (e->kind == STARTED) /* on its host; the answer takes its way */
        later(w, e->at_us - w->now_us - WIRE_US, READY)->process = p;
}

/* The start is broken off, or was too late to be. */
static void do_cancel_start(struct world *w, const struct core_action *a)
{
    tell(w, "%s -> start is called off", a->instance->variant->endpoint->name);
    for (size_t i = 0; i < w->event_count; i++) {
        struct event *e = &w->events[i];

        if (e->instance == a->instance && (e->kind == STARTED || e->kind == START_FAILED) && chance(w, 700)) {
            e->kind = START_FAILED;
            e->code = PL_CANCELLED;
            e->at_us = w->now_us + wire(w);
        }
    }
}

static void do_dispatch(struct world *w, const struct core_action *a)
{
    struct request *r = PL_CONTAINER(a->request, struct request, core);
    struct core_instance *in = a->instance;
    struct process *p = process_of(w, in->host, in->worker_id);
    struct event *e;

    check(w, r->in && !r->ended && !r->left, "a request that has ended is dispatched");
    check(w, !r->at, "a request is dispatched again that an instance may have had");
    check(w, in->state == CORE_BUSY && in->request == a->request, "the instance does not have the request");
    check(w, in->host->up, "a request goes to a host that cannot be heard");
    tell(w, "request %u -> instance %" PRIu64 "%s", r->number, in->worker_id, a->request->cold ? ", cold" : "");
    w->counts.cold += a->request->cold;
    if (!p || !p->host->up) {
        e = later(w, 2 * wire(w), GONE);
    } else {
        check(w, p->ready && !p->busy && !p->stopping, "an instance gets a second request");
        check(w, strcmp(p->endpoint, r->endpoint) == 0, "a request goes to an instance of another endpoint");
        p->busy = true;
        r->at = p;
        e = later(w, wire(w) + between(w, w->s.model_min_us, w->s.model_max_us),
                  chance(w, w->s.instance_dies) ? DIED_WITH_IT : ANSWERED);
        e->process = p;
    }
    e->request = r;
    e->instance = in;
}

static void request_end(struct world *w, struct request *r, unsigned *count, const char *how)
{
    check(w, r->in && !r->ended, "a request ends twice");
    r->ended = true;
    (*count)++;
    tell(w, "request %u %s", r->number, how);
}

static void request_free(struct request *r)
{
    list_remove(&r->link);
    free(r);
}

static void do_fail(struct world *w, const struct core_action *a)
{
    struct request *r = PL_CONTAINER(a->request, struct request, core);

    check(w, !r->at, "a request fails that an instance still has");
    request_end(w, r, &w->counts.failed, a->err->reason[0] ? a->err->reason : pl_code_name(a->err->code));
    request_free(r);
}

static void do_stop(struct world *w, const struct core_action *a)
{
    struct core_instance *in = a->instance;
    struct process *p = process_of(w, in->host, in->worker_id);
    struct event *e = later(w, 2 * wire(w), STOPPED);

    check(w, in->state == CORE_STOPPING, "a stop of an instance that is not stopping");
    tell(w, "stop instance %" PRIu64 ": %s", in->worker_id, a->text);
    e->instance = in;
    if (p && p->host->up) {
        check(w, !p->busy, "a busy instance is stopped");
        p->stopping = true;
        e->process = p;
    }
}

static void do_stop_stranger(struct world *w, const struct core_action *a)
{
    struct process *p = process_of(w, a->host, a->worker_id);

    tell(w, "stop stranger %" PRIu64 ": %s", a->worker_id, a->text);
    list_each(it, &w->requests)
    {
        const struct request *r = list_entry(it, struct request, link);

        check(w, !p || r->at != p || r->left, "an instance that has a request is stopped as a stranger");
    }
    if (p && p->host->up && !p->stopping) {
        p->stopping = true;
        later(w, 2 * wire(w), STOPPED)->process = p;
    }
}

static void check_limits(struct world *w)
{
    for (const struct core_endpoint *e = core_endpoints(w->core); e; e = e->hh.next) {
        list_each(it, &e->variants)
        {
            const struct core_variant *v = list_entry(it, struct core_variant, link);
            unsigned own = v->count[CORE_BUSY] + v->waiting_count;

            check(w, v->tally->in_flight <= v->max_concurrency || own < v->tally->in_flight,
                  "in flight is above max concurrency");
            check(w, v->waiting_count == 0 || v->count[CORE_IDLE] == 0, "a request waits beside an idle instance");
            w->counts.most_instances =
                core_alive(v) > w->counts.most_instances ? core_alive(v) : w->counts.most_instances;
        }
    }
}

static void act(struct world *w)
{
    struct core_action a;

    while (core_take(w->core, &a)) {
        switch (a.kind) {
        case CORE_START:
            do_start(w, &a);
            break;
        case CORE_CANCEL_START:
            do_cancel_start(w, &a);
            break;
        case CORE_DISPATCH:
            do_dispatch(w, &a);
            break;
        case CORE_FAIL:
            do_fail(w, &a);
            break;
        case CORE_STOP:
            do_stop(w, &a);
            break;
        case CORE_STOP_STRANGER:
            do_stop_stranger(w, &a);
            break;
        case CORE_ENDPOINT_GONE:
            tell(w, "%s is gone", a.text);
            break;
        case CORE_FORGET_VARIANT:
        case CORE_FORGET_HOST:
            break;
        }
    }
    check_limits(w);
}

/* ---- events happen ---- */

static struct pl_err err_of(enum pl_code code)
{
    struct pl_err err;

    (void)pl_fail_reason(&err, code,
                         code == PL_EXHAUSTED      ? "NO_CAPACITY"
                         : code == PL_PRECONDITION ? "MODEL_NOT_LOADED"
                                                   : "",
                         NULL, "simulated");
    return err;
}

/* It answers what it has: unless it is gone, or out of reach. */
static bool is_reachable(const struct event *e)
{
    return e->process && e->process->host->up;
}

static void start_ends(struct world *w, struct event *e)
{
    struct process *p = e->process;
    struct pl_err err = err_of(p && p->host->up ? e->code : e->code == PL_EXHAUSTED ? PL_EXHAUSTED : PL_UNAVAILABLE);

    if (e->kind == STARTED && is_reachable(e)) {
        p->core = NULL;
        tell(w, "%s instance %" PRIu64 " ready", p->endpoint, p->id);
        core_started(w->core, e->instance, p->id, &(struct core_start_parts){ .load_us = 1 }, w->now_us);
        return;
    }
    if (p && (e->kind == START_FAILED || p->host->up))
        process_free(w, p); /* else it lives, but its host cannot be heard: a stranger when it can */
    if (e->instance->state != CORE_STOPPING)
        tell(w, "%s start failed: %s", e->instance->variant->endpoint->name, pl_code_name(err.code));
    core_start_failed(w->core, e->instance, &err, w->now_us);
}

static void request_over(struct world *w, struct event *e)
{
    struct request *r = e->request;
    struct pl_err err = err_of(PL_INTERNAL);
    bool reachable = is_reachable(e);

    if (r->left) { /* its caller had gone: the dispatch is broken off, the instance dies */
        if (e->process)
            process_free(w, e->process);
        core_abandoned(w->core, e->instance, w->now_us);
        request_free(r);
        return;
    }
    r->at = NULL;
    if (e->kind == GONE) {
        core_replied(w->core, &r->core, CORE_MISSED, &err, w->now_us);
    } else if (e->kind == ANSWERED && reachable) {
        e->process->busy = false;
        request_end(w, r, &w->counts.answered, "answered");
        core_replied(w->core, &r->core, CORE_ANSWERED, NULL, w->now_us);
        request_free(r);
    } else {
        if (e->process && reachable)
            process_free(w, e->process);
        else if (e->process)
            e->process->busy = false; /* it lives, unheard */
        request_end(w, r, &w->counts.failed, "INSTANCE_DIED");
        core_replied(w->core, &r->core, CORE_LOST, &err, w->now_us);
        request_free(r);
    }
}

static void happen(struct world *w)
{
    struct event *first = earliest(w), e = *first;

    *first = w->events[--w->event_count];
    w->now_us = e.at_us;
    switch (e.kind) {
    case READY:
        if (e.process)
            e.process->ready = true;
        break;
    case STARTED:
    case START_FAILED:
        start_ends(w, &e);
        break;
    case ANSWERED:
    case GONE:
    case DIED_WITH_IT:
        request_over(w, &e);
        break;
    case STOPPED:
        if (e.process && e.process->host->up)
            process_free(w, e.process);
        else if (e.process)
            e.process->stopping = false;
        if (e.instance)
            core_stopped(w->core, e.instance, w->now_us);
        break;
    case TOLD_DEAD:
        if (e.host->heard)
            core_host_died(w->core, e.host->core, e.id, w->now_us);
        break;
    }
    act(w);
}

/* True: something happened. */
static bool step(struct world *w, int64_t until_us)
{
    struct event *e = earliest(w);
    int64_t tick_us = core_next_us(w->core);

    if (e && e->at_us <= until_us && e->at_us < tick_us) {
        happen(w);
        return true;
    }
    if (tick_us > until_us)
        return false;
    w->now_us = tick_us > w->now_us ? tick_us : w->now_us;
    core_tick(w->core, w->now_us);
    check(w, core_next_us(w->core) > w->now_us, "time stands still");
    act(w);
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

/* ---- what tests do ---- */

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
        request_free(list_entry(it, struct request, link));
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

void world_endpoint(struct world *w, const char *name, unsigned max_concurrency, unsigned provisioned,
                    int64_t keep_alive_us)
{
    const struct core_variant_spec v = { .name = "main",
                                         .runtime = "xgboost",
                                         .max_concurrency = max_concurrency,
                                         .provisioned = provisioned,
                                         .weight = 1,
                                         .keep_alive_us = keep_alive_us,
                                         .start_timeout_us = 20 * SECOND,
                                         .memory_mb = 1024,
                                         .artifact = 7 };
    const struct core_endpoint_spec e = {
        .name = name, .generation = ++w->next_generation, .variants = &v, .variant_count = 1
    };

    core_endpoint_set(w->core, &e, w->now_us);
    act(w);
}

void world_endpoint_remove(struct world *w, const char *name)
{
    core_endpoint_remove(w->core, name, w->now_us);
    act(w);
}

static void host_up(struct world *w, struct machine *m)
{
    static const char *const runtimes[] = { "xgboost" };
    const struct core_load load = { .memory_mb = 16000, .memory_free_mb = 8000 };
    struct core_found *found = pl_new0(w->next_process + 1, sizeof(*found));
    size_t n = 0;

    list_each(it, &w->processes)
    {
        struct process *p = list_entry(it, struct process, link);

        if (p->host == m && p->ready && !p->stopping)
            found[n++] = (struct core_found){ .worker_id = p->id,
                                              .endpoint = p->endpoint,
                                              .variant = "main",
                                              .generation = p->generation,
                                              .busy = p->busy };
    }
    m->up = m->heard = true;
    tell(w, "%s is up with %zu instances", m->id, n);
    core_host_up(w->core, m->core, runtimes, 1, &load, found, n, w->now_us);
    free(found);
    act(w);
}

unsigned world_host(struct world *w, unsigned capacity)
{
    struct machine *m = &w->machines[w->machine_count];

    m->capacity = capacity;
    (void)snprintf(m->id, sizeof(m->id), "host-%c", 'a' + (int)w->machine_count);
    m->core = core_host_add(w->core, m->id, m);
    host_up(w, m);
    return w->machine_count++;
}

void world_host_loses_stream(struct world *w, unsigned host)
{
    struct machine *m = &w->machines[host];

    if (!m->heard)
        return;
    m->heard = false;
    tell(w, "%s is down", m->id);
    core_host_down(w->core, m->core, w->now_us);
    act(w);
}

void world_host_loses_contact(struct world *w, unsigned host)
{
    w->machines[host].up = false;
    world_host_loses_stream(w, host);
}

void world_host_fails(struct world *w, unsigned host)
{
    list_each_safe(it, &w->processes)
    {
        struct process *p = list_entry(it, struct process, link);

        if (p->host == &w->machines[host])
            process_free(w, p);
    }
    world_host_loses_contact(w, host);
}

void world_host_returns(struct world *w, unsigned host)
{
    if (!w->machines[host].heard)
        host_up(w, &w->machines[host]);
}

static void kill_any(struct world *w, int64_t told_after_us)
{
    unsigned n = 0, which;

    list_each(it, &w->processes) n++;
    if (n == 0)
        return;
    which = (unsigned)world_random(w, n);
    list_each_safe(it, &w->processes)
    {
        struct process *p = list_entry(it, struct process, link);

        if (which-- > 0)
            continue;
        struct event *e = later(w, told_after_us, TOLD_DEAD);

        e->host = p->host;
        e->id = p->id;
        tell(w, "instance %" PRIu64 " is killed", p->id);
        process_free(w, p);
        break;
    }
}

void world_kill(struct world *w)
{
    kill_any(w, WIRE_US);
}

void world_lose(struct world *w)
{
    kill_any(w, 20 * MS);
}

unsigned world_request(struct world *w, const char *endpoint)
{
    struct request *r = PL_NEW(struct request);
    struct pl_err err;

    r->number = ++w->next_request;
    (void)snprintf(r->endpoint, sizeof(r->endpoint), "%s", endpoint);
    list_push_back(&w->requests, &r->link);
    tell(w, "%s request %u", endpoint, r->number);
    if (core_admit(w->core, &r->core, endpoint, "", w->now_us, &err) != PL_OK) {
        w->counts.refused++;
        tell(w, "request %u refused: %s", r->number, err.reason[0] ? err.reason : pl_code_name(err.code));
        request_free(r);
        return 0;
    }
    w->counts.requests++;
    r->in = true;
    act(w);
    return r->number;
}

void world_cancel(struct world *w, unsigned request)
{
    list_each(it, &w->requests)
    {
        struct request *r = list_entry(it, struct request, link);

        if (r->number != request || r->ended)
            continue;
        request_end(w, r, &w->counts.cancelled, "cancelled");
        r->left = true;
        if (core_cancel(w->core, &r->core, w->now_us)) {
            /* The event that was to bring its answer brings the end of the dispatch. */
            for (size_t i = 0; i < w->event_count; i++)
                if (w->events[i].request == r)
                    w->events[i].at_us = w->now_us + wire(w);
        } else {
            request_free(r);
        }
        break;
    }
    act(w);
}

void world_chances(struct world *w, unsigned start_fails, unsigned instance_dies)
{
    w->s.start_fails = start_fails;
    w->s.instance_dies = instance_dies;
}
