#include "followers.h"

#include "base/list.h"
#include "base/mem.h"
#include "limit.h"
#include "record.h"
#include "rpc/server.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct follower {
    struct list link;
    struct followers *followers;
    struct rpc_call *call;
    char endpoint[STORE_NAME_SIZE];
};

struct followers {
    struct store *store;
    const struct limits *limits;
    struct list streams;
    unsigned count;
};

static void forget(struct follower *x)
{
    list_remove(&x->link);
    x->followers->count--;
    free(x);
}

static void drop(struct follower *x, const struct pl_err *err)
{
    rpc_call_on_cancel(x->call, NULL, NULL);
    rpc_fail(x->call, err);
    forget(x);
}

static void cancelled(void *arg)
{
    struct pl_err err;
    (void)pl_fail(&err, PL_CANCELLED, NULL, "the caller closed the stream");
    drop(arg, &err);
}

/* False when the stream is gone. */
static bool send(struct follower *x, const Pilotlight__V1__Endpoint *e, bool deleted)
{
    Pilotlight__V1__WatchEndpointResponse m = PILOTLIGHT__V1__WATCH_ENDPOINT_RESPONSE__INIT;
    struct pl_err err;
    m.endpoint = (Pilotlight__V1__Endpoint *)(uintptr_t)e;
    m.deleted = deleted;
    if (rpc_stream_send(x->call, &m.base))
        return true;
    (void)pl_fail_reason(&err, PL_EXHAUSTED, "SLOW_READER", NULL, "the stream is read too slowly: watch again");
    drop(x, &err);
    return false;
}

void followers_add(struct followers *f, struct rpc_call *call, const char *endpoint)
{
    const struct limit *most = &f->limits->row[LIMIT_watchers];
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = NULL;
    if ((int64_t)f->count >= most->max)
        (void)pl_fail_reason(&err, PL_EXHAUSTED, "RESOURCE_LIMIT", NULL, "%lld %s are open, which is the limit",
                             (long long)most->max, most->unit);
    else
        e = record_get(f->store, STORE_ENDPOINT, endpoint, &err);
    if (!e) {
        rpc_fail(call, &err);
        return;
    }
    struct follower *x = PL_NEW(struct follower);
    x->followers = f;
    x->call = call;
    (void)snprintf(x->endpoint, sizeof(x->endpoint), "%s", endpoint);
    list_push_back(&f->streams, &x->link);
    f->count++;
    rpc_call_on_cancel(call, cancelled, x);
    (void)send(x, e, false);
}

void followers_changed(struct followers *f, const char *endpoint)
{
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = NULL;
    list_each_safe(link, &f->streams)
    {
        struct follower *x = list_entry(link, struct follower, link);
        if (strcmp(x->endpoint, endpoint) != 0)
            continue;
        if (!e && !(e = record_get(f->store, STORE_ENDPOINT, endpoint, &err)))
            drop(x, &err);
        else
            (void)send(x, e, false);
    }
}

void followers_deleted(struct followers *f, const Pilotlight__V1__Endpoint *last)
{
    list_each_safe(link, &f->streams)
    {
        struct follower *x = list_entry(link, struct follower, link);
        if (strcmp(x->endpoint, last->name) != 0 || !send(x, last, true))
            continue;
        rpc_call_on_cancel(x->call, NULL, NULL);
        rpc_stream_end(x->call);
        forget(x);
    }
}

struct followers *followers_new(struct store *s, const struct limits *l)
{
    struct followers *f = PL_NEW(struct followers);
    *f = (struct followers){ .store = s, .limits = l };
    list_init(&f->streams);
    return f;
}

unsigned followers_count(const struct followers *f)
{
    return f->count;
}

void followers_end(struct followers *f)
{
    struct pl_err err;
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "control is stopping");
    list_each_safe(link, &f->streams)
    {
        drop(list_entry(link, struct follower, link), &err);
    }
}

void followers_free(struct followers *f)
{
    if (f)
        followers_end(f);
    free(f);
}
