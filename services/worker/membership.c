#include "membership.h"

#include "base/mem.h"
#include "base/time.h"
#include "log/log.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/watch.pb-c.h"
#include "rpc/client.h"

#include <assert.h>
#include <stdlib.h>

#define HEARTBEAT_TIMEOUT_MS 5000
#define LEAVE_TIMEOUT_MS     2000
#define RETRY_MS             1000
#define LEASE_MIN_MS         300
#define LEASE_MAX_MS         600000

struct membership {
    struct loop *loop;
    struct rpc_channel *channel;
    char *host_id, *address;
    int64_t host_epoch, memory_mb;
    char *const *runtimes;
    size_t runtime_count;
    struct rpc_request *sending; /* NULL: none in flight */
    struct loop_timer next;
    bool joined;    /* the last heartbeat was answered; one log line per change */
    bool draining;  /* nobody is to count on this host any more                 */
    bool news;      /* since the heartbeat that is in flight                    */
    bool leaving;   /* nothing follows but the last heartbeat ...               */
    bool last_sent; /* ... which is under way                                   */
    bool freed;     /* only the answer of what was cancelled is waited for      */
    void (*left)(void *arg);
    void *left_arg;
};

static void beat(struct membership *m);

static void all_done(struct membership *m)
{
    void (*left)(void *arg) = m->left;

    m->left = NULL;
    left(m->left_arg);
}

static void dispose(struct membership *m)
{
    rpc_channel_free(m->channel);
    free(m->host_id);
    free(m->address);
    free(m);
}

static int64_t next_after(struct membership *m, const struct pl_err *status,
                          const Pilotlight__Internal__V1__HeartbeatResponse *r)
{
    int64_t lease_ms;

    if (status->code != PL_OK) {
        if (m->joined || status->code == PL_ABORTED)
            log_warn("control_lost", LOG_STR("control", rpc_channel_target(m->channel)), LOG_CODE(status),
                     LOG_ERR(status));
        m->joined = false;
        return RETRY_MS;
    }
    if (!m->joined)
        log_info("control_joined", LOG_STR("control", rpc_channel_target(m->channel)), LOG_STR("host", m->host_id),
                 LOG_STR("address", m->address), LOG_MS("lease_ms", r->lease_ms));
    m->joined = true;
    lease_ms = r->lease_ms < LEASE_MIN_MS ? LEASE_MIN_MS : r->lease_ms > LEASE_MAX_MS ? LEASE_MAX_MS : r->lease_ms;
    return lease_ms / 3;
}

static void beaten(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct membership *m = arg;
    int64_t after_ms;

    (void)bytes;
    m->sending = NULL;
    if (m->freed) {
        dispose(m);
        return;
    }
    if (m->last_sent) {
        all_done(m);
        return;
    }
    if (m->leaving) {
        beat(m); /* one from before was in flight */
        return;
    }
    after_ms = next_after(m, status, message);
    if (m->news)
        after_ms = 0;
    m->news = false;
    loop_timer_set(m->loop, &m->next, pl_now_ms() + after_ms);
}

static void beat(struct membership *m)
{
    Pilotlight__Internal__V1__HeartbeatRequest req = PILOTLIGHT__INTERNAL__V1__HEARTBEAT_REQUEST__INIT;
    Pilotlight__Internal__V1__WorkerHost host = PILOTLIGHT__INTERNAL__V1__WORKER_HOST__INIT;
    struct rpc_send s = { .path = "/pilotlight.internal.v1.MembershipService/Heartbeat",
                          .message = &req.base,
                          .reply = &pilotlight__internal__v1__heartbeat_response__descriptor,
                          .timeout_ms = m->leaving ? LEAVE_TIMEOUT_MS : HEARTBEAT_TIMEOUT_MS,
                          .wait_for_ready = !m->leaving,
                          .done = beaten,
                          .arg = m };

    host.id = m->host_id;
    host.address = m->address;
    host.n_runtimes = m->runtime_count;
    host.runtimes = (char **)m->runtimes;
    host.memory_mb = m->memory_mb;
    host.draining = m->draining;
    req.host = &host;
    req.host_epoch = m->host_epoch;
    req.leaving = m->leaving;
    m->last_sent = m->leaving;
    m->sending = rpc_send(m->channel, &s);
}

static void due(struct loop_timer *t)
{
    beat(PL_CONTAINER(t, struct membership, next));
}

struct membership *membership_start(struct loop *l, struct rpc *r, const struct membership_options *o)
{
    struct membership *m = PL_NEW(struct membership);
    struct rpc_channel_options c = { .tls = o->tls, .internal = true };

    m->loop = l;
    m->host_id = pl_strdup(o->host_id);
    m->address = pl_strdup(o->address);
    m->host_epoch = o->host_epoch;
    m->memory_mb = o->memory_mb;
    m->runtimes = o->runtimes;
    m->runtime_count = o->runtime_count;
    m->next.fire = due;
    m->channel = rpc_channel_new(r, o->control, &c);
    beat(m);
    return m;
}

void membership_drain(struct membership *m)
{
    m->draining = true;
    m->news = m->sending != NULL;
    if (m->sending)
        return;
    loop_timer_clear(m->loop, &m->next);
    beat(m);
}

void membership_leave(struct membership *m, void (*left)(void *arg), void *arg)
{
    loop_timer_clear(m->loop, &m->next);
    m->leaving = m->draining = true;
    m->left = left;
    m->left_arg = arg;
    if (m->sending)
        rpc_cancel(m->sending);
    else
        beat(m);
}

void membership_free(struct membership *m)
{
    if (!m)
        return;
    loop_timer_clear(m->loop, &m->next);
    m->freed = true;
    if (m->sending)
        rpc_cancel(m->sending);
    else
        dispose(m);
}
