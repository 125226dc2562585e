/* pilotlight.v1.InstanceService: what the core knows, as messages. */
#include "router_methods.h"

#include "act.h"
#include "base/mem.h"
#include "base/time.h"
#include "hosts.h"
#include "router.h"
#include "rpc/server.h"

#include "pilotlight/v1/instance.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>

/* Calls 'visit' for the variants of one endpoint, or of all when 'name' is "": those that serve, then those that only
 * finish what they have. */
static void each_variant(const struct core *c, const char *name, void (*visit)(void *arg, const struct core_variant *v),
                         void *arg)
{
    for (const struct core_endpoint *e = core_endpoints(c); e; e = e->hh.next) {
        if (*name && strcmp(name, e->name) != 0)
            continue;
        list_each(it, &e->variants)
        {
            visit(arg, list_entry(it, struct core_variant, link));
        }
        list_each(it, &e->retired)
        {
            visit(arg, list_entry(it, struct core_variant, link));
        }
    }
}

/* ---- instances ---- */

struct instances {
    int64_t now_us;
    Pilotlight__V1__Instance **list;
    size_t count;
};

static const Pilotlight__V1__InstanceState states[CORE_STATES] = {
    [CORE_STARTING] = PILOTLIGHT__V1__INSTANCE_STATE__INSTANCE_STATE_STARTING,
    [CORE_IDLE] = PILOTLIGHT__V1__INSTANCE_STATE__INSTANCE_STATE_IDLE,
    [CORE_BUSY] = PILOTLIGHT__V1__INSTANCE_STATE__INSTANCE_STATE_BUSY,
    [CORE_STOPPING] = PILOTLIGHT__V1__INSTANCE_STATE__INSTANCE_STATE_STOPPING,
};

/* The host's number for it is unique over time; until the host has told it, ours is. */
static char *instance_id(const struct core_instance *in)
{
    if (in->worker_id)
        return pl_format("%s/%" PRIu64, in->host->id, in->worker_id);
    return pl_format("%s/start-%" PRIu64, in->host->id, in->serial);
}

static void add_instance(struct instances *all, const struct core_instance *in, bool provisioned)
{
    const struct core_variant *v = in->variant;
    Pilotlight__V1__Instance *m = PL_NEW(Pilotlight__V1__Instance);
    int64_t stops_at_us = core_stops_at_us(in, all->now_us);

    pilotlight__v1__instance__init(m);
    m->id = instance_id(in);
    m->endpoint_name = v->endpoint->name;
    m->variant_name = v->name;
    m->host = in->host->id;
    m->state = states[in->state];
    m->in_state_ms = (all->now_us - in->since_us) / 1000;
    m->age_ms = (all->now_us - in->asked_us) / 1000;
    m->requests_served = in->served;
    m->provisioned = provisioned;
    m->generation = v->generation;
    m->memory_size_mb = v->memory_mb;
    m->memory_used_bytes = in->memory_bytes;
    if (stops_at_us != CORE_NEVER)
        m->stops_in_ms = stops_at_us > all->now_us ? (stops_at_us - all->now_us + 999) / 1000 : 1;
    all->list = pl_grow(all->list, all->count + 1, sizeof(Pilotlight__V1__Instance *));
    all->list[all->count++] = m;
}

/* As many as the floor wants count as provisioned; those that can serve first. */
static void add_instances(void *arg, const struct core_variant *v)
{
    static const enum core_instance_state order[] = { CORE_BUSY, CORE_IDLE, CORE_STARTING, CORE_STOPPING };
    unsigned provisioned = v->provisioned;

    for (size_t i = 0; i < PL_COUNT(order); i++) {
        list_each(it, &v->by_state[order[i]])
        {
            bool counts = provisioned > 0 && order[i] != CORE_STOPPING;

            add_instance(arg, list_entry(it, struct core_instance, link), counts);
            provisioned -= counts;
        }
    }
}

ROUTER_HANDLER(list_instances)
{
    const Pilotlight__V1__ListInstancesRequest *request = message;
    Pilotlight__V1__ListInstancesResponse reply = PILOTLIGHT__V1__LIST_INSTANCES_RESPONSE__INIT;
    const struct router *r = service;
    struct instances all = { .now_us = pl_now_us() };

    each_variant(r->core, request->endpoint_name, add_instances, &all);
    reply.instances = all.list;
    reply.n_instances = all.count;
    rpc_reply(call, &reply.base);
    for (size_t i = 0; i < all.count; i++) {
        free(all.list[i]->id);
        free(all.list[i]);
    }
    free(all.list);
}

/* ---- counters ---- */

struct stats {
    Pilotlight__V1__VariantStats **list;
    size_t count;
};

