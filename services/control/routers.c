#include "routers.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "endpoint_state.h"
#include "hosts.h"
#include "limit.h"
#include "log/log.h"
#include "loop/loop.h"
#include "record.h"
#include "rpc/server.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct router {
    struct list link; /* in all; those that are away in the order in which they are given up */
    struct routers *routers;
    struct rpc_call *call; /* its stream; NULL: it is away */
    int64_t back_by_ms;    /* away: it is awaited until then */
    char id[STORE_NAME_SIZE];
    int64_t epoch;
    int64_t sent;    /* everything up to this version is in the stream */
    int64_t applied; /* as acknowledged */
    bool heard;      /* it has acknowledged anything since its stream began: 'draining' is what it says now */
    char **draining; /* removed endpoints with requests in flight there */
    size_t draining_count;
};

struct routers {
    struct routers_options o;
    struct list all;
    unsigned count, open; /* those that are known; of them, with a stream */
    struct loop_timer give_up;
    bool ended; /* nobody is given up any more: the next control awaits them */
};

/* ---- who is known ---- */

/* The store remembers for the next control; when it cannot, that one will not wait, or wait in vain, and both end. */
static void remember(struct routers *r, const char *id, bool known)
{
    struct pl_err err;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (store_begin(&tx, r->o.store, &err) != PL_OK || store_router_set(r->o.store, id, known, &err) != PL_OK ||
        store_commit(&tx, &err) != PL_OK)
        log_error("router_not_written", LOG_STR("router", id), LOG_CODE(&err), LOG_ERR(&err));
}

static struct router *add(struct routers *r, const char *id)
{
    struct router *x = PL_NEW(struct router);
    x->routers = r;
    (void)snprintf(x->id, sizeof(x->id), "%s", id);
    list_push_back(&r->all, &x->link);
    r->count++;
    return x;
}

static void forget_draining(struct router *x)
{
    for (size_t i = 0; i < x->draining_count; i++)
        free(x->draining[i]);
    free(x->draining);
    x->draining = NULL;
    x->draining_count = 0;
}

static void free_router(struct router *x)
{
    list_remove(&x->link);
    x->routers->count--;
    forget_draining(x);
    free(x);
}

static void give_up(struct router *x)
{
    struct routers *r = x->routers;
    log_info("router_given_up", LOG_STR("router", x->id));
    remember(r, x->id, false);
    free_router(x);
    r->o.changed(r->o.arg);
}

static struct router *longest_away(const struct routers *r)
{
    list_each(link, &r->all)
    {
        struct router *x = list_entry(link, struct router, link);
        if (!x->call)
            return x;
    }
    return NULL;
}

/* All that are away are awaited for the same time: the first of the list is the next to be given up. */
static void rearm(struct routers *r)
{
    const struct router *next = r->ended ? NULL : longest_away(r);
    if (next)
        loop_timer_set(r->o.loop, &r->give_up, next->back_by_ms);
    else
        loop_timer_clear(r->o.loop, &r->give_up);
}

static void give_up_due(struct loop_timer *t)
{
    struct routers *r = PL_CONTAINER(t, struct routers, give_up);
    for (struct router *x; (x = longest_away(r)) && x->back_by_ms <= pl_now_ms();)
        give_up(x);
    rearm(r);
}

static void await(struct router *x)
{
    x->back_by_ms = pl_now_ms() + x->routers->o.settle_ms;
    list_remove(&x->link);
    list_push_back(&x->routers->all, &x->link);
    rearm(x->routers);
}

static void end_stream(struct router *x, const struct pl_err *err)
{
    rpc_call_on_cancel(x->call, NULL, NULL);
    rpc_fail(x->call, err);
    log_info("router_gone", LOG_STR("router", x->id), LOG_ERR(err));
    x->call = NULL;
    x->heard = false;
    x->routers->open--;
}

/* Ends the stream with 'err'; the router is expected to come back. */
static void drop(struct router *x, const struct pl_err *err)
{
    end_stream(x, err);
    await(x);
    x->routers->o.changed(x->routers->o.arg);
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
    m->database_id = (char *)(uintptr_t)store_database_id(x->routers->o.store);
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
    g->endpoints[g->count++] = record_served(g->routers->o.limits, row->name, r->serving);
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
    enum pl_code code = store_list(r->o.store, &all, gather, &g, err);
    if (g.failed)
        code = err->code;
    pl_cleanup(pl_free_p) Pilotlight__Internal__V1__WorkerHost **hosts = hosts_list(r->o.hosts, &snapshot.n_hosts);
    snapshot.hosts = hosts;
    snapshot.endpoints = g.endpoints;
    snapshot.n_endpoints = g.count;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT;
    m.snapshot = &snapshot;
    if (code == PL_OK)
        (void)send(x, store_version(r->o.store), &m);
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
    enum pl_code code = store_get(r->o.store, STORE_ENDPOINT, c->name, &row, err);
    if (code == PL_OK && !(record = record_endpoint(&row, err)))
        code = err->code;
    if (code != PL_OK && code != PL_NOT_FOUND) {
        drop(x, err);
        return false;
    }
    if (record && endpoint_served(&row, record)) {
        served = record_served(r->o.limits, row.name, record->serving);
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
    const Pilotlight__Internal__V1__WorkerHost *host = hosts_find(x->routers->o.hosts, c->name);
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
    if (x->sent == store_version(x->routers->o.store))
        return true;
    if (store_changes_since(x->routers->o.store, x->sent, collect, &changes, &err) != PL_OK) {
        drop(x, &err);
        open = false;
    }
    for (size_t i = 0; open && i < changes.count; i++)
        open = changes.items[i].kind == STORE_HOST ? send_host(x, &changes.items[i])
                                                   : send_endpoint(x, &changes.items[i], &err);
    free(changes.items);
    return open;
}

/* What it missed; when that is nothing, a message that says so: it answers by what it has in flight. */
static void send_missed(struct router *x)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    int64_t before = x->sent;
    if (send_changes(x) && x->sent == before)
        (void)send(x, before, &m);
}

