/* What the core asks for: checked, and turned into what will happen. */
#include "world_private.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one may start for: requests that no start is under way for, or a floor. */
static void check_need(struct world *w, const struct core_variant *v)
{
    unsigned starting = v->count[CORE_STARTING];

    world_check(w, starting <= v->waiting_count || core_alive(v) <= v->provisioned, "a start that nobody needs");
}

static void do_start(struct world *w, const struct core_action *a)
{
    struct core_instance *in = a->instance;
    struct machine *m = in->host->user;
    struct process *p;
    struct event *e;

    check_need(w, in->variant);
    w->counts.starts++;
    world_tell(w, "%s -> cold start on %s", in->variant->endpoint->name, m->id);
    if (!m->up) {
        e = world_later(w, world_wire(w), START_FAILED);
        e->code = PL_UNAVAILABLE;
        e->instance = in;
        return;
    }
    if (world_processes_on(w, m) >= m->capacity) {
        e = world_later(w, 2 * world_wire(w), START_FAILED);
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
    e = world_later(w, world_between(w, w->s.start_min_us, w->s.start_max_us),
                    world_chance(w, w->s.start_fails) ? START_FAILED : STARTED);
    e->code = PL_PRECONDITION;
    e->instance = in;
    e->process = p;
    if (e->kind == STARTED) /* on its host; the answer takes its way */
        world_later(w, e->at_us - w->now_us - WIRE_US, READY)->process = p;
}

/* The start is broken off, or was too late to be. */
static void do_cancel_start(struct world *w, const struct core_action *a)
{
    world_tell(w, "%s -> start is called off", a->instance->variant->endpoint->name);
    for (size_t i = 0; i < w->event_count; i++) {
        struct event *e = &w->events[i];

        if (e->instance == a->instance && (e->kind == STARTED || e->kind == START_FAILED) && world_chance(w, 700)) {
            e->kind = START_FAILED;
            e->code = PL_CANCELLED;
            e->at_us = w->now_us + world_wire(w);
        }
    }
}

static void do_dispatch(struct world *w, const struct core_action *a)
{
    struct request *r = PL_CONTAINER(a->request, struct request, core);
    struct core_instance *in = a->instance;
    struct process *p = world_process_of(w, in->host, in->worker_id);
    struct event *e;

    world_check(w, r->in && !r->ended && !r->left, "a request that has ended is dispatched");
    world_check(w, !r->at, "a request is dispatched again that an instance may have had");
    world_check(w, in->state == CORE_BUSY && in->request == a->request, "the instance does not have the request");
    world_check(w, in->host->up, "a request goes to a host that cannot be heard");
    world_tell(w, "request %u -> instance %" PRIu64 "%s", r->number, in->worker_id, a->request->cold ? ", cold" : "");
    w->counts.cold += a->request->cold;
    if (!p || !p->host->up) {
        e = world_later(w, 2 * world_wire(w), GONE);
    } else {
        world_check(w, p->ready && !p->busy && !p->stopping, "an instance gets a second request");
        world_check(w, strcmp(p->endpoint, r->endpoint) == 0, "a request goes to an instance of another endpoint");
        p->busy = true;
        r->at = p;
        e = world_later(w, world_wire(w) + world_between(w, w->s.model_min_us, w->s.model_max_us),
                        world_chance(w, w->s.instance_dies) ? DIED_WITH_IT : ANSWERED);
        e->process = p;
    }
    e->request = r;
    e->instance = in;
}

void world_request_end(struct world *w, struct request *r, unsigned *count, const char *how)
{
    world_check(w, r->in && !r->ended, "a request ends twice");
    r->ended = true;
    (*count)++;
    world_tell(w, "request %u %s", r->number, how);
}

void world_request_free(struct request *r)
{
    list_remove(&r->link);
    free(r);
}

static void do_fail(struct world *w, const struct core_action *a)
{
    struct request *r = PL_CONTAINER(a->request, struct request, core);

    world_check(w, !r->at, "a request fails that an instance still has");
    world_request_end(w, r, &w->counts.failed, a->err->reason[0] ? a->err->reason : pl_code_name(a->err->code));
    world_request_free(r);
}

static void do_stop(struct world *w, const struct core_action *a)
{
    struct core_instance *in = a->instance;
    struct process *p = world_process_of(w, in->host, in->worker_id);
    struct event *e = world_later(w, 2 * world_wire(w), STOPPED);

    world_check(w, in->state == CORE_STOPPING, "a stop of an instance that is not stopping");
    world_tell(w, "stop instance %" PRIu64 ": %s", in->worker_id, a->text);
    e->instance = in;
    if (p && p->host->up) {
        world_check(w, !p->busy, "a busy instance is stopped");
        p->stopping = true;
        e->process = p;
    }
}

static void do_stop_stranger(struct world *w, const struct core_action *a)
{
    struct process *p = world_process_of(w, a->host, a->worker_id);

    world_tell(w, "stop stranger %" PRIu64 ": %s", a->worker_id, a->text);
    list_each(it, &w->requests)
    {
        const struct request *r = list_entry(it, struct request, link);

        world_check(w, !p || r->at != p || r->left, "an instance that has a request is stopped as a stranger");
    }
    if (p && p->host->up && !p->stopping) {
        p->stopping = true;
        world_later(w, 2 * world_wire(w), STOPPED)->process = p;
    }
}

static void check_limits(struct world *w)
{
    for (const struct core_endpoint *e = core_endpoints(w->core); e; e = e->hh.next) {
        list_each(it, &e->variants)
        {
            const struct core_variant *v = list_entry(it, struct core_variant, link);
            unsigned own = v->count[CORE_BUSY] + v->waiting_count;

            world_check(w, v->tally->in_flight <= v->max_concurrency || own < v->tally->in_flight,
                        "in flight is above max concurrency");
            world_check(w, v->waiting_count == 0 || v->count[CORE_IDLE] == 0,
                        "a request waits beside an idle instance");
            w->counts.most_instances =
                core_alive(v) > w->counts.most_instances ? core_alive(v) : w->counts.most_instances;
        }
    }
}

void world_act(struct world *w)
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
            world_tell(w, "%s is gone", a.text);
            break;
        case CORE_FORGET_VARIANT:
        case CORE_FORGET_HOST:
            break;
        }
    }
    check_limits(w);
}
