#include "router_methods.h"

#include "flight.h"
#include "invoke_request.h"
#include "proto/descriptors.h"
#include "router.h"
#include "router_config.h"
#include "rpc/server.h"

#include "inference/open_inference.pb-c.h"
#include "pilotlight/v1/instance.pb-c.h"
#include "pilotlight/v1/log.pb-c.h"

/* Before control has said what is served, NOT_FOUND would be a lie. */
static bool is_serving(struct rpc_call *call, const struct router *r)
{
    const char *why = router_ready(r);
    struct pl_err err;

    if (!why)
        return true;
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "%s", why);
    rpc_fail(call, &err);
    return false;
}

/* pilotlight.v1.InferenceService: a refused request costs no more than the reading of a few fields. */
static ROUTER_HANDLER(invoke)
{
    struct router *r = service;
    struct invoke_request request;
    struct pl_err err;

    (void)message;
    if (!is_serving(call, r))
        return;
    if (invoke_request_read(&request, rpc_call_bytes(call), &err) != PL_OK)
        rpc_fail(call, &err);
    else
        flight_start(r->flights, call, FLIGHT_INVOKE, &request); /* owns the call from here */
}

/* inference.GRPCInferenceService */
static ROUTER_HANDLER(model_infer)
{
    struct router *r = service;
    struct invoke_request request;
    struct pl_err err;

    (void)message;
    if (!is_serving(call, r))
        return;
    if (tensor_request_read(&request, rpc_call_bytes(call), &err) != PL_OK)
        rpc_fail(call, &err);
    else
        flight_start(r->flights, call, FLIGHT_TENSOR, &request);
}

#define KIB                 1024
#define V1(service, method) "/pilotlight.v1." service "/" method
#define OPEN(method)        "/inference.GRPCInferenceService/" method

static const struct rpc_method inference_methods[] = {
    { V1("InferenceService", "Invoke"), RPC_UNARY, NULL, invoke, RPC_MAX_MESSAGE_BYTES },
    { 0 },
};

static const struct rpc_method instance_methods[] = {
    { V1("InstanceService", "ListInstances"), RPC_UNARY, &pilotlight__v1__list_instances_request__descriptor,
      list_instances, 4 * KIB },
    { V1("InstanceService", "ListVariantStats"), RPC_UNARY, &pilotlight__v1__list_variant_stats_request__descriptor,
      list_variant_stats, 4 * KIB },
    { V1("InstanceService", "ListHosts"), RPC_UNARY, &pilotlight__v1__list_hosts_request__descriptor, list_hosts,
      4 * KIB },
    { 0 },
};

/* A page token has a place for every host. */
static const struct rpc_method log_methods[] = {
    { V1("LogService", "ReadLogs"), RPC_UNARY, &pilotlight__v1__read_logs_request__descriptor, read_logs, 512 * KIB },
    { V1("LogService", "FollowLogs"), RPC_SERVER_STREAM, &pilotlight__v1__follow_logs_request__descriptor, follow_logs,
      4 * KIB },
    { V1("LogService", "ListLogStreams"), RPC_UNARY, &pilotlight__v1__list_log_streams_request__descriptor,
      list_log_streams, 4 * KIB },
    { 0 },
};

static const struct rpc_method open_inference_methods[] = {
    { OPEN("ModelInfer"), RPC_UNARY, NULL, model_infer, RPC_MAX_MESSAGE_BYTES },
    { OPEN("ServerLive"), RPC_UNARY, &inference__server_live_request__descriptor, server_live, 4 * KIB },
    { OPEN("ServerReady"), RPC_UNARY, &inference__server_ready_request__descriptor, server_ready, 4 * KIB },
    { OPEN("ServerMetadata"), RPC_UNARY, &inference__server_metadata_request__descriptor, server_metadata, 4 * KIB },
    { OPEN("ModelReady"), RPC_UNARY, &inference__model_ready_request__descriptor, model_ready, 4 * KIB },
    { OPEN("ModelMetadata"), RPC_UNARY, &inference__model_metadata_request__descriptor, model_metadata, 4 * KIB },
    { 0 },
};

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

enum pl_code router_listen(struct router *r, struct rpc *rpc, const struct router_config *config, struct pl_err *err)
{
    const struct rpc_service services[] = {
        { "pilotlight.v1.InferenceService", inference_methods, r },
        { "pilotlight.v1.InstanceService", instance_methods, r },
        { "pilotlight.v1.LogService", log_methods, r },
        { "inference.GRPCInferenceService", open_inference_methods, r },
    };
    const struct service_config *base = &config->base;
    const struct rpc_server_options options = {
        .listen = (const char *const *)base->listen.items,
        .listen_count = base->listen.count,
        .tls = { .cert_file = or_null(base->tls_cert_file),
                 .key_file = or_null(base->tls_key_file),
                 .ca_file = or_null(base->tls_ca_file) },
        .services = services,
        .service_count = PL_COUNT(services),
        .descriptor_set = proto_descriptor_set,
        .descriptor_set_len = proto_descriptor_set_len(),
    };

    return rpc_server_start(&r->server, rpc, &options, err);
}
