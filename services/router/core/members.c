#include "state.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct core_host *core_host_add(struct core *c, const char *id, void *user)
{
    struct core_host *h = PL_NEW(struct core_host);

    h->id = pl_strdup(id);
    h->user = user;
    list_init(&h->all);
    list_push_back(&c->hosts, &h->link);
    return h;
}

const struct list *core_hosts(const struct core *c)
{
    return &c->hosts;
}

/* ---- what a host already has ---- */

static struct core_variant *of_generation(const struct list *variants, const struct core_found *f)
{
    list_each(it, variants)
    {
        struct core_variant *v = list_entry(it, struct core_variant, link);

        if (v->generation == f->generation && strcmp(v->name, f->variant) == 0)
            return v;
    }
    return NULL;
}

static struct core_variant *variant_of(const struct core *c, const struct core_found *f)
{
    struct core_endpoint *e = core_endpoint_find(c, f->endpoint);
    struct core_variant *v = e ? of_generation(&e->variants, f) : NULL;

    return v || !e ? v : of_generation(&e->retired, f);
}

static void stop_stranger(struct core *c, struct core_host *h, uint64_t worker_id, const char *why)
{
    core_act(c, &(struct core_action){ .kind = CORE_STOP_STRANGER, .host = h, .worker_id = worker_id, .text = why });
}

static void adopt(struct core *c, struct core_host *h, const struct core_found *f, int64_t now_us)
{
    struct core_variant *v = variant_of(c, f);
    struct core_instance *in;

    HASH_FIND(hh, h->by_worker_id, &f->worker_id, sizeof(f->worker_id), in);
    if (in || f->worker_id == 0)
        return;
    if (!v || f->busy) {
        stop_stranger(c, h, f->worker_id, v ? "its caller is gone" : "no endpoint uses it");
        return;
    }
    in = pool_add(c, v, h, CORE_STARTING, now_us);
    in->served = f->served;
    in->memory_bytes = f->memory_bytes;
    in->asked_us = now_us - f->idle_us;
    pool_name(in, f->worker_id);
    placement_has_artifact(h, v->artifact);
    pool_give(c, in, false, now_us);
    endpoints_settle(c, v, now_us);
}

/* ---- up and down ---- */

static void set_runtimes(struct core_host *h, const char *const *runtimes, size_t count)
{
    for (size_t i = 0; i < h->runtime_count; i++)
        free(h->runtimes[i]);
    free(h->runtimes);
    h->runtimes = pl_new0(count + 1, sizeof(char *));
    h->runtime_count = count;
    for (size_t i = 0; i < count; i++)
        h->runtimes[i] = pl_strdup(runtimes[i]);
}

static void set_load(struct core_host *h, const struct core_load *l)
{
    h->memory_mb = l->memory_mb;
    h->memory_free_mb = l->memory_free_mb;
    h->memory_used_mb = l->memory_used_mb;
    h->instances = l->instances;
    h->instance_limit = l->instance_limit;
}

/* What is lost has to be had elsewhere. */
static void rebalance(struct core *c, struct list *variants, int64_t now_us)
{
    list_each_safe(it, variants)
    {
        struct core_variant *v = list_entry(it, struct core_variant, link);

        coldstart_balance(c, v, now_us);
        endpoints_settle(c, v, now_us);
    }
}

static void rebalance_all(struct core *c, int64_t now_us)
{
    struct core_endpoint *e, *next;

    HASH_ITER(hh, c->endpoints, e, next)
    {
        rebalance(c, &e->variants, now_us);
        rebalance(c, &e->retired, now_us);
    }
}

void core_host_up(struct core *c, struct core_host *h, const char *const *runtimes, size_t runtime_count,
                  const struct core_load *load, const struct core_found *found, size_t found_count, int64_t now_us)
{
    set_runtimes(h, runtimes, runtime_count);
    set_load(h, load);
    h->up = !h->removed;
    h->draining = load->draining;
    h->full_until_us = 0;
    h->full_why[0] = '\0';
    for (size_t i = 0; i < found_count; i++)
        adopt(c, h, &found[i], now_us);
    coldstart_capacity(c, now_us);
}

/* Idle instances of the host leave the pool: forgotten, or stopped for the reason 'why'. */
static void give_up_idle(struct core *c, struct core_host *h, const char *why, int64_t now_us)
{
    list_each_safe(it, &h->all)
    {
        struct core_instance *in = list_entry(it, struct core_instance, host_link);

        if (in->state != CORE_IDLE)
            continue;
        if (why)
            pool_stop(c, in, why, now_us);
        else
            pool_remove(c, in);
    }
}

void core_host_down(struct core *c, struct core_host *h, int64_t now_us)
{
    if (!h->up)
        return;
    h->up = false;
    give_up_idle(c, h, NULL, now_us);
    rebalance_all(c, now_us);
}

void core_host_draining(struct core *c, struct core_host *h, bool draining, int64_t now_us)
{
    if (h->draining == draining)
        return;
    h->draining = draining;
    if (draining)
        give_up_idle(c, h, "its host is draining", now_us);
    rebalance_all(c, now_us);
}

struct core_instance *core_host_measured(struct core_host *h, uint64_t worker_id, int64_t memory_bytes)
{
    struct core_instance *in;

    HASH_FIND(hh, h->by_worker_id, &worker_id, sizeof(worker_id), in);
    if (in)
        in->memory_bytes = memory_bytes;
    return in;
}

void core_host_load(struct core *c, struct core_host *h, const struct core_load *load, int64_t now_us)
{
    bool room = load->memory_free_mb > h->memory_free_mb || load->instances < h->instances;

    set_load(h, load);
    if (room) {
        h->full_until_us = 0;
        h->full_why[0] = '\0';
    }
    core_host_draining(c, h, load->draining, now_us);
    if (room)
        coldstart_capacity(c, now_us);
}

/* A busy one is heard of by its request, too: that decides what its caller is told. */
void core_host_died(struct core *c, struct core_host *h, uint64_t worker_id, int64_t now_us)
{
    struct core_instance *in;
    struct core_variant *v;

    HASH_FIND(hh, h->by_worker_id, &worker_id, sizeof(worker_id), in);
    if (!in)
        return;
    in->doomed = true;
    if (in->state != CORE_IDLE)
        return;
    v = in->variant;
    pool_remove(c, in);
    coldstart_balance(c, v, now_us);
    endpoints_settle(c, v, now_us);
}

/* ---- the end ---- */

void members_settle(struct core *c, struct core_host *h)
{
    if (!h->removed || !list_empty(&h->all))
        return;
    list_remove(&h->link);
    list_push_back(&c->dead_hosts, &h->link);
    core_act(c, &(struct core_action){ .kind = CORE_FORGET_HOST, .user = h->user });
}

void core_host_remove(struct core *c, struct core_host *h, int64_t now_us)
{
    if (h->removed)
        return;
    core_host_down(c, h, now_us);
    h->removed = true;
    members_settle(c, h);
}
