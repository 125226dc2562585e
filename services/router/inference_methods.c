/* inference.GRPCInferenceService, but ModelInfer (router_methods.c): the model is the endpoint, its version a variant.
 */
#include "router_methods.h"

#include "base/mem.h"
#include "desired.h"
#include "router.h"
#include "rpc/server.h"

#include "inference/open_inference.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* Messages point to texts that are only read. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

ROUTER_HANDLER(server_live)
{
    Inference__ServerLiveResponse reply = INFERENCE__SERVER_LIVE_RESPONSE__INIT;

    (void)message;
    (void)service;
    reply.live = 1;
    rpc_reply(call, &reply.base);
}

ROUTER_HANDLER(server_ready)
{
    Inference__ServerReadyResponse reply = INFERENCE__SERVER_READY_RESPONSE__INIT;

    (void)message;
    reply.ready = router_ready(service) == NULL;
    rpc_reply(call, &reply.base);
}

ROUTER_HANDLER(server_metadata)
{
    Inference__ServerMetadataResponse reply = INFERENCE__SERVER_METADATA_RESPONSE__INIT;

    (void)message;
    (void)service;
    reply.name = text("pilotlight");
    reply.version = text(PL_VERSION);
    rpc_reply(call, &reply.base);
}

/* The named variant, or the first. */
static const Pilotlight__Internal__V1__ServedVariant *find(const struct router *r, const char *name,
                                                           const char *version,
                                                           const Pilotlight__Internal__V1__ServedEndpoint **out)
{
    *out = desired_endpoint(r->desired, name);
    for (size_t i = 0; *out && i < (*out)->n_variants; i++)
        if (!*version || strcmp((*out)->variants[i]->spec->variant_name, version) == 0)
            return (*out)->variants[i];
    return NULL;
}

ROUTER_HANDLER(model_ready)
{
    const Inference__ModelReadyRequest *request = message;
    Inference__ModelReadyResponse reply = INFERENCE__MODEL_READY_RESPONSE__INIT;
    const Pilotlight__Internal__V1__ServedEndpoint *e;

    reply.ready = router_ready(service) == NULL && find(service, request->name, request->version, &e) != NULL;
    rpc_reply(call, &reply.base);
}

static void reply_metadata(struct rpc_call *call, const Pilotlight__Internal__V1__ServedEndpoint *e,
                           const Pilotlight__Internal__V1__ServedVariant *v)
{
    const Pilotlight__V1__ModelFacts *facts = v->facts;
    int64_t in_shape[] = { -1, facts && facts->features > 0 ? facts->features : -1 };
    int64_t out_shape[] = { -1, facts ? facts->outputs : 0 };
    Inference__ModelMetadataResponse__TensorMetadata in = INFERENCE__MODEL_METADATA_RESPONSE__TENSOR_METADATA__INIT;
    Inference__ModelMetadataResponse__TensorMetadata out = INFERENCE__MODEL_METADATA_RESPONSE__TENSOR_METADATA__INIT;
    Inference__ModelMetadataResponse__TensorMetadata *inputs[] = { &in }, *outputs[] = { &out };
    Inference__ModelMetadataResponse reply = INFERENCE__MODEL_METADATA_RESPONSE__INIT;
    pl_cleanup(pl_free_p) char **versions = pl_new0(e->n_variants + 1, sizeof(char *));

    in.name = text("input");
    in.datatype = text("FP32");
    in.shape = in_shape;
    in.n_shape = 2;
    out.name = text("predict");
    out.datatype = text("FP32");
    out.shape = out_shape;
    out.n_shape = out_shape[1] > 1 ? 2 : 1;
    for (size_t i = 0; i < e->n_variants; i++)
        versions[i] = e->variants[i]->spec->variant_name;
    reply.name = e->name;
    reply.versions = versions;
    reply.n_versions = e->n_variants;
    reply.platform = v->spec->runtime;
    reply.inputs = inputs;
    reply.n_inputs = 1;
    reply.outputs = outputs;
    reply.n_outputs = 1;
    rpc_reply(call, &reply.base);
}

ROUTER_HANDLER(model_metadata)
{
    const Inference__ModelMetadataRequest *request = message;
    const Pilotlight__Internal__V1__ServedEndpoint *e;
    const Pilotlight__Internal__V1__ServedVariant *v = find(service, request->name, request->version, &e);
    struct pl_err err;

    if (v) {
        reply_metadata(call, e, v);
        return;
    }
    if (e)
        (void)pl_fail(&err, PL_NOT_FOUND, "version", "endpoint \"%.80s\" has no variant \"%.80s\"", request->name,
                      request->version);
    else
        (void)pl_fail(&err, PL_NOT_FOUND, "name", "endpoint \"%.80s\" does not exist or is not in service",
                      request->name);
    rpc_fail(call, &err);
}
