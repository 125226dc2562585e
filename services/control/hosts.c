#include "hosts.h"

#include "base/mem.h"
#include "base/time.h"
#include "limit.h"
#include "log/log.h"
#include "loop/loop.h"
#include "record.h"
#include "rpc/client.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define EXPIRE_RETRY_MS 1000 /* the database could not be written */

struct host {
    UT_hash_handle hh;
    struct hosts *hosts;
    char id[STORE_NAME_SIZE];
    Pilotlight__Internal__V1__WorkerHost *message; /* owned */
    int64_t epoch;
    struct rpc_channel *channel; /* made when first asked for */
    struct loop_timer lease;     /* set to its end */
};

struct hosts {
    struct hosts_options o;
    struct host *by_id;
    unsigned turn; /* counts picks, so that hosts take turns */
};

static void lease_over(struct loop_timer *t);

static struct host *host_new(struct hosts *h, const char *id)
{
    struct host *host = PL_NEW(struct host);
    host->hosts = h;
    strncpy(host->id, id, sizeof(host->id) - 1);
    host->lease.fire = lease_over;
    HASH_ADD_STR(h->by_id, id, host);
    return host;
}

static void host_free(struct host *host)
{
    struct hosts *h = host->hosts;
    HASH_DEL(h->by_id, host);
    loop_timer_clear(h->o.loop, &host->lease);
    rpc_channel_free(host->channel);
    record_free(host->message);
    free(host);
}

static struct host *find(const struct hosts *h, const char *id)
{
    struct host *host;
    HASH_FIND_STR(h->by_id, id, host);
    return host;
}

static void renew(struct host *host)
{
    struct hosts *h = host->hosts;
    loop_timer_set(h->o.loop, &host->lease, pl_now_ms() + h->o.lease_ms);
}

static bool same_message(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t a_len, b_len;
    pl_cleanup(pl_free_p) void *a_bytes = record_pack(a, &a_len);
    pl_cleanup(pl_free_p) void *b_bytes = record_pack(b, &b_len);
    return a_len == b_len && memcmp(a_bytes, b_bytes, a_len) == 0;
}

/* 'm' NULL: the host goes. */
static enum pl_code write_host(struct hosts *h, const char *id, const Pilotlight__Internal__V1__WorkerHost *m,
                               int64_t epoch, struct pl_err *err)
{
    struct store *s = h->o.store;
    int64_t version;
    size_t len = 0;
    pl_cleanup(pl_free_p) void *body = m ? record_pack(&m->base, &len) : NULL;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (store_begin(&tx, s, err) != PL_OK || store_next_version(s, &version, err) != PL_OK ||
        (m ? store_host_put(s, id, epoch, body, len, err) : store_host_delete(s, id, err)) != PL_OK ||
        store_change_add(s, STORE_HOST, id, version, err) != PL_OK)
        return err->code;
    return store_commit(&tx, err);
}

static enum pl_code drop(struct host *host, const char *why, struct pl_err *err)
{
    struct hosts *h = host->hosts;
    if (write_host(h, host->id, NULL, 0, err) != PL_OK)
        return err->code;
    log_info("host_removed", LOG_STR("host", host->id), LOG_STR("why", why));
    host_free(host);
    h->o.changed(h->o.arg);
    return PL_OK;
}

static void lease_over(struct loop_timer *t)
{
    struct host *host = PL_CONTAINER(t, struct host, lease);
    struct pl_err err;
    if (drop(host, "its lease ended", &err) == PL_OK)
        return;
    log_error("host_not_removed", LOG_STR("host", host->id), LOG_CODE(&err), LOG_ERR(&err));
    loop_timer_set(host->hosts->o.loop, &host->lease, pl_now_ms() + EXPIRE_RETRY_MS);
}

static enum pl_code join_or_change(struct hosts *h, struct host *host,
                                   const Pilotlight__Internal__V1__HeartbeatRequest *r, struct pl_err *err)
{
    const struct limit *most = &h->o.limits->row[LIMIT_hosts];
    if (!host && (int64_t)HASH_COUNT(h->by_id) >= most->max)
        return pl_fail_reason(err, PL_EXHAUSTED, "RESOURCE_LIMIT", "host.id",
                              "there are %lld %s already, which is the limit", (long long)most->max, most->unit);
    if (write_host(h, r->host->id, r->host, r->host_epoch, err) != PL_OK)
        return err->code;
    if (!host) {
        host = host_new(h, r->host->id);
        log_info("host_joined", LOG_STR("host", host->id), LOG_STR("address", r->host->address),
                 LOG_INT("epoch", r->host_epoch));
    } else if (strcmp(host->message->address, r->host->address) != 0) {
        rpc_channel_free(pl_take(host->channel));
    }
    record_free(host->message);
    host->message = record_copy(&r->host->base);
    host->epoch = r->host_epoch;
    renew(host);
    h->o.changed(h->o.arg);
    return PL_OK;
}

