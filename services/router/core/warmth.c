/* Who stays warm, who goes, who comes ahead of need: the policy's windows, and the provisioned floor that overrules
 * them. */
#include "state.h"

#include "base/mem.h"

#include <stdlib.h>

/* An instance should be there for level 'level' in this window. */
struct prewarm {
    struct list link;
    unsigned level;
    struct policy_window window;
};

unsigned core_alive(const struct core_variant *v)
{
    return v->count[CORE_STARTING] + v->count[CORE_IDLE] + v->count[CORE_BUSY];
}

/* ---- windows that begin later ---- */

static void forget_level(struct core_variant *v, unsigned level)
{
    list_each_safe(it, &v->prewarms)
    {
        struct prewarm *p = list_entry(it, struct prewarm, link);

        if (p->level == level) {
            list_remove(&p->link);
            free(p);
        }
    }
}

static void plan(struct core *c, struct core_variant *v, unsigned level, struct policy_window w)
{
    struct prewarm *p = PL_NEW(struct prewarm);

    forget_level(v, level);
    p->level = level;
    p->window = w;
    list_push_back(&v->prewarms, &p->link);
    due_by(c, v, w.from_us);
}

/* The window, begun already, of the highest level. */
static const struct prewarm *begun(const struct core_variant *v, int64_t now_us)
{
    const struct prewarm *best = NULL;

    list_each(it, &v->prewarms)
    {
        const struct prewarm *p = list_entry(it, struct prewarm, link);

        if (p->window.from_us <= now_us && now_us < p->window.until_us && (!best || p->level > best->level))
            best = p;
    }
    return best;
}

void warmth_forget(struct core_variant *v)
{
    list_each_safe(it, &v->prewarms)
    {
        list_remove(it);
        free(list_entry(it, struct prewarm, link));
    }
}

/* ---- levels become busy and idle ---- */

void warmth_busy(struct core_variant *v, bool cold, int64_t now_us)
{
    unsigned level = v->count[CORE_BUSY];

    if (!list_empty(&v->prewarms))
        forget_level(v, level);
    if (v->policy.ops->busy)
        v->policy.ops->busy(&v->policy, now_us, level, cold);
}

int64_t warmth_idle(struct core *c, struct core_variant *v, bool used, int64_t now_us)
{
    const struct prewarm *p = used ? NULL : begun(v, now_us);
    unsigned level = used ? v->count[CORE_BUSY] + 1 : core_alive(v);
    struct policy_window w;

    if (p)
        return p->window.until_us;
    w = v->policy.ops->idle(&v->policy, now_us, level);
    if (w.from_us <= now_us)
        return w.until_us;
    plan(c, v, level, w);
    return now_us;
}

unsigned warmth_wanted(const struct core_variant *v, int64_t now_us)
{
    const struct prewarm *p = begun(v, now_us);

    return p && p->level > v->provisioned ? p->level : v->provisioned;
}

/* ---- going ---- */

/* One instance too many is a start that nobody waits for, before it is one that is warm. */
static void call_off_surplus(struct core *c, struct core_variant *v, unsigned wanted, int64_t now_us)
{
    while (core_alive(v) > wanted && v->count[CORE_STARTING] > v->waiting_count)
        pool_cancel_start(c, list_last(&v->by_state[CORE_STARTING], struct core_instance, link), now_us);
}

void warmth_expire(struct core *c, struct core_variant *v, int64_t now_us)
{
    struct list *idle = &v->by_state[CORE_IDLE];
    unsigned wanted;

    list_each_safe(it, &v->prewarms)
    {
        struct prewarm *p = list_entry(it, struct prewarm, link);

        if (p->window.until_us <= now_us) {
            list_remove(&p->link);
            free(p);
        }
    }
    wanted = warmth_wanted(v, now_us);
    for (struct list *it = idle->prev, *before; it != idle && core_alive(v) > wanted; it = before) {
        struct core_instance *in = list_entry(it, struct core_instance, link);

        before = it->prev;
        if (in->stops_at_us > now_us)
            continue;
        call_off_surplus(c, v, wanted, now_us);
        if (core_alive(v) > wanted)
            pool_stop(c, in, "keep-alive over", now_us);
    }
}

int64_t core_stops_at_us(const struct core_instance *in, int64_t now_us)
{
    const struct core_variant *v = in->variant;
    unsigned alive = core_alive(v), wanted = warmth_wanted(v, now_us), may_go = alive > wanted ? alive - wanted : 0;

    if (in->state != CORE_IDLE)
        return CORE_NEVER;
    for (const struct list *it = v->by_state[CORE_IDLE].prev; it != &in->link && may_go > 0; it = it->prev)
        may_go--;
    return may_go > 0 ? in->stops_at_us : CORE_NEVER;
}

int64_t warmth_due_us(const struct core_variant *v, int64_t now_us)
{
    int64_t due_us = CORE_NEVER;

    if (core_alive(v) > warmth_wanted(v, now_us)) {
        list_each(it, &v->by_state[CORE_IDLE])
        {
            const struct core_instance *in = list_entry(it, struct core_instance, link);

            due_us = in->stops_at_us < due_us ? in->stops_at_us : due_us;
        }
    }
    list_each(it, &v->prewarms)
    {
        const struct policy_window *w = &list_entry(it, struct prewarm, link)->window;
        int64_t next_us = w->from_us > now_us ? w->from_us : w->until_us;

        due_us = next_us < due_us ? next_us : due_us;
    }
    return due_us;
}

/* ---- room for others ---- */

bool warmth_evict(struct core *c, struct core_host *h, int64_t now_us)
{
    struct core_instance *victim = NULL;

    list_each(it, &h->all)
    {
        struct core_instance *in = list_entry(it, struct core_instance, host_link);

        if (in->state == CORE_IDLE && core_alive(in->variant) > warmth_wanted(in->variant, now_us) &&
            (!victim || in->since_us < victim->since_us))
            victim = in;
    }
    if (victim)
        pool_stop(c, victim, "its host needs the room", now_us);
    return victim != NULL;
}
