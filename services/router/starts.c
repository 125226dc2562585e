/* Starting and stopping instances: the core's START, CANCEL_START and STOP as calls of their host. Each ends in one
 * event of the core. */
#include "host.h"

#include "act.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "log/log.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "served.h"
#include "usage.h"

#include <stdlib.h>

/* The host itself ends a start whose model takes too long to load; before that it may fetch the artifact, for which the
 * same time is granted. Then it is the host that does not answer. */
#define START_GRACE_MS 5000
/* An idle instance that is told to stop is killed after a second or so. */
#define STOP_TIMEOUT_MS 15000

struct start {
    struct list link;
    struct host *host;
    struct core_instance *instance; /* NULL: a stranger's stop, or none */
    uint64_t key;                   /* START: our name for it at the host */
    struct rpc_request *sent;
};

static struct start *begin(struct host *host, struct core_instance *in)
{
    struct start *s = PL_NEW(struct start);

    s->host = host;
    s->instance = in;
    host->refs++;
    list_push_back(&host->all->starts, &s->link);
    return s;
}

static void end(struct start *s)
{
    struct act *a = s->host->all->o.act;

    list_remove(&s->link);
    host_unref(s->host);
    free(s);
    act_flush(a);
}

/* ---- STOP ---- */

static void stopped(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct start *s = arg;

    (void)message;
    (void)bytes;
    if (status->code != PL_OK && !s->host->all->closed)
        log_warn("stop_failed", LOG_STR("address", s->host->address), LOG_CODE(status), LOG_ERR(status));
    if (s->instance)
        core_stopped(act_core(s->host->all->o.act), s->instance, pl_now_us());
    end(s);
}

/* By the id that the host gave it, or, with 'worker_id' 0, by our key of its start. */
static void send_stop(struct host *host, struct core_instance *in, uint64_t worker_id, uint64_t start_key,
                      const char *why)
{
    struct start *s = begin(host, in);
    Pilotlight__Internal__V1__StopInstanceRequest m = PILOTLIGHT__INTERNAL__V1__STOP_INSTANCE_REQUEST__INIT;

    m.router_id = (char *)(uintptr_t)host->all->o.router_id;
    m.router_epoch = host->all->o.router_epoch;
    m.instance_id = worker_id;
    m.start_key = start_key;
    m.reason = (char *)(uintptr_t)why;
    s->sent = rpc_send(host->channel, &(struct rpc_send){
                                          .path = "/pilotlight.internal.v1.WorkerService/StopInstance",
                                          .message = &m.base,
                                          .reply = &pilotlight__internal__v1__stop_instance_response__descriptor,
                                          .timeout_ms = STOP_TIMEOUT_MS,
                                          .done = stopped,
                                          .arg = s,
                                      });
}

static void stop(void *arg, const struct core_action *a)
{
    struct core_instance *in = a->instance;

    (void)arg;
    log_info("instance_stops", LOG_STR("endpoint", in->variant->endpoint->name), LOG_STR("variant", in->variant->name),
             LOG_STR("host", in->host->id), LOG_UINT("instance", in->worker_id), LOG_STR("why", a->text),
             LOG_INT("served", in->served));
    usage_gauges(((struct served_variant *)in->variant->user)->series, in->variant);
    send_stop(in->host->user, in, in->worker_id, 0, a->text);
}

static void stop_stranger(void *arg, const struct core_action *a)
{
    (void)arg;
    log_info("stranger_stops", LOG_STR("host", a->host->id), LOG_UINT("instance", a->worker_id),
             LOG_STR("why", a->text));
    send_stop(a->host->user, NULL, a->worker_id, 0, a->text);
}

/* ---- what hosts keep for starts ---- */

static void released(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct start *s = arg;

    (void)message;
    (void)bytes;
    if (status->code != PL_OK && !s->host->all->closed)
        log_info("release_failed", LOG_STR("address", s->host->address), LOG_CODE(status), LOG_ERR(status));
    end(s);
}

void starts_release(struct host *host, const char *endpoint, int64_t before_generation)
{
    struct start *s = begin(host, NULL);
    Pilotlight__Internal__V1__ReleaseEndpointRequest m = PILOTLIGHT__INTERNAL__V1__RELEASE_ENDPOINT_REQUEST__INIT;

    m.router_id = (char *)(uintptr_t)host->all->o.router_id;
    m.router_epoch = host->all->o.router_epoch;
    m.endpoint_name = (char *)(uintptr_t)endpoint;
    m.before_generation = before_generation;
    s->sent = rpc_send(host->channel, &(struct rpc_send){
                                          .path = "/pilotlight.internal.v1.WorkerService/ReleaseEndpoint",
                                          .message = &m.base,
                                          .reply = &pilotlight__internal__v1__release_endpoint_response__descriptor,
                                          .timeout_ms = STOP_TIMEOUT_MS,
                                          .done = released,
                                          .arg = s,
                                      });
}