void routers_push(struct routers *r)
{
    list_each_safe(link, &r->all)
    {
        struct router *x = list_entry(link, struct router, link);
        if (x->call)
            (void)send_changes(x);
    }
}

/* ---- streams ---- */

static struct router *find(const struct routers *r, const char *id)
{
    list_each(link, &r->all)
    {
        struct router *x = list_entry(link, struct router, link);
        if (strcmp(x->id, id) == 0)
            return x;
    }
    return NULL;
}

/* The router's entry, without a stream: an older one of it ends. NULL: 'err' says why not. */
static struct router *admit(struct routers *r, const Pilotlight__Internal__V1__WatchRequest *request,
                            struct pl_err *err)
{
    const struct limit *most = &r->o.limits->row[LIMIT_routers];
    struct router *x = find(r, request->router_id);
    struct pl_err replaced;
    if (x && request->router_epoch < x->epoch) {
        (void)pl_fail_reason(err, PL_ABORTED, "STALE_EPOCH", "router_epoch",
                             "router \"%s\" watches with epoch %lld, this is epoch %lld: it was started again", x->id,
                             (long long)x->epoch, (long long)request->router_epoch);
        return NULL;
    }
    if (x && x->call) {
        (void)pl_fail(&replaced, PL_ABORTED, NULL, "the router opened another stream");
        end_stream(x, &replaced);
    }
    if (x)
        return x;
    if ((int64_t)r->open >= most->max) {
        (void)pl_fail_reason(err, PL_EXHAUSTED, "RESOURCE_LIMIT", "router_id",
                             "there are %lld %s already, which is the limit", (long long)most->max, most->unit);
        return NULL;
    }
    if ((int64_t)r->count >= most->max)
        give_up(longest_away(r));
    remember(r, request->router_id, true);
    return add(r, request->router_id);
}

void routers_watch(struct routers *r, struct rpc_call *call, const Pilotlight__Internal__V1__WatchRequest *request)
{
    struct pl_err err;
    bool complete = false;
    struct router *x = NULL;
    if (store_changes_complete(r->o.store, request->version, &complete, &err) != PL_OK ||
        !(x = admit(r, request, &err))) {
        rpc_fail(call, &err);
        return;
    }
    if (strcmp(request->database_id, store_database_id(r->o.store)) != 0)
        complete = false;
    x->call = call;
    x->epoch = request->router_epoch;
    x->applied = 0; /* it has more in memory, maybe, than would outlive it: it says so itself */
    x->sent = complete ? request->version : 0;
    x->heard = false;
    r->open++;
    rearm(r);
    log_info("router_watches", LOG_STR("router", x->id), LOG_INT("epoch", x->epoch),
             LOG_STR("from", complete ? "its version" : "a snapshot"), LOG_INT("version", request->version));
    rpc_call_on_cancel(call, cancelled, x);
    if (complete)
        send_missed(x);
    else if (send_snapshot(x, &err) != PL_OK)
        drop(x, &err);
    r->o.changed(r->o.arg);
}

void routers_acknowledge(struct routers *r, const Pilotlight__Internal__V1__AcknowledgeRequest *request)
{
    struct router *x = find(r, request->router_id);
    if (!x || !x->call || x->epoch != request->router_epoch)
        return;
    x->heard = true;
    if (request->applied_version > x->applied)
        x->applied = request->applied_version;
    forget_draining(x);
    x->draining = pl_new0(request->n_draining + 1, sizeof(*x->draining));
    x->draining_count = request->n_draining;
    for (size_t i = 0; i < request->n_draining; i++)
        x->draining[i] = pl_strdup(request->draining[i]);
    r->o.changed(r->o.arg);
}

bool routers_applied(const struct routers *r, int64_t version)
{
    list_each(link, &r->all)
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
    list_each(link, &r->all)
    {
        const struct router *x = list_entry(link, struct router, link);
        if (!x->heard)
            return false;
        for (size_t i = 0; i < x->draining_count; i++)
            if (strcmp(x->draining[i], endpoint) == 0)
                return false;
    }
    return true;
}

unsigned routers_count(const struct routers *r)
{
    return r->open;
}

static void load_router(void *arg, const char *id)
{
    await(add(arg, id));
}

enum pl_code routers_load(struct routers *r, struct pl_err *err)
{
    return store_routers(r->o.store, load_router, r, err);
}

struct routers *routers_new(const struct routers_options *o)
{
    struct routers *r = PL_NEW(struct routers);
    r->o = *o;
    r->give_up.fire = give_up_due;
    list_init(&r->all);
    return r;
}

void routers_end(struct routers *r)
{
    struct pl_err err;
    r->ended = true;
    rearm(r);
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "control is stopping");
    list_each_safe(link, &r->all)
    {
        struct router *x = list_entry(link, struct router, link);
        if (x->call)
            drop(x, &err);
    }
}

void routers_free(struct routers *r)
{
    if (!r)
        return;
    routers_end(r);
    list_each_safe(link, &r->all)
    {
        free_router(list_entry(link, struct router, link));
    }
    free(r);
}