enum pl_code hosts_heartbeat(struct hosts *h, const Pilotlight__Internal__V1__HeartbeatRequest *r, struct pl_err *err)
{
    struct host *host = find(h, r->host->id);
    if (host && r->host_epoch < host->epoch)
        return pl_fail_reason(err, PL_ABORTED, "STALE_EPOCH", "host_epoch",
                              "host \"%s\" holds its lease with epoch %lld, this is epoch %lld: it was started again",
                              host->id, (long long)host->epoch, (long long)r->host_epoch);
    if (r->leaving)
        return host ? drop(host, "it is leaving", err) : PL_OK;
    if (!host || host->epoch != r->host_epoch || !same_message(&host->message->base, &r->host->base))
        return join_or_change(h, host, r, err);
    renew(host);
    return PL_OK;
}

struct loading {
    struct hosts *hosts;
    struct pl_err *err;
    enum pl_code code;
};

static void load_host(void *arg, const char *id, int64_t epoch, const void *body, size_t len)
{
    struct loading *l = arg;
    Pilotlight__Internal__V1__WorkerHost *m = record_unpack(record_type(STORE_HOST), body, len, l->err);
    if (!m) {
        l->code = l->err->code;
        return;
    }
    struct host *host = host_new(l->hosts, id);
    host->message = m;
    host->epoch = epoch;
    renew(host);
}

enum pl_code hosts_load(struct hosts *h, struct pl_err *err)
{
    struct loading l = { .hosts = h, .err = err, .code = PL_OK };
    if (store_hosts(h->o.store, load_host, &l, err) != PL_OK)
        return err->code;
    return l.code;
}

const Pilotlight__Internal__V1__WorkerHost *hosts_find(const struct hosts *h, const char *id)
{
    struct host *host = find(h, id);
    return host ? host->message : NULL;
}

int64_t hosts_epoch(const struct hosts *h, const char *id)
{
    struct host *host = find(h, id);
    return host ? host->epoch : 0;
}

bool hosts_offers(const Pilotlight__Internal__V1__WorkerHost *host, const char *runtime)
{
    for (size_t i = 0; i < host->n_runtimes; i++)
        if (strcmp(host->runtimes[i], runtime) == 0)
            return !host->draining;
    return false;
}

static struct rpc_channel *channel_of(struct host *host)
{
    struct hosts *h = host->hosts;
    if (!host->channel)
        host->channel = rpc_channel_new(h->o.rpc, host->message->address, h->o.channel);
    return host->channel;
}

struct rpc_channel *hosts_channel(struct hosts *h, const char *id)
{
    struct host *host = find(h, id);
    return host ? channel_of(host) : NULL;
}

const Pilotlight__Internal__V1__WorkerHost *hosts_pick(struct hosts *h, const char *runtime, const char *avoid,
                                                       struct rpc_channel **out_channel)
{
    struct host *host, *next, *avoided = NULL, *chosen = NULL;
    unsigned fit = 0, wanted = 0;
    HASH_ITER(hh, h->by_id, host, next)
    {
        if (hosts_offers(host->message, runtime) && strcmp(host->id, avoid) != 0)
            fit++;
        else if (hosts_offers(host->message, runtime))
            avoided = host;
    }
    if (fit)
        wanted = h->turn++ % fit + 1;
    HASH_ITER(hh, h->by_id, host, next)
    {
        if (wanted && hosts_offers(host->message, runtime) && strcmp(host->id, avoid) != 0 && --wanted == 0)
            chosen = host;
    }
    if (!chosen)
        chosen = avoided;
    if (!chosen)
        return NULL;
    *out_channel = channel_of(chosen);
    return chosen->message;
}

Pilotlight__Internal__V1__WorkerHost **hosts_list(const struct hosts *h, size_t *out_count)
{
    Pilotlight__Internal__V1__WorkerHost **list = pl_new0(HASH_COUNT(h->by_id) + 1, sizeof(*list));
    struct host *host, *next;
    size_t n = 0;
    HASH_ITER(hh, h->by_id, host, next)
    {
        list[n++] = host->message;
    }
    *out_count = n;
    return list;
}

size_t hosts_count(const struct hosts *h)
{
    return HASH_COUNT(h->by_id);
}

struct hosts *hosts_new(const struct hosts_options *o)
{
    struct hosts *h = PL_NEW(struct hosts);
    h->o = *o;
    return h;
}

void hosts_free(struct hosts *h)
{
    struct host *host, *next;
    if (!h)
        return;
    HASH_ITER(hh, h->by_id, host, next)
    {
        host_free(host);
    }
    free(h);
}