/* ---- START ---- */

/* The host may have answered while our cancellation was on its way: then there is an instance whose id we never hear.
 */
static void stop_by_key(const struct start *s, const struct pl_err *err)
{
    if ((err->code == PL_CANCELLED || err->code == PL_DEADLINE) && !s->host->all->closed)
        send_stop(s->host, NULL, 0, s->key, "its start was given up");
}

static void started(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    const Pilotlight__Internal__V1__StartInstanceResponse *m = message;
    struct start *s = arg;
    struct core *c = act_core(s->host->all->o.act);
    struct core_instance *in = s->instance;
    struct core_variant *v = in->variant;
    struct usage_series *series = ((struct served_variant *)v->user)->series;
    struct pl_err err = *status;
    struct core_start_parts parts = { 0 };

    (void)bytes;
    in->user = NULL;
    if (err.code == PL_OK && m->instance_id == 0)
        (void)pl_fail_reason(&err, PL_INTERNAL, "START_FAILED", NULL, "the host gave the instance no id");
    if (err.code == PL_OK) {
        parts = (struct core_start_parts){ m->spawn_us, m->load_us, m->first_predict_us };
        log_info("instance_started", LOG_STR("endpoint", v->endpoint->name), LOG_STR("variant", v->name),
                 LOG_STR("host", in->host->id), LOG_UINT("instance", m->instance_id), LOG_INT("start_us", m->start_us),
                 LOG_INT("sandbox_us", m->spawn_us), LOG_INT("load_us", m->load_us),
                 LOG_INT("first_predict_us", m->first_predict_us));
        usage_instance_started(series, pl_now_us() - in->asked_us);
        core_started(c, in, m->instance_id, &parts, pl_now_us());
    } else {
        if (in->state != CORE_STOPPING) {
            log_warn("start_failed", LOG_STR("endpoint", v->endpoint->name), LOG_STR("variant", v->name),
                     LOG_STR("host", in->host->id), LOG_CODE(&err), LOG_ERR(&err));
            usage_instance_failed(series);
        }
        stop_by_key(s, &err);
        core_start_failed(c, in, &err, pl_now_us());
    }
    usage_gauges(series, v);
    end(s);
}

static void start(void *arg, const struct core_action *a)
{
    struct hosts *h = arg;
    struct core_instance *in = a->instance;
    struct served_variant *v = in->variant->user;
    struct start *s = begin(in->host->user, in);
    Pilotlight__Internal__V1__StartInstanceRequest m = PILOTLIGHT__INTERNAL__V1__START_INSTANCE_REQUEST__INIT;

    s->key = pl_random_u64();
    m.router_id = (char *)(uintptr_t)h->o.router_id;
    m.router_epoch = h->o.router_epoch;
    m.spec = v->message->spec;
    m.start_key = s->key;
    in->user = s;
    usage_gauges(v->series, in->variant);
    s->sent =
        rpc_send(s->host->channel, &(struct rpc_send){
                                       .path = "/pilotlight.internal.v1.WorkerService/StartInstance",
                                       .message = &m.base,
                                       .reply = &pilotlight__internal__v1__start_instance_response__descriptor,
                                       .timeout_ms = 2 * (int64_t)v->message->spec->start_timeout_ms + START_GRACE_MS,
                                       .done = started,
                                       .arg = s,
                                   });
}

static void cancel_start(void *arg, const struct core_action *a)
{
    struct start *s = a->instance->user;

    (void)arg;
    if (s)
        rpc_cancel(s->sent);
}

/* ---- all of them ---- */

void starts_init(struct hosts *h)
{
    act_hand(h->o.act, CORE_START, start, h);
    act_hand(h->o.act, CORE_CANCEL_START, cancel_start, h);
    act_hand(h->o.act, CORE_STOP, stop, h);
    act_hand(h->o.act, CORE_STOP_STRANGER, stop_stranger, h);
}

void starts_close(struct hosts *h)
{
    list_each(it, &h->starts)
    {
        rpc_cancel(list_entry(it, struct start, link)->sent);
    }
}
