#include "watch_methods.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "capacity.h"
#include "instance.h"
#include "log/log.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "routers.h"
#include "rpc/server.h"
#include "worker_stats.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_EVERY_MS    5000
#define LOAD_AT_MOST_MS  250
#define ORPHANS_EVERY_MS 10000

struct watcher {
    struct list link;
    struct watchers *all;
    struct rpc_call *call;
    char *router_id;
};

struct watchers {
    struct loop *loop;
    struct instances *instances;
    struct capacity *capacity;
    struct watchers_options options;
    struct list list;
    int64_t count;
    struct loop_timer load_timer;
    int64_t load_sent_ms;
    struct loop_timer orphan_timer;
    bool draining;
};

/* ---- messages ---- */

static void fill_load(struct watchers *w, Pilotlight__Internal__V1__HostLoad *out)
{
    struct capacity_load l;

    pilotlight__internal__v1__host_load__init(out);
    capacity_load(w->capacity, &l);
    out->memory_mb = l.memory_mb;
    out->memory_free_mb = l.memory_free_mb;
    out->memory_used_mb = l.memory_used_mb;
    out->instances = l.instances;
    out->instance_limit = l.instance_limit;
    out->draining = w->draining;
}

struct fill {
    Pilotlight__Internal__V1__WorkerInstance *items;
    Pilotlight__Internal__V1__WorkerInstance **list;
    size_t count;
    int64_t now_ms;
    const struct watcher *watcher;
};

/* One whose router is away is taken over. */
static bool is_watchers(struct instance *in, const struct watcher *v)
{
    if (strcmp(in->router, v->router_id) == 0)
        return true;
    if (routers_watching(v->all->options.routers, in->router))
        return false;
    log_info("instance_taken_over", LOG_STR("instance", in->id_text), LOG_STR("router", v->router_id),
             LOG_STR("was", in->router));
    free(in->router);
    in->router = pl_strdup(v->router_id);
    return true;
}

/* Those that can serve: a starting one is its starter's, a stopping one nobody's. */
static void fill_instance(struct instance *in, void *arg)
{
    struct fill *f = arg;
    Pilotlight__Internal__V1__WorkerInstance *m = &f->items[f->count];

    if (in->role != INSTANCE_SERVES || (in->state != INSTANCE_IDLE && in->state != INSTANCE_BUSY) ||
        !is_watchers(in, f->watcher))
        return;
    pilotlight__internal__v1__worker_instance__init(m);
    m->instance_id = in->id;
    m->endpoint_name = in->endpoint;
    m->variant_name = in->variant;
    m->generation = in->generation;
    m->busy = in->state == INSTANCE_BUSY;
    m->idle_ms = m->busy ? 0 : f->now_ms - in->since_ms;
    m->requests_served = in->served;
    m->memory_used_bytes = in->memory.used_bytes;
    in->memory.told_bytes = in->memory.used_bytes;
    f->list[f->count++] = m;
}

/* False: its reader is too slow; it starts again from a snapshot. */
static bool send(struct watcher *v, const Pilotlight__Internal__V1__WatchInstancesResponse *m)
{
    return rpc_stream_send(v->call, &m->base);
}

static bool send_snapshot(struct watcher *v)
{
    Pilotlight__Internal__V1__WatchInstancesResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__INIT;
    Pilotlight__Internal__V1__HostSnapshot s = PILOTLIGHT__INTERNAL__V1__HOST_SNAPSHOT__INIT;
    Pilotlight__Internal__V1__HostLoad load;
    size_t room = instances_count(v->all->instances) + 1;
    struct fill f = { .items = pl_new0(room, sizeof(*f.items)),
                      .list = pl_new0(room, sizeof(*f.list)),
                      .now_ms = pl_now_ms(),
                      .watcher = v };
    bool sent;

    instances_each(v->all->instances, fill_instance, &f);
    fill_load(v->all, &load);
    s.host_id = (char *)v->all->options.host_id;
    s.host_epoch = v->all->options.host_epoch;
    s.n_instances = f.count;
    s.instances = f.list;
    s.load = &load;
    s.n_runtimes = v->all->options.runtime_count;
    s.runtimes = (char **)v->all->options.runtimes;
    s.direct_socket = (char *)(uintptr_t)v->all->options.direct_socket;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_SNAPSHOT;
    m.snapshot = &s;
    sent = send(v, &m);
    free(f.items);
    free(f.list);
    return sent;
}

