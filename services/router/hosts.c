#include "hosts.h"

#include "act.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "borrow.h"
#include "host.h"
#include "log/log.h"
#include "loop/loop.h"
#include "message.h"
#include "served.h"
#include "usage.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_FIRST_MS 50
#define AGAIN_MOST_MS  2000

/* ---- a host comes and goes ---- */

static struct host *find(const struct hosts *h, const char *id)
{
    struct host *host;

    HASH_FIND_STR(h->by_id, id, host);
    return host;
}

static void host_free(struct host *host)
{
    loop_timer_clear(host->all->o.loop, &host->again);
    borrowing_free(host->borrowing);
    rpc_channel_free(host->channel);
    protobuf_c_message_free_unpacked(&host->message->base, NULL);
    host->all->count--;
    free(host->address);
    free(host->id);
    free(host);
}

void host_unref(struct host *host)
{
    if (--host->refs == 0)
        host_free(host);
}

static void watch(struct host *host);

static void again(struct loop_timer *t)
{
    watch(PL_CONTAINER(t, struct host, again));
}

static struct host *host_new(struct hosts *h, const Pilotlight__Internal__V1__WorkerHost *m)
{
    struct host *host = PL_NEW(struct host);
    const struct rpc_channel_options o = { .tls = h->o.tls, .internal = true };

    host->all = h;
    host->message = (void *)message_copy(&m->base);
    host->address = pl_strdup(m->address);
    host->channel = rpc_channel_new(h->o.rpc, host->address, &o);
    rpc_channel_connect(host->channel);
    host->id = pl_strdup(m->id);
    host->borrowing = borrowing_new(&(struct borrow_options){ .loop = h->o.loop,
                                                              .router_id = h->o.router_id,
                                                              .host_id = host->id,
                                                              .router_epoch = h->o.router_epoch,
                                                              .requests = h->o.direct_requests });
    host->core = core_host_add(act_core(h->o.act), m->id, host);
    host->refs = 1; /* the core's */
    host->again.fire = again;
    host->again_ms = AGAIN_FIRST_MS;
    h->count++;
    HASH_ADD_KEYPTR(hh, h->by_id, host->message->id, strlen(host->message->id), host);
    if (h->open)
        watch(host);
    return host;
}

/* Control does not list it any more; what it is busy with goes on. */
static void leave(struct host *host)
{
    struct hosts *h = host->all;

    HASH_DEL(h->by_id, host);
    host->left = true;
    loop_timer_clear(h->o.loop, &host->again);
    if (host->watching)
        rpc_cancel(host->watching);
    core_host_remove(act_core(h->o.act), host->core, pl_now_us());
}

static void forget(void *arg, const struct core_action *a)
{
    struct host *host = a->user;

    (void)arg;
    host->core = NULL;
    host_unref(host);
}

/* ---- its stream ---- */

static struct core_load load_of(const struct host *host, const Pilotlight__Internal__V1__HostLoad *m)
{
    static const Pilotlight__Internal__V1__HostLoad none = PILOTLIGHT__INTERNAL__V1__HOST_LOAD__INIT;

    m = m ? m : &none;
    return (struct core_load){ .memory_mb = m->memory_mb,
                               .memory_free_mb = m->memory_free_mb,
                               .memory_used_mb = m->memory_used_mb,
                               .instances = m->instances,
                               .instance_limit = m->instance_limit,
                               .draining = m->draining || host->message->draining };
}

