#include "state.h"

#include <string.h>

#define RETRY_AFTER_MS 100

static struct core_variant *by_name(const struct core_endpoint *e, const char *name)
{
    list_each(it, &e->variants)
    {
        struct core_variant *v = list_entry(it, struct core_variant, link);

        if (strcmp(v->name, name) == 0)
            return v;
    }
    return NULL;
}

/* Each in proportion to its weight; when none has any, all alike. */
static struct core_variant *by_weight(struct core *c, const struct core_endpoint *e)
{
    struct core_variant *v = list_first(&e->variants, struct core_variant, link);
    double sum = 0, at;
    unsigned n = 0;

    if (&v->link == e->variants.prev)
        return v;
    list_each(it, &e->variants)
    {
        sum += list_entry(it, struct core_variant, link)->weight;
        n++;
    }
    at = (double)(core_random(c) >> 11) / (double)(UINT64_C(1) << 53) * (sum > 0 ? sum : n);
    list_each(it, &e->variants)
    {
        double weight = sum > 0 ? list_entry(it, struct core_variant, link)->weight : 1;

        if (weight <= 0)
            continue;
        v = list_entry(it, struct core_variant, link);
        if (at < weight)
            break;
        at -= weight;
    }
    return v;
}

enum pl_code admit_enter(struct core *c, const char *endpoint, const char *target, struct core_variant **out,
                         struct pl_err *err)
{
    struct core_endpoint *e = core_endpoint_find(c, endpoint);
    struct core_variant *v;

    if (!e || e->removed || list_empty(&e->variants))
        return pl_fail(err, PL_NOT_FOUND, "endpoint_name", "endpoint \"%s\" does not exist or is not in service",
                       endpoint);
    v = *target ? by_name(e, target) : by_weight(c, e);
    if (!v)
        return pl_fail(err, PL_NOT_FOUND, "target_variant", "endpoint \"%s\" has no variant \"%s\"", endpoint, target);
    if (v->tally->in_flight >= v->max_concurrency) {
        v->tally->throttled++;
        (void)pl_fail_reason(err, PL_EXHAUSTED, "MAX_CONCURRENCY", "max_concurrency",
                             "endpoint \"%s\", variant \"%s\": %u requests are in flight, its max_concurrency is %u",
                             endpoint, v->name, v->tally->in_flight, v->max_concurrency);
        err->retry_after_ms = RETRY_AFTER_MS;
        *out = v;
        return err->code;
    }
    v->tally->in_flight++;
    v->tally->invocations++;
    *out = v;
    return PL_OK;
}

void admit_leave(struct core_request *q, bool failed)
{
    struct core_tally *t = q->variant->tally;

    t->in_flight--;
    t->failed += failed;
    q->variant = NULL;
    q->instance = NULL;
}