/* ---- watchers ---- */

static void forget(struct watcher *v)
{
    struct watchers *w = v->all;

    list_remove(&v->link);
    w->count--;
    metrics_set(w->options.stats->routers, w->count);
    routers_left(w->options.routers, v->router_id);
    log_info("router_left", LOG_STR("router", v->router_id), LOG_INT("routers", w->count));
    free(v->router_id);
    free(v);
    if (w->count == 0)
        loop_timer_clear(w->loop, &w->load_timer);
}

static void cancelled(void *arg)
{
    struct watcher *v = arg;
    struct pl_err err;

    (void)pl_fail(&err, PL_CANCELLED, NULL, "the router went away");
    rpc_fail(v->call, &err);
    forget(v);
}

static void too_slow(struct watcher *v)
{
    struct pl_err err;

    (void)pl_fail_reason(&err, PL_EXHAUSTED, "SLOW_READER", NULL, "events wait for a reader that is too slow");
    rpc_fail(v->call, &err);
    forget(v);
}

/* 'router' NULL: to every one. */
static void send_all(struct watchers *w, const char *router, const Pilotlight__Internal__V1__WatchInstancesResponse *m)
{
    list_each_safe(it, &w->list)
    {
        struct watcher *v = list_entry(it, struct watcher, link);

        if ((!router || strcmp(router, v->router_id) == 0) && !send(v, m))
            too_slow(v);
    }
}

struct used {
    Pilotlight__Internal__V1__InstanceMemory *items;
    Pilotlight__Internal__V1__InstanceMemory **list;
    size_t count;
};

static bool has_changed(const struct instance *in)
{
    int64_t by = in->memory.used_bytes - in->memory.told_bytes;

    return (by < 0 ? -by : by) > in->memory.told_bytes / 50;
}

/* What has not changed by more than a fiftieth is no news. */
static void fill_used(struct instance *in, void *arg)
{
    struct used *u = arg;
    Pilotlight__Internal__V1__InstanceMemory *m = &u->items[u->count];

    if (in->role != INSTANCE_SERVES || !has_changed(in))
        return;
    pilotlight__internal__v1__instance_memory__init(m);
    m->instance_id = in->id;
    m->used_bytes = in->memory.told_bytes = in->memory.used_bytes;
    u->list[u->count++] = m;
}

static void send_load(struct watchers *w)
{
    Pilotlight__Internal__V1__WatchInstancesResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__INIT;
    Pilotlight__Internal__V1__HostLoad load;
    size_t room = instances_count(w->instances) + 1;
    struct used u = { .items = pl_new0(room, sizeof(*u.items)), .list = pl_new0(room, sizeof(*u.list)) };

    instances_each(w->instances, fill_used, &u);
    fill_load(w, &load);
    load.n_used = u.count;
    load.used = u.list;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_LOAD;
    m.load = &load;
    w->load_sent_ms = pl_now_ms();
    metrics_set(w->options.stats->memory_free_bytes, load.memory_free_mb << 20);
    metrics_set(w->options.stats->memory_used_bytes, load.memory_used_mb << 20);
    send_all(w, NULL, &m);
    free(u.items);
    free(u.list);
}

static void load_due(struct loop_timer *t)
{
    struct watchers *w = PL_CONTAINER(t, struct watchers, load_timer);

    send_load(w);
    if (w->count > 0)
        loop_timer_set(w->loop, t, pl_now_ms() + LOAD_EVERY_MS);
}

