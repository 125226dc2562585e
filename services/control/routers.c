#include "routers.h"

#include "base/list.h"
#include "base/mem.h"
#include "endpoint_state.h"
#include "hosts.h"
#include "limit.h"
#include "log/log.h"
#include "record.h"
#include "rpc/server.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct router {
    struct list link;
    struct routers *routers;
    struct rpc_call *call;
    char id[STORE_NAME_SIZE];
    int64_t epoch;
    int64_t sent;    /* everything up to this version is in the stream */
    int64_t applied; /* as acknowledged */
    char **draining; /* removed endpoints with requests in flight there */
    size_t draining_count;
};

struct routers {
    struct store *store;
    const struct limits *limits;
    const struct hosts *hosts;
    void (*changed)(void *arg);
    void *arg;
    struct list streams;
    unsigned count;
};

static void forget_draining(struct router *x)
{
    for (size_t i = 0; i < x->draining_count; i++)
        free(x->draining[i]);
    free(x->draining);
    x->draining = NULL;
    x->draining_count = 0;
}

/* Ends the stream with 'err' and forgets the router. */
static void drop(struct router *x, const struct pl_err *err)
{
    struct routers *r = x->routers;
    rpc_call_on_cancel(x->call, NULL, NULL);
    rpc_fail(x->call, err);
    log_info("router_gone", LOG_STR("router", x->id), LOG_ERR(err));
    list_remove(&x->link);
    r->count--;
    forget_draining(x);
    free(x);
    r->changed(r->arg);
}

static void cancelled(void *arg)
{
    struct pl_err err;
    (void)pl_fail(&err, PL_CANCELLED, NULL, "the router closed its stream");
    drop(arg, &err);
}

static bool send(struct router *x, int64_t version, Pilotlight__Internal__V1__WatchResponse *m)
{
    struct pl_err err;
    m->version = version;
    m->database_id = (char *)(uintptr_t)store_database_id(x->routers->store);
    if (rpc_stream_send(x->call, &m->base)) {
        x->sent = version;
        return true;
    }
    (void)pl_fail_reason(&err, PL_EXHAUSTED, "SLOW_READER", NULL,
                         "the router reads its stream too slowly: start again from its version");
    drop(x, &err);
    return false;
}

/* ---- snapshot ---- */

struct gathering {
    struct routers *routers;
    Pilotlight__Internal__V1__ServedEndpoint **endpoints;
    size_t count;
    struct pl_err *err;
    bool failed;
};

static bool gather(void *arg, const struct store_row *row)
{
    struct gathering *g = arg;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(row, g->err);
    g->failed = !r;
    if (!r || !endpoint_served(row, r))
        return !g->failed;
    g->endpoints = pl_grow(g->endpoints, g->count + 1, sizeof(*g->endpoints));
    g->endpoints[g->count++] = record_served(g->routers->limits, row->name, r->serving);
    return true;
}

static enum pl_code send_snapshot(struct router *x, struct pl_err *err)
{
    static const struct store_query all = {
        .kind = STORE_ENDPOINT, .sort = STORE_BY_NAME, .name_contains = "", .after_name = "", .limit = INT64_MAX
    };
    struct routers *r = x->routers;
    struct gathering g = { .routers = r, .err = err };
    Pilotlight__Internal__V1__WatchSnapshot snapshot = PILOTLIGHT__INTERNAL__V1__WATCH_SNAPSHOT__INIT;
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    enum pl_code code = store_list(r->store, &all, gather, &g, err);
    if (g.failed)
        code = err->code;
    pl_cleanup(pl_free_p) Pilotlight__Internal__V1__WorkerHost **hosts = hosts_list(r->hosts, &snapshot.n_hosts);
    snapshot.hosts = hosts;
    snapshot.endpoints = g.endpoints;
    snapshot.n_endpoints = g.count;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT;
    m.snapshot = &snapshot;
    if (code == PL_OK)
        (void)send(x, store_version(r->store), &m);
    for (size_t i = 0; i < g.count; i++)
        record_free(g.endpoints[i]);
    free(g.endpoints);
    return code;
}

/* ---- changes ---- */

struct change {
    int64_t version;
    enum store_kind kind;
    char name[STORE_NAME_SIZE];
};
struct changes {
    struct change *items;
    size_t count;
};

static bool collect(void *arg, int64_t version, enum store_kind kind, const char *name)
{
    struct changes *c = arg;
    c->items = pl_grow(c->items, c->count + 1, sizeof(*c->items));
    struct change *item = &c->items[c->count++];
    *item = (struct change){ .version = version, .kind = kind };
    (void)snprintf(item->name, sizeof(item->name), "%s", name);
    return true;
}

/* The endpoint as it is now, served or not. False when the stream is gone. */
static bool send_endpoint(struct router *x, struct change *c, struct pl_err *err)
{
    struct routers *r = x->routers;
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *record = NULL;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__ServedEndpoint *served = NULL;
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    enum pl_code code = store_get(r->store, STORE_ENDPOINT, c->name, &row, err);
    if (code == PL_OK && !(record = record_endpoint(&row, err)))
        code = err->code;
    if (code != PL_OK && code != PL_NOT_FOUND) {
        drop(x, err);
        return false;
    }
    if (record && endpoint_served(&row, record)) {
        served = record_served(r->limits, row.name, record->serving);
        m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT;
        m.endpoint = served;
    } else {
        m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT_REMOVED;
        m.endpoint_removed = c->name;
    }
    return send(x, c->version, &m);
}

