#include "worker_methods.h"

#include "base/list.h"
#include "base/mem.h"
#include "instance.h"
#include "log_methods.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "routers.h"
#include "start_methods.h"
#include "templates.h"
#include "watch_methods.h"
#include "wire/wire.h"
#include "worker.h"
#include "worker_stats.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_INVOKE_TIMEOUT_MS 60000
/* Of a request that is in flight when its instance is told to stop; the longest an invocation may last anyway. */
#define MAX_GRACE_MS 3600000
/* What the router appends to the caller's message. */
#define HOP_BYTES 4096

void fail_cancelled(struct rpc_call *call)
{
    struct pl_err err;

    (void)pl_fail(&err, PL_CANCELLED, NULL, "the caller went away");
    rpc_fail(call, &err);
}

/* ---- Invoke ---- */

/* The router's fields, which it appends last: the last one counts. */
struct hop {
    uint64_t instance_id, request_id;
    uint32_t timeout_ms;
};

#define HOP_SPANS 64

static enum pl_code read_hop(const struct rpc_bytes *bytes, struct hop *out, struct pl_err *err)
{
    struct iovec few[HOP_SPANS];
    unsigned n = rpc_bytes_spans(bytes, few, HOP_SPANS);
    pl_cleanup(pl_free_p) struct iovec *many = n > HOP_SPANS ? pl_new0(n, sizeof(*many)) : NULL;
    struct wire_reader r;
    struct wire_field f;

    if (many)
        (void)rpc_bytes_spans(bytes, many, n);
    *out = (struct hop){ 0 };
    wire_read(&r, many ? many : few, n);
    while (wire_next(&r, &f)) {
        if (f.type != WIRE_VARINT)
            continue;
        if (f.number == 100)
            out->instance_id = f.value;
        else if (f.number == 101)
            out->request_id = f.value;
        else if (f.number == 102)
            out->timeout_ms = (uint32_t)f.value;
    }
    if (r.malformed)
        return pl_fail_reason(err, PL_INVALID, "MALFORMED_PROTOBUF", NULL, "request: malformed protobuf");
    if (out->timeout_ms == 0)
        out->timeout_ms = DEFAULT_INVOKE_TIMEOUT_MS;
    return PL_OK;
}

struct invocation {
    struct rpc_call *call;
    struct worker_parts *w;
    struct instance *instance;
};

/* RESULT's or ERROR's fields as they came, and behind them field 6: the host's timing. */
static void reply_result(struct invocation *v, uint8_t *payload, size_t len)
{
    uint8_t timing[WIRE_MAX_HEADER];
    uint8_t *timing_end = wire_put_varint(timing, 5, (uint64_t)v->instance->model_us);
    uint8_t *end_of = wire_put_bytes(payload + len, 6, timing, (size_t)(timing_end - timing));

    assert((size_t)(end_of - (payload + len)) <= CHANNEL_TAIL_ROOM);
    metrics_observe_us(v->w->stats->model_seconds, v->instance->model_us);
    rpc_reply_bytes(v->call, rpc_bytes_wrap(payload, (size_t)(end_of - payload), free, payload));
}

static void invoked(void *arg, uint8_t *payload, size_t len, const struct pl_err *err)
{
    struct invocation *v = arg;

    if (err || v->instance->refused)
        metrics_add(v->w->stats->invocation_failures, 1);
    if (err) {
        rpc_fail(v->call, err);
    } else {
        reply_result(v, payload, len);
    }
    free(v);
}

static void invoke_cancelled(void *arg)
{
    struct invocation *v = arg;

    instance_cancel_invoke(v->instance);
    metrics_add(v->w->stats->invocation_failures, 1);
    fail_cancelled(v->call);
    free(v);
}

static enum pl_code find(struct worker_parts *w, uint64_t id, struct instance **out, struct pl_err *err)
{
    *out = instances_find(w->bringup.instances, id);
    if (!*out)
        return pl_fail_reason(err, PL_NOT_FOUND, "INSTANCE_GONE", "instance_id", "this host has no instance %" PRIu64,
                              id);
    return PL_OK;
}