static void on_snapshot(struct host *host, const Pilotlight__Internal__V1__HostSnapshot *s)
{
    struct core *c = act_core(host->all->o.act);
    struct core_load load = load_of(host, s->load);
    pl_cleanup(pl_free_p) struct core_found *found = pl_new0(s->n_instances + 1, sizeof(*found));

    for (size_t i = 0; i < s->n_instances; i++) {
        const Pilotlight__Internal__V1__WorkerInstance *m = s->instances[i];

        found[i] = (struct core_found){ .worker_id = m->instance_id,
                                        .endpoint = m->endpoint_name,
                                        .variant = m->variant_name,
                                        .generation = m->generation,
                                        .memory_bytes = m->memory_used_bytes,
                                        .busy = m->busy,
                                        .idle_us = m->idle_ms * 1000,
                                        .served = m->requests_served };
    }
    host->again_ms = AGAIN_FIRST_MS;
    borrowing_open(host->borrowing, host->all->o.direct ? s->direct_socket : "", s->host_epoch);
    log_info("host_up", LOG_STR("host", host->core->id), LOG_STR("address", host->address),
             LOG_INT("host_epoch", s->host_epoch), LOG_UINT("instances", s->n_instances),
             LOG_INT("memory_free_mb", load.memory_free_mb));
    core_host_up(c, host->core, (const char *const *)s->runtimes, s->n_runtimes, &load, found, s->n_instances,
                 pl_now_us());
}

static void on_measured(struct host *host, const Pilotlight__Internal__V1__InstanceMemory *m)
{
    struct core_instance *in = core_host_measured(host->core, m->instance_id, m->used_bytes);

    if (in && in->variant)
        usage_memory(((struct served_variant *)in->variant->user)->series, in->variant, m->used_bytes);
}

static void on_message(void *arg, const void *message)
{
    const Pilotlight__Internal__V1__WatchInstancesResponse *m = message;
    struct host *host = arg;
    struct core *c = act_core(host->all->o.act);

    if (host->left)
        return;
    if (m->event_case == PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_SNAPSHOT) {
        on_snapshot(host, m->snapshot);
    } else if (m->event_case == PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_LOAD) {
        struct core_load load = load_of(host, m->load);

        for (size_t i = 0; i < m->load->n_used; i++)
            on_measured(host, m->load->used[i]);
        core_host_load(c, host->core, &load, pl_now_us());
    } else if (m->event_case == PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_DIED) {
        log_info("instance_died", LOG_STR("host", host->core->id), LOG_UINT("instance", m->died->instance_id),
                 LOG_STR("reason", m->died->reason));
        core_host_died(c, host->core, m->died->instance_id, pl_now_us());
    }
    act_flush(host->all->o.act);
}

/* From half of it on, so that routers which lost a host together do not come back together. */
static int64_t jittered(int64_t ms)
{
    return ms / 2 + (int64_t)(pl_random_u64() % (uint64_t)(ms / 2 + 1));
}

static void on_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct host *host = arg;
    struct hosts *h = host->all;

    (void)message;
    (void)bytes;
    host->watching = NULL;
    borrowing_close(host->borrowing);
    if (!host->left && !h->closed) {
        if (host->core->up)
            log_warn("host_down", LOG_STR("host", host->core->id), LOG_STR("address", host->address), LOG_CODE(status),
                     LOG_ERR(status));
        else
            log_debug("host_not_reached", LOG_STR("host", host->core->id), LOG_CODE(status), LOG_ERR(status));
        core_host_down(act_core(h->o.act), host->core, pl_now_us());
        loop_timer_set(h->o.loop, &host->again, pl_now_ms() + jittered(host->again_ms));
        host->again_ms = host->again_ms * 2 < AGAIN_MOST_MS ? host->again_ms * 2 : AGAIN_MOST_MS;
    }
    host_unref(host);
    act_flush(h->o.act);
}

static void watch(struct host *host)
{
    Pilotlight__Internal__V1__WatchInstancesRequest m = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_REQUEST__INIT;
    const struct hosts *h = host->all;

    m.router_id = (char *)(uintptr_t)h->o.router_id;
    m.router_epoch = h->o.router_epoch;
    host->refs++;
    host->watching =
        rpc_open(host->channel, &(struct rpc_open){
                                    .path = "/pilotlight.internal.v1.WorkerService/WatchInstances",
                                    .message = &m.base,
                                    .reply = &pilotlight__internal__v1__watch_instances_response__descriptor,
                                    .on_message = on_message,
                                    .done = on_done,
                                    .arg = host,
                                });
}

