#include "client_private.h"

#include "loop/loop.h"

#include <assert.h>
#include <pthread.h>

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;
    struct pl_err status;
    struct rpc_bytes *bytes;
};

static void wait_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct wait *w = arg;
    (void)message; /* asked for raw: it is unpacked by the caller's thread, which keeps it */
    pthread_mutex_lock(&w->lock);
    w->status = *status;
    w->bytes = bytes ? rpc_bytes_ref(bytes) : NULL;
    w->done = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->lock);
}

static void wait_run(struct wait *w, struct rpc_channel *c, const struct rpc_send *s)
{
    struct loop *l = rpc_loop(c->rpc);
    struct rpc_send raw = *s;
    assert(!loop_held(l) && "waiting with the turn would wait for ever");
    raw.reply = NULL;
    raw.done = wait_done;
    raw.arg = w;
    loop_enter(l);
    rpc_send(c, &raw);
    loop_leave(l);
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->over, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

enum pl_code rpc_call_wait(struct rpc_channel *c, const struct rpc_send *s, void **out_reply,
                           struct rpc_bytes **out_bytes, struct pl_err *err)
{
    struct wait w = { .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER };
    wait_run(&w, c, s);
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *bytes = w.bytes;
    if (w.status.code != PL_OK) {
        *err = w.status;
        return err->code;
    }
    if (!s->reply) {
        *out_bytes = pl_take(bytes);
        return PL_OK;
    }
    ProtobufCMessage *m = rpc_unpack(s->reply, bytes, "reply", err);
    if (!m)
        return err->code = PL_INTERNAL;
    *out_reply = m;
    return PL_OK;
}