void watchers_changed(struct watchers *w)
{
    int64_t at_ms = w->load_sent_ms + LOAD_AT_MOST_MS;

    metrics_set(w->options.stats->instances, instances_count(w->instances));
    if (w->count > 0 && !w->draining && (w->load_timer.slot == 0 || w->load_timer.at_ms > at_ms))
        loop_timer_set(w->loop, &w->load_timer, at_ms);
}

void watchers_died(struct watchers *w, const struct instance *in, const char *reason)
{
    Pilotlight__Internal__V1__WatchInstancesResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__INIT;
    Pilotlight__Internal__V1__InstanceDied died = PILOTLIGHT__INTERNAL__V1__INSTANCE_DIED__INIT;

    metrics_add(w->options.stats->deaths, 1);
    died.instance_id = in->id;
    died.reason = (char *)reason;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_DIED;
    m.died = &died;
    send_all(w, in->router, &m);
}

void watchers_add(struct watchers *w, struct rpc_call *call, const char *router_id)
{
    struct watcher *v = PL_NEW(struct watcher);

    v->all = w;
    v->call = call;
    v->router_id = pl_strdup(router_id);
    list_push_back(&w->list, &v->link);
    w->count++;
    metrics_set(w->options.stats->routers, w->count);
    routers_came(w->options.routers, router_id);
    log_info("router_came", LOG_STR("router", router_id), LOG_INT("routers", w->count));
    if (!send_snapshot(v)) {
        too_slow(v);
        return;
    }
    rpc_call_on_cancel(call, cancelled, v);
    if (w->load_timer.slot == 0)
        loop_timer_set(w->loop, &w->load_timer, pl_now_ms() + LOAD_EVERY_MS);
}

/* ---- orphans ---- */

struct orphans {
    struct watchers *watchers;
    unsigned count;
};

static void stop_orphan(struct instance *in, void *arg)
{
    struct orphans *o = arg;
    const struct watchers_options *options = &o->watchers->options;

    if (in->state != INSTANCE_IDLE || in->role != INSTANCE_SERVES ||
        routers_away_ms(options->routers, in->router) < options->orphan_ms)
        return;
    o->count++;
    instance_stop(in, "its router has gone", 0, NULL);
}

static void look_for_orphans_later(struct watchers *w)
{
    int64_t ms = w->options.orphan_ms < ORPHANS_EVERY_MS ? w->options.orphan_ms : ORPHANS_EVERY_MS;

    loop_timer_set(w->loop, &w->orphan_timer, pl_now_ms() + ms);
}

static void look_for_orphans(struct loop_timer *t)
{
    struct watchers *w = PL_CONTAINER(t, struct watchers, orphan_timer);
    struct orphans o = { .watchers = w };

    instances_each(w->instances, stop_orphan, &o);
    if (o.count > 0)
        log_warn("instances_orphaned", LOG_UINT("stopped", o.count), LOG_MS("orphan_timeout_ms", w->options.orphan_ms));
    look_for_orphans_later(w);
}

/* ---- life ---- */

bool watchers_tell_drain(struct watchers *w)
{
    w->draining = true;
    if (w->count > 0)
        send_load(w);
    return w->count > 0;
}

void watchers_drain(struct watchers *w)
{
    struct watcher *v;

    while ((v = list_first(&w->list, struct watcher, link))) {
        rpc_call_on_cancel(v->call, NULL, NULL);
        rpc_stream_end(v->call);
        forget(v);
    }
    loop_timer_clear(w->loop, &w->orphan_timer);
}

struct watchers *watchers_new(struct loop *l, struct instances *all, struct capacity *c,
                              const struct watchers_options *o)
{
    struct watchers *w = PL_NEW(struct watchers);

    w->loop = l;
    w->instances = all;
    w->capacity = c;
    w->options = *o;
    list_init(&w->list);
    w->load_timer.fire = load_due;
    w->orphan_timer.fire = look_for_orphans;
    look_for_orphans_later(w);
    return w;
}

void watchers_free(struct watchers *w)
{
    if (!w)
        return;
    assert(list_empty(&w->list));
    loop_timer_clear(w->loop, &w->load_timer);
    loop_timer_clear(w->loop, &w->orphan_timer);
    free(w);
}