static void invoke(struct rpc_call *call, const void *message, void *service)
{
    struct worker_parts *w = service;
    struct rpc_bytes *bytes = rpc_call_bytes(call);
    struct invocation *v;
    struct instance *in;
    struct pl_err err;
    struct hop hop;

    (void)message;
    if (read_hop(bytes, &hop, &err) != PL_OK || find(w, hop.instance_id, &in, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    v = PL_NEW(struct invocation);
    *v = (struct invocation){ .call = call, .w = w, .instance = in };
    rpc_bytes_ref(bytes);
    if (instance_invoke(in, bytes, hop.request_id, hop.timeout_ms, invoked, v, &err) != PL_OK) {
        rpc_bytes_unref(bytes);
        rpc_fail(call, &err);
        free(v);
        return;
    }
    metrics_add(w->stats->invocations, 1);
    rpc_call_on_cancel(call, invoke_cancelled, v);
}

/* ---- StopInstance ---- */

struct stop_call {
    struct instance_stop stop;
    struct rpc_call *call; /* NULL: the caller went away; the stop goes on */
};

static void stop_replied(struct rpc_call *call)
{
    Pilotlight__Internal__V1__StopInstanceResponse m = PILOTLIGHT__INTERNAL__V1__STOP_INSTANCE_RESPONSE__INIT;

    rpc_reply(call, &m.base);
}

static void stopped(struct instance_stop *s)
{
    struct stop_call *c = PL_CONTAINER(s, struct stop_call, stop);

    if (c->call)
        stop_replied(c->call);
    free(c);
}

static void stop_cancelled(void *arg)
{
    struct stop_call *c = arg;

    fail_cancelled(c->call);
    c->call = NULL;
}

struct by_start_key {
    uint64_t key;
    struct instance *found;
};

static void has_start_key(struct instance *in, void *arg)
{
    struct by_start_key *b = arg;

    if (in->start_key == b->key)
        b->found = in;
}

/* By its id; by its start when the router gave that up and an answer with the id was already on its way. That is rare:
 * all instances are looked at. NULL: it is not here, or another router's. */
static struct instance *to_stop(struct worker_parts *w, const Pilotlight__Internal__V1__StopInstanceRequest *req)
{
    struct by_start_key b = { .key = req->start_key };

    if (req->instance_id != 0)
        b.found = instances_find(w->bringup.instances, req->instance_id);
    else if (b.key != 0)
        instances_each(w->bringup.instances, has_start_key, &b);
    return b.found && b.found->router && strcmp(b.found->router, req->router_id) == 0 ? b.found : NULL;
}

static void stop_instance(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__StopInstanceRequest *req = message;
    struct worker_parts *w = service;
    struct instance *in = to_stop(w, req);
    struct stop_call *c;
    struct pl_err err;

    if (routers_admit(w->routers, req->router_id, req->router_epoch, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    if (!in) {
        if (req->instance_id == 0 && req->start_key != 0)
            start_give_up(w, req->start_key, req->router_id);
        stop_replied(call);
        return;
    }
    c = PL_NEW(struct stop_call);
    c->call = call;
    c->stop.stopped = stopped;
    rpc_call_on_cancel(call, stop_cancelled, c);
    instance_stop(in, req->reason, req->grace_ms < MAX_GRACE_MS ? req->grace_ms : MAX_GRACE_MS, &c->stop);
}

/* ---- WatchInstances ---- */

static void watch_instances(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__WatchInstancesRequest *req = message;
    struct worker_parts *w = service;
    struct pl_err err;

    if (routers_admit(w->routers, req->router_id, req->router_epoch, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    watchers_add(w->watchers, call, req->router_id);
}

/* ---- ReleaseEndpoint ---- */

static void release_endpoint(struct rpc_call *call, const void *message, void *service)
{
    Pilotlight__Internal__V1__ReleaseEndpointResponse m = PILOTLIGHT__INTERNAL__V1__RELEASE_ENDPOINT_RESPONSE__INIT;
    const Pilotlight__Internal__V1__ReleaseEndpointRequest *req = message;
    struct worker_parts *w = service;
    struct pl_err err;

    if (routers_admit(w->routers, req->router_id, req->router_epoch, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    templates_end(w->bringup.templates, req->endpoint_name, req->before_generation);
    rpc_reply(call, &m.base);
}

#define SERVICE "/pilotlight.internal.v1.WorkerService/"
#define KIB     1024

const struct rpc_method worker_methods[] = {
    { SERVICE "Invoke", RPC_UNARY, NULL, invoke, RPC_MAX_MESSAGE_BYTES + HOP_BYTES },
    { SERVICE "StartInstance", RPC_UNARY, &pilotlight__internal__v1__start_instance_request__descriptor, start_instance,
      256 * KIB },
    { SERVICE "PrepareModel", RPC_UNARY, &pilotlight__internal__v1__prepare_model_request__descriptor, prepare_model,
      256 * KIB },
    { SERVICE "StopInstance", RPC_UNARY, &pilotlight__internal__v1__stop_instance_request__descriptor, stop_instance,
      4 * KIB },
    { SERVICE "ReleaseEndpoint", RPC_UNARY, &pilotlight__internal__v1__release_endpoint_request__descriptor,
      release_endpoint, 4 * KIB },
    { SERVICE "WatchInstances", RPC_SERVER_STREAM, &pilotlight__internal__v1__watch_instances_request__descriptor,
      watch_instances, 4 * KIB },
    { SERVICE "ReadInstanceLogs", RPC_UNARY, &pilotlight__internal__v1__read_instance_logs_request__descriptor,
      read_instance_logs, 4 * KIB },
    { SERVICE "ListInstanceLogs", RPC_UNARY, &pilotlight__internal__v1__list_instance_logs_request__descriptor,
      list_instance_logs, 4 * KIB },
    { 0 },
};
