#include "state.h"

#include "base/mem.h"

#include <string.h>

struct core_endpoint *core_endpoint_find(const struct core *c, const char *name)
{
    struct core_endpoint *e;

    HASH_FIND_STR(c->endpoints, name, e);
    return e;
}

struct core_endpoint *core_endpoints(const struct core *c)
{
    return c->endpoints;
}

/* ---- a generation comes ---- */

static struct core_endpoint *endpoint_new(struct core *c, const char *name)
{
    struct core_endpoint *e = PL_NEW(struct core_endpoint);

    e->name = pl_strdup(name);
    list_init(&e->variants);
    list_init(&e->retired);
    HASH_ADD_KEYPTR(hh, c->endpoints, e->name, strlen(e->name), e);
    return e;
}

static struct core_tally *tally_in(const struct list *variants, const char *name)
{
    list_each(it, variants)
    {
        struct core_variant *v = list_entry(it, struct core_variant, link);

        if (strcmp(v->name, name) == 0)
            return v->tally;
    }
    return NULL;
}

/* Counters go on from generation to generation. */
static struct core_tally *tally_of(const struct core_endpoint *e, const char *name)
{
    struct core_tally *t = tally_in(&e->variants, name);

    if (!t)
        t = tally_in(&e->retired, name);
    if (!t)
        t = PL_NEW(struct core_tally);
    t->refs++;
    return t;
}

static struct core_variant *variant_new(struct core *c, struct core_endpoint *e, const struct core_variant_spec *s,
                                        int64_t generation)
{
    struct core_variant *v = PL_NEW(struct core_variant);

    v->endpoint = e;
    v->tally = tally_of(e, s->name);
    v->name = pl_strdup(s->name);
    v->runtime = pl_strdup(s->runtime);
    v->generation = generation;
    v->max_concurrency = s->max_concurrency;
    v->provisioned = s->provisioned;
    v->weight = s->weight;
    v->start_timeout_us = s->start_timeout_us;
    v->memory_mb = s->memory_mb;
    v->artifact = s->artifact;
    v->user = s->user;
    v->policy.ops = s->policy ? s->policy : &policy_fixed;
    v->policy.keep_alive_us = s->keep_alive_us < 0 ? c->settings.keep_alive_us : s->keep_alive_us;
    v->due_us = CORE_NEVER;
    v->starving_since_us = -1;
    for (int i = 0; i < CORE_STATES; i++)
        list_init(&v->by_state[i]);
    list_init(&v->waiting);
    list_init(&v->prewarms);
    list_init(&v->starving);
    return v;
}

static void retire(struct core *c, struct core_variant *v, int64_t now_us)
{
    list_remove(&v->link);
    list_push_back(&v->endpoint->retired, &v->link);
    v->retired = true;
    v->provisioned = 0;
    warmth_forget(v);
    endpoints_settle(c, v, now_us);
}

void core_endpoint_set(struct core *c, const struct core_endpoint_spec *s, int64_t now_us)
{
    struct core_endpoint *e = core_endpoint_find(c, s->name);
    struct list fresh;

    if (!e)
        e = endpoint_new(c, s->name);
    e->generation = s->generation;
    e->removed = false;
    list_init(&fresh);
    for (size_t i = 0; i < s->variant_count; i++)
        list_push_back(&fresh, &variant_new(c, e, &s->variants[i], s->generation)->link);
    list_each_safe(it, &e->variants)
    {
        retire(c, list_entry(it, struct core_variant, link), now_us);
    }
    list_each_safe(it, &fresh)
    {
        list_remove(it);
        list_push_back(&e->variants, it);
        coldstart_balance(c, list_entry(it, struct core_variant, link), now_us);
    }
}

/* ---- and goes ---- */

static void endpoint_check(struct core *c, struct core_endpoint *e)
{
    if (!e->removed || !list_empty(&e->variants) || !list_empty(&e->retired))
        return;
    HASH_DEL(c->endpoints, e);
    e->hh.next = c->dead_endpoints;
    c->dead_endpoints = e;
    core_act(c, &(struct core_action){ .kind = CORE_ENDPOINT_GONE, .text = e->name });
}

void endpoints_settle(struct core *c, struct core_variant *v, int64_t now_us)
{
    struct list *idle = &v->by_state[CORE_IDLE], *starting = &v->by_state[CORE_STARTING];
    struct core_instance *in;

    if (!v->retired)
        return;
    while ((in = list_first(idle, struct core_instance, link)))
        pool_stop(c, in, v->endpoint->removed ? "endpoint deleted" : "endpoint updated", now_us);
    while (v->count[CORE_STARTING] > v->waiting_count && (in = list_last(starting, struct core_instance, link)))
        pool_cancel_start(c, in, now_us);
    for (int s = 0; s < CORE_STATES; s++)
        if (v->count[s] > 0)
            return;
    if (v->waiting_count > 0)
        return;
    coldstart_forget(v);
    due_remove(c, v);
    list_remove(&v->link);
    list_push_back(&c->dead_variants, &v->link);
    core_act(c, &(struct core_action){ .kind = CORE_FORGET_VARIANT, .user = v->user });
    endpoint_check(c, v->endpoint);
}

void core_endpoint_remove(struct core *c, const char *name, int64_t now_us)
{
    struct core_endpoint *e = core_endpoint_find(c, name);

    if (!e || e->removed)
        return;
    e->removed = true;
    if (list_empty(&e->variants)) {
        endpoint_check(c, e);
        return;
    }
    list_each_safe(it, &e->variants)
    {
        retire(c, list_entry(it, struct core_variant, link), now_us);
    }
}
