#include "state.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct core *core_new(const struct core_settings *s)
{
    struct core *c = PL_NEW(struct core);

    assert(s->seed != 0);
    c->settings = *s;
    c->random = s->seed;
    list_init(&c->hosts);
    list_init(&c->starving);
    list_init(&c->dead_instances);
    list_init(&c->dead_variants);
    list_init(&c->dead_hosts);
    return c;
}

/* xorshift64*: Marsaglia, Vigna. */
uint64_t core_random(struct core *c)
{
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    return c->random * UINT64_C(0x2545F4914F6CDD1D);
}

/* ---- actions ---- */

const struct pl_err *core_keep_err(struct core *c, const struct pl_err *err)
{
    struct pl_err *kept = PL_NEW(struct pl_err);

    *kept = *err;
    c->errs = pl_grow(c->errs, c->err_count + 1, sizeof(struct pl_err *));
    c->errs[c->err_count++] = kept;
    return kept;
}

void core_act(struct core *c, const struct core_action *a)
{
    if (c->action_count == c->action_room) {
        c->action_room = c->action_room ? 2 * c->action_room : 16;
        c->actions = pl_grow(c->actions, c->action_room, sizeof(*c->actions));
    }
    c->actions[c->action_count++] = *a;
}

static void sweep(struct core *c)
{
    struct core_endpoint *e;

    for (size_t i = 0; i < c->err_count; i++)
        free(c->errs[i]);
    c->err_count = 0;
    list_each_safe(it, &c->dead_instances)
    {
        list_remove(it);
        free(list_entry(it, struct core_instance, link));
    }
    list_each_safe(it, &c->dead_variants)
    {
        list_remove(it);
        core_variant_free(list_entry(it, struct core_variant, link));
    }
    list_each_safe(it, &c->dead_hosts)
    {
        list_remove(it);
        core_host_free(list_entry(it, struct core_host, link));
    }
    while ((e = c->dead_endpoints)) {
        c->dead_endpoints = e->hh.next;
        core_endpoint_free(e);
    }
}

bool core_take(struct core *c, struct core_action *out)
{
    if (c->action_next < c->action_count) {
        *out = c->actions[c->action_next++];
        return true;
    }
    c->action_next = c->action_count = 0;
    sweep(c);
    return false;
}

/* ---- free ---- */

void core_endpoint_free(struct core_endpoint *e)
{
    free(e->name);
    free(e);
}

void core_variant_free(struct core_variant *v)
{
    if (v->policy.ops->done)
        v->policy.ops->done(&v->policy);
    if (--v->tally->refs == 0)
        free(v->tally);
    warmth_forget(v);
    free(v->name);
    free(v->runtime);
    free(v);
}

void core_host_free(struct core_host *h)
{
    placement_forget(h);
    for (size_t i = 0; i < h->runtime_count; i++)
        free(h->runtimes[i]);
    free(h->runtimes);
    free(h->id);
    free(h);
}

static void free_variants(struct core *c, struct list *variants)
{
    list_each_safe(it, variants)
    {
        struct core_variant *v = list_entry(it, struct core_variant, link);

        for (int s = 0; s < CORE_STATES; s++) {
            list_each_safe(in, &v->by_state[s])
            {
                pool_remove(c, list_entry(in, struct core_instance, link));
            }
        }
        list_remove(&v->link);
        list_push_back(&c->dead_variants, &v->link);
    }
}

void core_free(struct core *c)
{
    struct core_endpoint *e, *next;

    if (!c)
        return;
    HASH_ITER(hh, c->endpoints, e, next)
    {
        free_variants(c, &e->variants);
        free_variants(c, &e->retired);
        HASH_DEL(c->endpoints, e);
        core_endpoint_free(e);
    }
    list_each_safe(it, &c->hosts)
    {
        list_remove(it);
        list_push_back(&c->dead_hosts, it);
    }
    sweep(c);
    free(c->errs);
    free(c->actions);
    free(c->due);
    free(c);
}
