#include "follow.h"

#include "act.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "desired.h"
#include "log/log.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/watch.pb-c.h"
#include "rpc/client.h"

#include <stdlib.h>

#define AGAIN_FIRST_MS 50
#define AGAIN_MOST_MS  2000
/* While an endpoint drains, control is told again: it may have been started again in between. */
#define ACKNOWLEDGE_AGAIN_MS   1000
#define ACKNOWLEDGE_TIMEOUT_MS 5000

struct follow {
    struct follow_options o;
    struct rpc_channel *channel;
    struct rpc_request *watching, *acknowledging; /* NULL: not under way */
    struct loop_timer again;                      /* open the stream */
    struct loop_timer acknowledge_again;
    int64_t again_ms;
    int64_t saved_version; /* what control is told: a kill does not undo it */
    bool in_touch;         /* the stream has said something */
    bool changed;          /* since the acknowledgement that is under way was sent */
    bool stopped;
};

/* ---- acknowledge ---- */

static void acknowledge(struct follow *f);

static void acknowledged(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct follow *f = arg;

    (void)message;
    (void)bytes;
    f->acknowledging = NULL;
    if (f->stopped)
        return;
    if (status->code != PL_OK)
        log_debug("acknowledge_failed", LOG_CODE(status), LOG_ERR(status));
    if (status->code == PL_OK && f->changed)
        acknowledge(f);
    else if (status->code != PL_OK && f->watching)
        loop_timer_set(f->o.loop, &f->acknowledge_again, pl_now_ms() + AGAIN_FIRST_MS);
}

/* Names of removed endpoints that are not gone yet; the array is the caller's. */
static char **draining(struct core *c, size_t *out_count)
{
    char **names = pl_new0(HASH_CNT(hh, core_endpoints(c)) + 1, sizeof(char *));

    *out_count = 0;
    for (struct core_endpoint *e = core_endpoints(c); e; e = e->hh.next)
        if (e->removed)
            names[(*out_count)++] = e->name;
    return names;
}

static void acknowledge(struct follow *f)
{
    Pilotlight__Internal__V1__AcknowledgeRequest m = PILOTLIGHT__INTERNAL__V1__ACKNOWLEDGE_REQUEST__INIT;

    f->changed = true;
    if (f->acknowledging || f->stopped)
        return;
    f->changed = false;
    m.router_id = (char *)(uintptr_t)f->o.router_id;
    m.router_epoch = f->o.router_epoch;
    m.applied_version = f->saved_version;
    m.draining = draining(act_core(f->o.act), &m.n_draining);
    f->acknowledging = rpc_send(f->channel, &(struct rpc_send){
                                                .path = "/pilotlight.internal.v1.WatchService/Acknowledge",
                                                .message = &m.base,
                                                .reply = &pilotlight__internal__v1__acknowledge_response__descriptor,
                                                .timeout_ms = ACKNOWLEDGE_TIMEOUT_MS,
                                                .done = acknowledged,
                                                .arg = f,
                                            });
    if (m.n_draining > 0)
        loop_timer_set(f->o.loop, &f->acknowledge_again, pl_now_ms() + ACKNOWLEDGE_AGAIN_MS);
    free(m.draining);
}

void follow_saved(struct follow *f, int64_t version)
{
    if (version > desired_version(f->o.desired) || version < f->saved_version)
        return;
    f->saved_version = version;
    if (f->in_touch)
        acknowledge(f);
}

static void acknowledge_due(struct loop_timer *t)
{
    acknowledge(PL_CONTAINER(t, struct follow, acknowledge_again));
}

static void endpoint_gone(void *arg, const struct core_action *a)
{
    struct follow *f = arg;

    log_info("endpoint_drained", LOG_STR("endpoint", a->text));
    if (!f->stopped) /* after this turn's actions: the core has forgotten it by then */
        loop_timer_set(f->o.loop, &f->acknowledge_again, pl_now_ms());
}

/* ---- watch ---- */

static void on_message(void *arg, const void *message)
{
    const Pilotlight__Internal__V1__WatchResponse *m = message;
    bool whole = m->event_case == PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT;
    struct follow *f = arg;

    if (f->stopped)
        return;
    if (!f->in_touch)
        log_info("control_followed", LOG_STR("control", rpc_channel_target(f->channel)), LOG_INT("version", m->version),
                 LOG_BOOL("snapshot", whole));
    f->in_touch = true;
    f->again_ms = AGAIN_FIRST_MS;
    if (whole) /* maybe of another database, with versions of its own */
        f->saved_version = 0;
    desired_apply(f->o.desired, m);
    if (f->saved_version == desired_version(f->o.desired))
        acknowledge(f);
    f->o.applied(f->o.arg);
}

static void on_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct follow *f = arg;

    (void)message;
    (void)bytes;
    f->watching = NULL;
    if (f->stopped)
        return;
    if (f->in_touch || f->again_ms == AGAIN_FIRST_MS)
        log_warn("control_lost", LOG_STR("control", rpc_channel_target(f->channel)), LOG_CODE(status), LOG_ERR(status));
    f->in_touch = false;
    loop_timer_set(f->o.loop, &f->again,
                   pl_now_ms() + f->again_ms / 2 + (int64_t)(pl_random_u64() % (uint64_t)f->again_ms));
    f->again_ms = f->again_ms * 2 < AGAIN_MOST_MS ? f->again_ms * 2 : AGAIN_MOST_MS;
    f->o.lost(f->o.arg);
}

static void watch(struct follow *f)
{
    Pilotlight__Internal__V1__WatchRequest m = PILOTLIGHT__INTERNAL__V1__WATCH_REQUEST__INIT;

    m.router_id = (char *)(uintptr_t)f->o.router_id;
    m.router_epoch = f->o.router_epoch;
    m.version = desired_version(f->o.desired);
    m.database_id = (char *)(uintptr_t)desired_database_id(f->o.desired);
    f->watching = rpc_open(f->channel, &(struct rpc_open){
                                           .path = "/pilotlight.internal.v1.WatchService/Watch",
                                           .message = &m.base,
                                           .reply = &pilotlight__internal__v1__watch_response__descriptor,
                                           .on_message = on_message,
                                           .done = on_done,
                                           .arg = f,
                                       });
}

static void again(struct loop_timer *t)
{
    watch(PL_CONTAINER(t, struct follow, again));
}

/* ---- life ---- */

struct follow *follow_start(const struct follow_options *o)
{
    struct follow *f = PL_NEW(struct follow);
    const struct rpc_channel_options c = { .tls = o->tls, .internal = true };

    f->o = *o;
    f->again.fire = again;
    f->acknowledge_again.fire = acknowledge_due;
    f->again_ms = AGAIN_FIRST_MS;
    f->saved_version = desired_version(o->desired); /* where it is from */
    f->channel = rpc_channel_new(o->rpc, o->control, &c);
    rpc_channel_connect(f->channel);
    act_hand(o->act, CORE_ENDPOINT_GONE, endpoint_gone, f);
    watch(f);
    return f;
}

void follow_stop(struct follow *f)
{
    f->stopped = true;
    loop_timer_clear(f->o.loop, &f->again);
    loop_timer_clear(f->o.loop, &f->acknowledge_again);
    if (f->watching)
        rpc_cancel(f->watching);
    if (f->acknowledging)
        rpc_cancel(f->acknowledging);
}

bool follow_stopped(const struct follow *f)
{
    return f->stopped && !f->watching && !f->acknowledging;
}

void follow_free(struct follow *f)
{
    if (!f)
        return;
    rpc_channel_free(f->channel);
    free(f);
}
