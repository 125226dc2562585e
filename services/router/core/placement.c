/* On which host? Two random choices, the better of which wins: nearly as good as asking all, and no herd runs to the
 * host that looked best a moment ago (Mitzenmacher, "The Power of Two Choices"). For the provisioned floor hosts with
 * the fewest instances of the variant come first, so that one host's death leaves the most. */
#include "state.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Having the artifact saves its fetch and unpacking: worth this many times the free memory. */
#define CACHED_WEIGHT 4
/* Artifacts remembered of a host; beyond that all are forgotten. */
#define CACHED_MAX 4096

struct core_cached {
    UT_hash_handle hh;
    uint64_t artifact;
};

void placement_forget(struct core_host *h)
{
    struct core_cached *a, *next;

    HASH_ITER(hh, h->cached, a, next)
    {
        HASH_DEL(h->cached, a);
        free(a);
    }
}

static bool has_artifact(const struct core_host *h, uint64_t artifact)
{
    struct core_cached *a;

    HASH_FIND(hh, h->cached, &artifact, sizeof(artifact), a);
    return a != NULL;
}

void placement_has_artifact(struct core_host *h, uint64_t artifact)
{
    struct core_cached *a;

    if (has_artifact(h, artifact))
        return;
    if (HASH_COUNT(h->cached) >= CACHED_MAX)
        placement_forget(h);
    a = PL_NEW(struct core_cached);
    a->artifact = artifact;
    HASH_ADD(hh, h->cached, artifact, sizeof(a->artifact), a);
}

static bool offers(const struct core_host *h, const char *runtime)
{
    for (size_t i = 0; i < h->runtime_count; i++)
        if (strcmp(h->runtimes[i], runtime) == 0)
            return true;
    return false;
}

static bool can_take(const struct core_host *h, const struct core_variant *v, int64_t now_us)
{
    return h->up && !h->draining && !h->removed && h->full_until_us <= now_us && offers(h, v->runtime);
}

static double score(const struct core_host *h, const struct core_variant *v)
{
    double free_mb = (double)(h->memory_free_mb > 0 ? h->memory_free_mb : 1);

    return free_mb / (1 + h->count[CORE_STARTING]) * (has_artifact(h, v->artifact) ? CACHED_WEIGHT : 1);
}

static void count_variant(struct core *c, const struct core_variant *v)
{
    list_each(it, &c->hosts)
    {
        list_entry(it, struct core_host, link)->of_variant = 0;
    }
    for (int s = CORE_STARTING; s <= CORE_BUSY; s++) {
        list_each(it, &v->by_state[s])
        {
            list_entry(it, struct core_instance, link)->host->of_variant++;
        }
    }
}

/* The 'n'-th host that can take it and has 'fewest' of the variant already. */
static struct core_host *nth(struct core *c, const struct core_variant *v, unsigned fewest, uint64_t n, int64_t now_us)
{
    list_each(it, &c->hosts)
    {
        struct core_host *h = list_entry(it, struct core_host, link);

        if (can_take(h, v, now_us) && h->of_variant == fewest && n-- == 0)
            return h;
    }
    return NULL;
}

struct core_host *placement_choose(struct core *c, struct core_variant *v, int64_t now_us)
{
    bool spread = core_alive(v) < v->provisioned;
    unsigned fewest = UINT32_MAX, fit = 0;
    struct core_host *a, *b;

    count_variant(c, v);
    list_each(it, &c->hosts)
    {
        struct core_host *h = list_entry(it, struct core_host, link);

        if (!can_take(h, v, now_us))
            continue;
        if (!spread)
            h->of_variant = 0;
        if (h->of_variant < fewest) {
            fewest = h->of_variant;
            fit = 0;
        }
        fit += h->of_variant == fewest;
    }
    if (fit == 0)
        return NULL;
    a = nth(c, v, fewest, core_random(c) % fit, now_us);
    b = nth(c, v, fewest, core_random(c) % fit, now_us);
    return score(b, v) > score(a, v) ? b : a;
}