static bool send_host(struct router *x, struct change *c)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    const Pilotlight__Internal__V1__WorkerHost *host = hosts_find(x->routers->hosts, c->name);
    if (host) {
        m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_HOST;
        m.host = (Pilotlight__Internal__V1__WorkerHost *)(uintptr_t)host;
    } else {
        m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_HOST_REMOVED;
        m.host_removed = c->name;
    }
    return send(x, c->version, &m);
}

/* False when the stream is gone. */
static bool send_changes(struct router *x)
{
    struct pl_err err;
    struct changes changes = { 0 };
    bool open = true;
    if (x->sent == store_version(x->routers->store))
        return true;
    if (store_changes_since(x->routers->store, x->sent, collect, &changes, &err) != PL_OK) {
        drop(x, &err);
        open = false;
    }
    for (size_t i = 0; open && i < changes.count; i++)
        open = changes.items[i].kind == STORE_HOST ? send_host(x, &changes.items[i])
                                                   : send_endpoint(x, &changes.items[i], &err);
    free(changes.items);
    return open;
}

void routers_push(struct routers *r)
{
    list_each_safe(link, &r->streams)
    {
        (void)send_changes(list_entry(link, struct router, link));
    }
}

/* ---- streams ---- */

static struct router *find(const struct routers *r, const char *id)
{
    list_each(link, &r->streams)
    {
        struct router *x = list_entry(link, struct router, link);
        if (strcmp(x->id, id) == 0)
            return x;
    }
    return NULL;
}

/* Room for one more stream of this router: an older one of it ends. */
static enum pl_code admit(struct routers *r, const Pilotlight__Internal__V1__WatchRequest *request, struct pl_err *err)
{
    const struct limit *most = &r->limits->row[LIMIT_routers];
    struct router *old = find(r, request->router_id);
    struct pl_err replaced;
    if (old && request->router_epoch < old->epoch)
        return pl_fail_reason(err, PL_ABORTED, "STALE_EPOCH", "router_epoch",
                              "router \"%s\" watches with epoch %lld, this is epoch %lld: it was started again",
                              old->id, (long long)old->epoch, (long long)request->router_epoch);
    if (old) {
        (void)pl_fail(&replaced, PL_ABORTED, NULL, "the router opened another stream");
        drop(old, &replaced);
    }
    if ((int64_t)r->count >= most->max)
        return pl_fail_reason(err, PL_EXHAUSTED, "RESOURCE_LIMIT", "router_id",
                              "there are %lld %s already, which is the limit", (long long)most->max, most->unit);
    return PL_OK;
}

void routers_watch(struct routers *r, struct rpc_call *call, const Pilotlight__Internal__V1__WatchRequest *request)
{
    struct pl_err err;
    bool complete = false;
    if (admit(r, request, &err) != PL_OK ||
        store_changes_complete(r->store, request->version, &complete, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    if (strcmp(request->database_id, store_database_id(r->store)) != 0)
        complete = false;
    struct router *x = PL_NEW(struct router);
    x->routers = r;
    x->call = call;
    x->epoch = request->router_epoch;
    x->applied = x->sent = complete ? request->version : 0;
    (void)snprintf(x->id, sizeof(x->id), "%s", request->router_id);
    list_push_back(&r->streams, &x->link);
    r->count++;
    log_info("router_watches", LOG_STR("router", x->id), LOG_INT("epoch", x->epoch),
             LOG_STR("from", complete ? "its version" : "a snapshot"), LOG_INT("version", request->version));
    rpc_call_on_cancel(call, cancelled, x);
    if (complete)
        (void)send_changes(x);
    else if (send_snapshot(x, &err) != PL_OK)
        drop(x, &err);
    r->changed(r->arg);
}

void routers_acknowledge(struct routers *r, const Pilotlight__Internal__V1__AcknowledgeRequest *request)
{
    struct router *x = find(r, request->router_id);
    if (!x || x->epoch != request->router_epoch)
        return;
    if (request->applied_version > x->applied)
        x->applied = request->applied_version;
    forget_draining(x);
    x->draining = pl_new0(request->n_draining + 1, sizeof(*x->draining));
    x->draining_count = request->n_draining;
    for (size_t i = 0; i < request->n_draining; i++)
        x->draining[i] = pl_strdup(request->draining[i]);
    r->changed(r->arg);
}

bool routers_applied(const struct routers *r, int64_t version)
{
    list_each(link, &r->streams)
    {
        if (list_entry(link, struct router, link)->applied < version)
            return false;
    }
    return true;
}

bool routers_drained(const struct routers *r, const char *endpoint, int64_t version)
{
    if (!routers_applied(r, version))
        return false;
    list_each(link, &r->streams)
    {
        const struct router *x = list_entry(link, struct router, link);
        for (size_t i = 0; i < x->draining_count; i++)
            if (strcmp(x->draining[i], endpoint) == 0)
                return false;
    }
    return true;
}

unsigned routers_count(const struct routers *r)
{
    return r->count;
}

struct routers *routers_new(struct store *s, const struct limits *l, const struct hosts *h, void (*changed)(void *arg),
                            void *arg)
{
    struct routers *r = PL_NEW(struct routers);
    *r = (struct routers){ .store = s, .limits = l, .hosts = h, .changed = changed, .arg = arg };
    list_init(&r->streams);
    return r;
}

void routers_end(struct routers *r)
{
    struct pl_err err;
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "control is stopping");
    list_each_safe(link, &r->streams)
    {
        drop(list_entry(link, struct router, link), &err);
    }
}

void routers_free(struct routers *r)
{
    if (r)
        routers_end(r);
    free(r);
}
