#include "prepare.h"

#include "base/mem.h"
#include "hosts.h"
#include "rpc/client.h"

#include <stdio.h>
#include <stdlib.h>

/* Lives until the room's 'done', also when nobody waits for it any more. */
struct prepare_call {
    struct rpc_request *request;
    lifecycle_prepared_fn *done; /* NULL: cancelled */
    void *arg;
};

static void answered(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct prepare_call *c = arg;
    (void)bytes;
    if (c->done)
        c->done(c->arg, status, message);
    free(c);
}

void *prepare_start(struct hosts *h, const Pilotlight__Internal__V1__VariantSpec *spec, const char *avoid,
                    int64_t timeout_ms, lifecycle_prepared_fn *done, void *done_arg, char out_host[LIFECYCLE_HOST_SIZE])
{
    Pilotlight__Internal__V1__PrepareModelRequest request = PILOTLIGHT__INTERNAL__V1__PREPARE_MODEL_REQUEST__INIT;
    struct rpc_channel *channel;
    const Pilotlight__Internal__V1__WorkerHost *host = hosts_pick(h, spec->runtime, avoid, &channel);
    if (!host)
        return NULL;
    (void)snprintf(out_host, LIFECYCLE_HOST_SIZE, "%s", host->id);
    struct prepare_call *c = PL_NEW(struct prepare_call);
    c->done = done;
    c->arg = done_arg;
    request.spec = (Pilotlight__Internal__V1__VariantSpec *)(uintptr_t)spec;
    c->request = rpc_send(channel, &(struct rpc_send){
                                       .path = "/pilotlight.internal.v1.WorkerService/PrepareModel",
                                       .message = &request.base,
                                       .reply = &pilotlight__internal__v1__prepare_model_response__descriptor,
                                       .timeout_ms = timeout_ms > 0 ? timeout_ms : 1,
                                       .done = answered,
                                       .arg = c,
                                   });
    return c;
}

void prepare_cancel(void *call)
{
    struct prepare_call *c = call;
    c->done = NULL;
    rpc_cancel(c->request);
}
