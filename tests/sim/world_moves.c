/* What tests do to a world. */
#include "world_private.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    world_act(w);
}

void world_endpoint_remove(struct world *w, const char *name)
{
    core_endpoint_remove(w->core, name, w->now_us);
    world_act(w);
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
    world_tell(w, "%s is up with %zu instances", m->id, n);
    core_host_up(w->core, m->core, runtimes, 1, &load, found, n, w->now_us);
    free(found);
    world_act(w);
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
    world_tell(w, "%s is down", m->id);
    core_host_down(w->core, m->core, w->now_us);
    world_act(w);
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
            world_process_free(w, p);
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
        struct event *e = world_later(w, told_after_us, TOLD_DEAD);

        e->host = p->host;
        e->id = p->id;
        world_tell(w, "instance %" PRIu64 " is killed", p->id);
        world_process_free(w, p);
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
    world_tell(w, "%s request %u", endpoint, r->number);
    if (core_admit(w->core, &r->core, endpoint, "", w->now_us, &err) != PL_OK) {
        w->counts.refused++;
        world_tell(w, "request %u refused: %s", r->number, err.reason[0] ? err.reason : pl_code_name(err.code));
        world_request_free(r);
        return 0;
    }
    w->counts.requests++;
    r->in = true;
    world_act(w);
    return r->number;
}

void world_cancel(struct world *w, unsigned request)
{
    list_each(it, &w->requests)
    {
        struct request *r = list_entry(it, struct request, link);

        if (r->number != request || r->ended)
            continue;
        world_request_end(w, r, &w->counts.cancelled, "cancelled");
        r->left = true;
        if (core_cancel(w->core, &r->core, w->now_us)) {
            /* The event that was to bring its answer brings the end of the dispatch. */
            for (size_t i = 0; i < w->event_count; i++)
                if (w->events[i].request == r)
                    w->events[i].at_us = w->now_us + world_wire(w);
        } else {
            world_request_free(r);
        }
        break;
    }
    world_act(w);
}