/* Those of older generations only while they have something; the counters stand with the one that serves. */
/* NULL: there was none. The caller's to free. */
static Pilotlight__V1__ColdStartTimes *cold_times(const struct core_tally *t)
{
    Pilotlight__V1__ColdStartTimes *m = t->cold_starts > 0 ? PL_NEW(Pilotlight__V1__ColdStartTimes) : NULL;

    if (!m)
        return NULL;
    pilotlight__v1__cold_start_times__init(m);
    m->count = t->cold_starts;
    m->queue_us = t->cold.queue_us / m->count;
    m->start_us = t->cold.start_us / m->count;
    m->sandbox_us = t->cold.sandbox_us / m->count;
    m->load_us = t->cold.load_us / m->count;
    m->first_predict_us = t->cold.first_predict_us / m->count;
    return m;
}

static int64_t memory_used(const struct core_variant *v)
{
    int64_t bytes = 0;

    for (int i = 0; i < CORE_STATES; i++) {
        list_each(it, &v->by_state[i])
        {
            bytes += list_entry(it, struct core_instance, link)->memory_bytes;
        }
    }
    return bytes;
}

static void add_stats(void *arg, const struct core_variant *v)
{
    struct stats *all = arg;
    const struct core_tally *t = v->tally;
    Pilotlight__V1__VariantStats *m;

    if (v->retired && !v->endpoint->removed && v->count[CORE_BUSY] + v->waiting_count == 0)
        return;
    m = PL_NEW(Pilotlight__V1__VariantStats);
    pilotlight__v1__variant_stats__init(m);
    m->endpoint_name = v->endpoint->name;
    m->variant_name = v->name;
    m->generation = v->generation;
    m->max_concurrency = (int32_t)v->max_concurrency;
    m->waiting = (int32_t)v->waiting_count;
    m->starting = (int32_t)v->count[CORE_STARTING];
    m->idle = (int32_t)v->count[CORE_IDLE];
    m->busy = (int32_t)v->count[CORE_BUSY];
    m->in_flight = m->waiting + m->busy;
    if (!v->retired || v->endpoint->removed) {
        m->invocations = t->invocations;
        m->cold_starts = t->cold_starts;
        m->throttled = t->throttled;
        m->failed = t->failed;
        m->instances_started = t->instances_started;
        m->instances_failed = t->instances_failed;
        m->cold_start_times = cold_times(t);
    }
    m->memory_used_bytes = memory_used(v);
    all->list = pl_grow(all->list, all->count + 1, sizeof(Pilotlight__V1__VariantStats *));
    all->list[all->count++] = m;
}

ROUTER_HANDLER(list_variant_stats)
{
    const Pilotlight__V1__ListVariantStatsRequest *request = message;
    Pilotlight__V1__ListVariantStatsResponse reply = PILOTLIGHT__V1__LIST_VARIANT_STATS_RESPONSE__INIT;
    const struct router *r = service;
    struct stats all = { 0 };

    each_variant(r->core, request->endpoint_name, add_stats, &all);
    reply.variants = all.list;
    reply.n_variants = all.count;
    rpc_reply(call, &reply.base);
    for (size_t i = 0; i < all.count; i++) {
        free(all.list[i]->cold_start_times);
        free(all.list[i]);
    }
    free(all.list);
}

/* ---- hosts ---- */

static void fill_host(Pilotlight__V1__Host *m, const struct core_host *h)
{
    pilotlight__v1__host__init(m);
    m->id = h->id;
    m->address = (char *)(uintptr_t)hosts_address(h->user);
    m->connected = h->up;
    for (int s = 0; s < CORE_STATES; s++)
        m->instances += (int32_t)h->count[s];
    m->memory_mb = h->memory_mb;
    m->memory_free_mb = h->memory_free_mb;
    m->memory_used_mb = h->memory_used_mb;
    m->runtimes = h->runtimes;
    m->n_runtimes = h->runtime_count;
    m->draining = h->draining;
}

ROUTER_HANDLER(list_hosts)
{
    Pilotlight__V1__ListHostsResponse reply = PILOTLIGHT__V1__LIST_HOSTS_RESPONSE__INIT;
    const struct router *r = service;
    size_t count = 0;

    (void)message;
    list_each(it, core_hosts(r->core)) count++;
    Pilotlight__V1__Host *hosts = pl_new0(count + 1, sizeof(*hosts));
    reply.hosts = pl_new0(count + 1, sizeof(Pilotlight__V1__Host *));
    list_each(it, core_hosts(r->core))
    {
        const struct core_host *h = list_entry(it, struct core_host, link);

        if (h->removed)
            continue;
        fill_host(&hosts[reply.n_hosts], h);
        reply.hosts[reply.n_hosts] = &hosts[reply.n_hosts];
        reply.n_hosts++;
    }
    rpc_reply(call, &reply.base);
    free(reply.hosts);
    free(hosts);
}
