/* What was to happen, does: the core hears of it. */
#include "world_private.h"

#include <inttypes.h>

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
        world_tell(w, "%s instance %" PRIu64 " ready", p->endpoint, p->id);
        core_started(w->core, e->instance, p->id, &(struct core_start_parts){ .load_us = 1 }, w->now_us);
        return;
    }
    if (p && (e->kind == START_FAILED || p->host->up))
        world_process_free(w, p); /* else it lives, but its host cannot be heard: a stranger when it can */
    if (e->instance->state != CORE_STOPPING)
        world_tell(w, "%s start failed: %s", e->instance->variant->endpoint->name, pl_code_name(err.code));
    core_start_failed(w->core, e->instance, &err, w->now_us);
}

static void request_over(struct world *w, struct event *e)
{
    struct request *r = e->request;
    struct pl_err err = err_of(PL_INTERNAL);
    bool reachable = is_reachable(e);

    /* Its caller had gone: the dispatch is broken off, and the instance dies, unless its answer was faster. */
    if (r->left) {
        if (e->process && e->kind == ANSWERED && world_chance(w, 500))
            e->process->busy = false;
        else if (e->process)
            world_process_free(w, e->process);
        core_abandoned(w->core, e->instance, w->now_us);
        world_request_free(r);
        return;
    }
    r->at = NULL;
    if (e->kind == GONE) {
        core_replied(w->core, &r->core, CORE_MISSED, &err, w->now_us);
    } else if (e->kind == ANSWERED && reachable) {
        e->process->busy = false;
        world_request_end(w, r, &w->counts.answered, "answered");
        core_replied(w->core, &r->core, CORE_ANSWERED, NULL, w->now_us);
        world_request_free(r);
    } else {
        if (e->process && reachable)
            world_process_free(w, e->process);
        else if (e->process)
            e->process->busy = false; /* it lives, unheard */
        world_request_end(w, r, &w->counts.failed, "INSTANCE_DIED");
        core_replied(w->core, &r->core, CORE_LOST, &err, w->now_us);
        world_request_free(r);
    }
}

void world_happen(struct world *w, struct event *first)
{
    struct event e = *first;

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
            world_process_free(w, e.process);
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
    world_act(w);
}
