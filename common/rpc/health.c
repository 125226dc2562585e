/* grpc.health.v1: one answer for the server and all its services, and watches that hear of changes. */
#include "server_private.h"

#include "base/mem.h"
#include "grpc/health/v1/health.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

/* A service's name is far shorter; more is no question. */
#define MAX_REQUEST_BYTES 1024

struct health {
    struct rpc_service service;
    bool serving;
    struct list watches;
    size_t name_count;
    char *names[];
};

struct watch {
    struct list link;
    struct rpc_call *call;
    bool known; /* the service it asked for */
};

static void health_check(struct rpc_call *call, const void *message, void *context);
static void health_watch(struct rpc_call *call, const void *message, void *context);

static const struct rpc_method methods[] = {
    { "/grpc.health.v1.Health/Check", RPC_UNARY, &grpc__health__v1__health_check_request__descriptor, health_check,
      MAX_REQUEST_BYTES },
    { "/grpc.health.v1.Health/Watch", RPC_SERVER_STREAM, &grpc__health__v1__health_check_request__descriptor,
      health_watch, MAX_REQUEST_BYTES },
    { 0 },
};

struct health *health_new(const struct rpc_server_options *o)
{
    struct health *h = pl_new0(1, sizeof(*h) + (o->service_count + 1) * sizeof(h->names[0]));
    h->service = (struct rpc_service){ "grpc.health.v1.Health", methods, h };
    list_init(&h->watches);
    h->names[h->name_count++] = pl_strdup("");
    for (size_t i = 0; i < o->service_count; i++)
        h->names[h->name_count++] = pl_strdup(o->services[i].name);
    return h;
}

void health_free(struct health *h)
{
    for (size_t i = 0; i < h->name_count; i++)
        free(h->names[i]);
    free(h);
}

const struct rpc_service *health_service(struct health *h)
{
    return &h->service;
}

static bool health_knows(const struct health *h, const char *name)
{
    for (size_t i = 0; i < h->name_count; i++)
        if (strcmp(h->names[i], name) == 0)
            return true;
    return false;
}

static void health_check(struct rpc_call *call, const void *message, void *context)
{
    const Grpc__Health__V1__HealthCheckRequest *request = message;
    const struct health *h = context;
    struct pl_err err;
    if (!health_knows(h, request->service)) {
        (void)pl_fail(&err, PL_NOT_FOUND, "service", "service '%.200s' is not served here", request->service);
        rpc_fail(call, &err);
        return;
    }
    Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    reply.status = h->serving ? SERVING : NOT_SERVING;
    rpc_reply(call, &reply.base);
}

/* ---- watches ---- */

static void watch_end(struct watch *w, enum pl_code code, const char *why)
{
    struct pl_err err;
    (void)pl_fail(&err, code, NULL, "%s", why);
    list_remove(&w->link);
    rpc_fail(w->call, &err);
    free(w);
}

static void watch_cancelled(void *arg)
{
    watch_end(arg, PL_CANCELLED, "the watch was cancelled");
}

static void watch_tell(const struct health *h, struct watch *w)
{
    Grpc__Health__V1__HealthCheckResponse reply = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    reply.status = !w->known ? SERVICE_UNKNOWN : h->serving ? SERVING : NOT_SERVING;
    if (!rpc_stream_send(w->call, &reply.base))
        watch_end(w, PL_EXHAUSTED, "the watch is not read");
}

static void health_watch(struct rpc_call *call, const void *message, void *context)
{
    const Grpc__Health__V1__HealthCheckRequest *request = message;
    struct health *h = context;
    struct watch *w = PL_NEW(struct watch);
    w->call = call;
    w->known = health_knows(h, request->service);
    list_push_back(&h->watches, &w->link);
    rpc_call_on_cancel(call, watch_cancelled, w);
    watch_tell(h, w);
}

void health_set(struct health *h, bool serving)
{
    if (h->serving == serving)
        return;
    h->serving = serving;
    list_each_safe(it, &h->watches)
    {
        struct watch *w = list_entry(it, struct watch, link);
        if (w->known)
            watch_tell(h, w);
    }
}

void health_close(struct health *h)
{
    list_each_safe(it, &h->watches)
        watch_end(list_entry(it, struct watch, link), PL_UNAVAILABLE, "the server is shutting down");
}
