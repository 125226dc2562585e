#include "routers.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct router {
    char *id;
    int64_t epoch;
    unsigned streams;
    int64_t left_ms; /* when the last stream ended, or it was first seen without one */
    UT_hash_handle hh;
};

struct routers {
    struct router *by_id; /* uthash */
};

static struct router *find(const struct routers *r, const char *id)
{
    struct router *found = NULL;

    HASH_FIND_STR(r->by_id, id, found);
    return found;
}

static void forget(struct routers *r, struct router *which)
{
    HASH_DEL(r->by_id, which);
    free(which->id);
    free(which);
}

/* False: all of them watch. */
static bool make_room(struct routers *r)
{
    struct router *first = NULL;

    if (HASH_COUNT(r->by_id) < ROUTERS_MAX)
        return true;
    for (struct router *it = r->by_id; it; it = it->hh.next)
        if (it->streams == 0 && (!first || it->left_ms < first->left_ms))
            first = it;
    if (first)
        forget(r, first);
    return first != NULL;
}

static struct router *add(struct routers *r, const char *id)
{
    struct router *new = PL_NEW(struct router);

    new->id = pl_strdup(id);
    new->left_ms = pl_now_ms();
    HASH_ADD_KEYPTR(hh, r->by_id, new->id, strlen(new->id), new);
    return new;
}

enum pl_code routers_admit(struct routers *r, const char *id, int64_t epoch, struct pl_err *err)
{
    struct router *known = find(r, id);

    if (!known && !make_room(r))
        return pl_fail_reason(err, PL_EXHAUSTED, "RESOURCE_LIMIT", "router_id",
                              "%d routers watch this host, which is the limit", ROUTERS_MAX);
    if (!known)
        known = add(r, id);
    if (epoch < known->epoch)
        return pl_fail_reason(err, PL_PRECONDITION, "STALE_EPOCH", "router_epoch",
                              "router_epoch: %" PRId64 " is older than %" PRId64
                              ", which this host has seen of router '%.64s': a newer process has its router_id",
                              epoch, known->epoch, id);
    known->epoch = epoch;
    return PL_OK;
}

void routers_came(struct routers *r, const char *id)
{
    struct router *known = find(r, id);

    assert(known);
    known->streams++;
}

void routers_left(struct routers *r, const char *id)
{
    struct router *known = find(r, id);

    assert(known && known->streams > 0);
    known->streams--;
    known->left_ms = pl_now_ms();
}

bool routers_watching(const struct routers *r, const char *id)
{
    const struct router *known = find(r, id);

    return known && known->streams > 0;
}

int64_t routers_away_ms(const struct routers *r, const char *id)
{
    const struct router *known = find(r, id);

    if (!known)
        return INT64_MAX;
    return known->streams > 0 ? 0 : pl_now_ms() - known->left_ms;
}

struct routers *routers_new(void)
{
    return PL_NEW(struct routers);
}

void routers_free(struct routers *r)
{
    struct router *it, *next;

    if (!r)
        return;
    HASH_ITER(hh, r->by_id, it, next)
    forget(r, it);
    free(r);
}
