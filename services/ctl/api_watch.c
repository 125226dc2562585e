/* api_watch - following an endpoint. */
#include "api.h"

#include "pilotlight/v1/endpoint.pb-c.h"

struct watch {
    bool (*changed)(void *arg, const ProtobufCMessage *endpoint, bool deleted);
    void *arg;
};

static bool on_message(void *arg, const void *message)
{
    const Pilotlight__V1__WatchEndpointResponse *m = message;
    struct watch *w = arg;

    if (!m->endpoint && !m->deleted)
        return true;
    return w->changed(w->arg, m->endpoint ? &m->endpoint->base : NULL, m->deleted);
}

enum pl_code api_watch_endpoint(struct client *c, const char *name, int64_t timeout_ms,
                                bool (*changed)(void *arg, const ProtobufCMessage *endpoint, bool deleted), void *arg,
                                struct pl_err *err)
{
    Pilotlight__V1__WatchEndpointRequest request = PILOTLIGHT__V1__WATCH_ENDPOINT_REQUEST__INIT;
    struct watch w = { .changed = changed, .arg = arg };

    request.name = (char *)(uintptr_t)name;
    return client_stream(c, CLIENT_CONTROL, "/pilotlight.v1.EndpointService/WatchEndpoint", &request.base,
                         &pilotlight__v1__watch_endpoint_response__descriptor, timeout_ms, on_message, &w, err);
}
