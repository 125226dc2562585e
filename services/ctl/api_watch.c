/* api_watch - following an endpoint: a stream whose messages arrive on the pump thread, waited for by the main one. */
#include "api.h"

#include "loop/loop.h"
#include "rpc/client.h"

#include "pilotlight/v1/endpoint.pb-c.h"

#include <pthread.h>

struct watch {
    pthread_mutex_t lock; /* guards 'ended' and 'status' */
    pthread_cond_t over;
    bool ended;
    struct pl_err status;
    bool enough; /* 'changed' said so; with the turn */
    struct rpc_request *stream;
    bool (*changed)(void *arg, const ProtobufCMessage *endpoint, bool deleted);
    void *arg;
};

static void on_message(void *arg, const void *message)
{
    struct watch *w = arg;
    const Pilotlight__V1__WatchEndpointResponse *m = message;
    if (w->enough || (!m->endpoint && !m->deleted))
        return;
    if (!w->changed(w->arg, m->endpoint ? &m->endpoint->base : NULL, m->deleted)) {
        w->enough = true;
        rpc_cancel(w->stream);
    }
}

static void on_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct watch *w = arg;
    (void)message;
    (void)bytes;
    pthread_mutex_lock(&w->lock);
    w->status = *status;
    w->ended = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->lock);
}

enum pl_code api_watch_endpoint(struct client *c, const char *name, int64_t timeout_ms,
                                bool (*changed)(void *arg, const ProtobufCMessage *endpoint, bool deleted), void *arg,
                                struct pl_err *err)
{
    struct watch w = { .changed = changed, .arg = arg };
    Pilotlight__V1__WatchEndpointRequest request = PILOTLIGHT__V1__WATCH_ENDPOINT_REQUEST__INIT;
    struct rpc_open open = {
        .path = "/pilotlight.v1.EndpointService/WatchEndpoint",
        .message = &request.base,
        .reply = &pilotlight__v1__watch_endpoint_response__descriptor,
        .timeout_ms = timeout_ms,
        .on_message = on_message,
        .done = on_done,
        .arg = &w,
    };
    request.name = (char *)(uintptr_t)name;
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.over, NULL);
    loop_enter(client_loop(c));
    w.stream = rpc_open(client_channel(c, CLIENT_CONTROL), &open);
    loop_leave(client_loop(c));
    pthread_mutex_lock(&w.lock);
    while (!w.ended)
        pthread_cond_wait(&w.over, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.over);
    pthread_mutex_destroy(&w.lock);
    if (w.enough || w.status.code == PL_OK)
        return PL_OK;
    *err = w.status;
    return client_explain(c, CLIENT_CONTROL, err);
}