/* ---- as control lists them ---- */

static void replace_message(struct host *host, const Pilotlight__Internal__V1__WorkerHost *m)
{
    struct hosts *h = host->all;
    Pilotlight__Internal__V1__WorkerHost *old = host->message;

    HASH_DEL(h->by_id, host);
    host->message = (void *)message_copy(&m->base);
    HASH_ADD_KEYPTR(hh, h->by_id, host->message->id, strlen(host->message->id), host);
    protobuf_c_message_free_unpacked(&old->base, NULL);
}

void hosts_set(struct hosts *h, const Pilotlight__Internal__V1__WorkerHost *m)
{
    struct host *host = find(h, m->id);

    if (host && strcmp(host->address, m->address) != 0) {
        leave(host);
        host = NULL;
    }
    if (!host) {
        (void)host_new(h, m);
        return;
    }
    replace_message(host, m);
    if (m->draining)
        core_host_draining(act_core(h->o.act), host->core, true, pl_now_us());
    if (h->open && !host->watching) /* it may have been started again: no reason to wait */
        loop_timer_set(h->o.loop, &host->again, pl_now_ms());
}

void hosts_remove(struct hosts *h, const char *id)
{
    struct host *host = find(h, id);

    if (!host)
        return;
    log_info("host_removed", LOG_STR("host", id));
    leave(host);
}

void hosts_keep(struct hosts *h, Pilotlight__Internal__V1__WorkerHost *const *list, size_t count)
{
    struct host *host, *next;

    HASH_ITER(hh, h->by_id, host, next)
    {
        bool kept = false;

        for (size_t i = 0; i < count && !kept; i++)
            kept = strcmp(list[i]->id, host->message->id) == 0;
        if (!kept)
            leave(host);
    }
}

void hosts_release(struct hosts *h, const char *endpoint, int64_t before_generation)
{
    struct host *host, *next;

    if (!h->open)
        return;
    HASH_ITER(hh, h->by_id, host, next)
    {
        starts_release(host, endpoint, before_generation);
    }
}

Pilotlight__Internal__V1__WorkerHost **hosts_list(const struct hosts *h, size_t *out_count)
{
    Pilotlight__Internal__V1__WorkerHost **list =
        pl_new0(HASH_COUNT(h->by_id) + 1, sizeof(Pilotlight__Internal__V1__WorkerHost *));
    struct host *host, *next;
    size_t n = 0;

    HASH_ITER(hh, h->by_id, host, next)
    {
        list[n++] = host->message;
    }
    *out_count = n;
    return list;
}

struct rpc_channel *hosts_channel(const struct host *host)
{
    return host->channel;
}

struct borrowing *hosts_borrowing(const struct host *host)
{
    return host->borrowing;
}

const char *hosts_address(const struct host *host)
{
    return host->address;
}

/* ---- all of them ---- */

struct hosts *hosts_new(const struct hosts_options *o)
{
    struct hosts *h = PL_NEW(struct hosts);

    h->o = *o;
    list_init(&h->starts);
    act_hand(o->act, CORE_FORGET_HOST, forget, h);
    starts_init(h);
    return h;
}

void hosts_open(struct hosts *h)
{
    struct host *host, *next;

    if (h->open || h->closed)
        return;
    h->open = true;
    HASH_ITER(hh, h->by_id, host, next)
    {
        watch(host);
    }
}

void hosts_close(struct hosts *h)
{
    struct host *host, *next;

    h->open = false;
    h->closed = true;
    HASH_ITER(hh, h->by_id, host, next)
    {
        leave(host);
    }
    starts_close(h);
}

bool hosts_idle(const struct hosts *h)
{
    return h->count == 0;
}

void hosts_free(struct hosts *h)
{
    struct host *host, *next;

    if (!h)
        return;
    HASH_ITER(hh, h->by_id, host, next)
    {
        HASH_DEL(h->by_id, host);
        host_free(host);
    }
    free(h);
}
