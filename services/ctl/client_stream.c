/* client_stream - a stream whose messages arrive on the pump thread, waited for by the main one. */
#include "client.h"

#include "loop/loop.h"
#include "rpc/client.h"

#include <pthread.h>

struct stream {
    pthread_mutex_t lock; /* guards 'ended' and 'status' */
    pthread_cond_t over;
    bool ended;
    struct pl_err status;
    bool enough; /* 'on_message' said so; with the turn */
    struct rpc_request *request;
    bool (*on_message)(void *arg, const void *message);
    void *arg;
};

static void message_came(void *arg, const void *message)
{
    struct stream *s = arg;

    if (s->enough || s->on_message(s->arg, message))
        return;
    s->enough = true;
    rpc_cancel(s->request);
}

static void stream_over(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct stream *s = arg;

    (void)message;
    (void)bytes;
    pthread_mutex_lock(&s->lock);
    s->status = *status;
    s->ended = true;
    pthread_cond_signal(&s->over);
    pthread_mutex_unlock(&s->lock);
}

enum pl_code client_stream(struct client *c, enum client_server server, const char *path,
                           const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply, int64_t timeout_ms,
                           bool (*on_message)(void *arg, const void *message), void *arg, struct pl_err *err)
{
    struct stream s = { .on_message = on_message, .arg = arg };
    const struct rpc_open open = { .path = path,
                                   .message = request,
                                   .reply = reply,
                                   .timeout_ms = timeout_ms,
                                   .on_message = message_came,
                                   .done = stream_over,
                                   .arg = &s };

    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.over, NULL);
    loop_enter(client_loop(c));
    s.request = rpc_open(client_channel(c, server), &open);
    loop_leave(client_loop(c));
    pthread_mutex_lock(&s.lock);
    while (!s.ended)
        pthread_cond_wait(&s.over, &s.lock);
    pthread_mutex_unlock(&s.lock);
    pthread_cond_destroy(&s.over);
    pthread_mutex_destroy(&s.lock);
    if (s.enough || s.status.code == PL_OK)
        return PL_OK;
    *err = s.status;
    return client_explain(c, server, err);
}
