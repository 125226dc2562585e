/* A server stream from the client's side: three batches of different kinds run side by side. 'sent' carries the request
 * and the headers, 'received' one message after another until there is none, 'ended' the status. The stream is over
 * when all three have come back; the caller's 'done' runs then, so after the last message. */
#include "client_private.h"

#include "base/mem.h"

#include <stdlib.h>

static void stream_check_over(struct rpc_request *q)
{
    if (--q->pending > 0)
        return;
    struct pl_err status;
    request_status(q, &status);
    q->done(q->arg, &status, NULL, NULL);
    request_free(q);
}

static void stream_came_back(struct rpc_request *q, struct rpc_completion *done, bool ok)
{
    (void)done;
    (void)ok; /* the status tells */
    stream_check_over(q);
}

static void stream_sent(struct rpc_completion *done, bool ok)
{
    stream_came_back(PL_CONTAINER(done, struct rpc_request, sent), done, ok);
}

static void stream_ended(struct rpc_completion *done, bool ok)
{
    stream_came_back(PL_CONTAINER(done, struct rpc_request, ended), done, ok);
}

static void stream_receive(struct rpc_request *q)
{
    grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };
    op.data.recv_message.recv_message = &q->incoming;
    request_batch(q, &op, 1, &q->received);
}

/* The peer breaks the contract: the stream ends with our words. */
static void stream_fail(struct rpc_request *q, const struct pl_err *err)
{
    q->failed = PL_NEW(struct pl_err);
    *q->failed = *err;
    q->failed->code = PL_INTERNAL;
    (void)grpc_call_cancel(q->core, NULL);
}

static void stream_deliver(struct rpc_request *q, struct rpc_bytes *bytes)
{
    struct pl_err err;
    ProtobufCMessage *m = rpc_unpack(q->reply, bytes, "reply", &err);
    if (!m) {
        stream_fail(q, &err);
        return;
    }
    q->on_message(q->arg, m);
    protobuf_c_message_free_unpacked(m, NULL);
}

static void stream_received(struct rpc_completion *done, bool ok)
{
    struct rpc_request *q = PL_CONTAINER(done, struct rpc_request, received);
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *bytes = rpc_bytes_from_core(pl_take(q->incoming));
    bool more = ok && bytes;
    if (more && !q->cancelled && !q->failed)
        stream_deliver(q, bytes);
    if (more)
        stream_receive(q);
    stream_check_over(q);
}

struct rpc_request *rpc_open(struct rpc_channel *c, const struct rpc_open *o)
{
    if (c->local)
        return local_open(c, o);
    struct rpc_request *q = request_new(c, o->path, o->timeout_ms ? o->timeout_ms : INT64_MAX, o->traceparent);
    grpc_op ops[4] = { 0 };
    q->sent.done = stream_sent;
    q->ended.done = stream_ended;
    q->received.done = stream_received;
    q->reply = o->reply;
    q->on_message = o->on_message;
    q->done = o->done;
    q->arg = o->arg;
    q->outgoing = rpc_pack(o->message);
    request_op_status(q, &ops[0]);
    request_batch(q, ops, 1, &q->ended);
    ops[0] = (grpc_op){ 0 };
    request_op_headers(q, &ops[0], false);
    request_op_message(q, &ops[1]);
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &q->headers;
    request_batch(q, ops, 4, &q->sent);
    stream_receive(q);
    return q;
}
