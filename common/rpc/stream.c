/* Streams: messages out through a queue of bounded size, one with the core at a time; for bidi calls messages in, one
 * at a time too. A client that does not read makes the queue grow until rpc_stream_send() says no; a client that does
 * not read its answers is not read from either (RECEIVE_WHILE_QUEUED_BYTES). */
#include "server_private.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define RECEIVE_WHILE_QUEUED_BYTES ((size_t)1 << 20)

struct stream_message {
    struct list link;
    grpc_byte_buffer *buffer;
    size_t len;
};

struct rpc_stream {
    struct rpc_call *call;
    struct rpc_completion wrote;
    struct rpc_completion received;
    struct list queue;              /* of stream_message */
    size_t queued_bytes;            /* of 'queue' and 'sending' */
    struct stream_message *sending; /* with the core */
    grpc_byte_buffer *incoming;
    struct pl_err *end; /* the status to send once the queue is empty, when it is an error */
    bool ending;        /* the handler has answered; its reference is ours now */
    bool headers_sent;
    bool overflowed; /* a message was refused: the reader is too slow for the rest, too */
    bool receiving;
    bool receive_held; /* the next receive waits for the queue to shrink */
};

static void stream_wrote(struct rpc_completion *done, bool ok);
static void stream_received(struct rpc_completion *done, bool ok);

void stream_init(struct rpc_call *c)
{
    struct rpc_stream *s = PL_NEW(struct rpc_stream);
    s->call = c;
    rpc_completion_init(&s->wrote, c->server->rpc, stream_wrote);
    rpc_completion_init(&s->received, c->server->rpc, stream_received);
    list_init(&s->queue);
    c->stream = s;
}

static void message_free(struct stream_message *m)
{
    if (!m)
        return;
    grpc_byte_buffer_destroy(m->buffer);
    free(m);
}

static void stream_drop_queue(struct rpc_stream *s)
{
    list_each_safe(it, &s->queue)
    {
        struct stream_message *m = list_entry(it, struct stream_message, link);
        list_remove(it);
        s->queued_bytes -= m->len;
        message_free(m);
    }
}

void stream_free(struct rpc_stream *s)
{
    if (!s)
        return;
    stream_drop_queue(s);
    message_free(s->sending);
    if (s->incoming)
        grpc_byte_buffer_destroy(s->incoming);
    free(s->end);
    free(s);
}

bool stream_headers_sent(const struct rpc_stream *s)
{
    return s->headers_sent;
}

static void stream_batch(struct rpc_stream *s, const grpc_op *ops, size_t count, struct rpc_completion *tag)
{
    grpc_call_error failed = grpc_call_start_batch(s->call->core, ops, count, tag, NULL);
    if (failed != GRPC_CALL_OK)
        pl_die("rpc: batch refused on %s: %s", s->call->path, grpc_call_error_to_string(failed));
    s->call->refs++;
}

/* ---- out ---- */

static void stream_write(struct rpc_stream *s)
{
    grpc_op ops[2] = { 0 };
    size_t count = 0;
    s->sending = list_first(&s->queue, struct stream_message, link);
    list_remove(&s->sending->link);
    if (!s->headers_sent)
        call_op_headers(s->call, &ops[count++]);
    s->headers_sent = true;
    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = s->sending->buffer;
    stream_batch(s, ops, count, &s->wrote);
}

/* The handler's last word: no more than the status is left. */
static void stream_finish(struct rpc_stream *s)
{
    s->ending = false;
    call_send_final(s->call, NULL, s->end);
}

static void stream_step(struct rpc_stream *s)
{
    if (s->sending)
        return;
    if (!list_empty(&s->queue))
        stream_write(s);
    else if (s->ending)
        stream_finish(s);
}

static void stream_wrote(struct rpc_completion *done, bool ok)
{
    struct rpc_stream *s = PL_CONTAINER(done, struct rpc_stream, wrote);
    struct rpc_call *c = s->call;
    (void)ok; /* false: the call is over, and 'closed' of server_call.c tells */
    s->queued_bytes -= s->sending->len;
    message_free(s->sending);
    s->sending = NULL;
    if (!c->gone && ok)
        stream_step(s);
    if (s->receive_held && s->queued_bytes < RECEIVE_WHILE_QUEUED_BYTES && !c->answered)
        stream_receive(c);
    call_unref(c);
}

bool rpc_stream_send(struct rpc_call *c, const ProtobufCMessage *message)
{
    struct rpc_stream *s = c->stream;
    assert(s && !c->answered);
    if (c->gone)
        return true; /* dropped: the cancellation tells the caller */
    size_t len = protobuf_c_message_get_packed_size(message);
    if (s->overflowed || s->queued_bytes + len > RPC_STREAM_QUEUE_BYTES) {
        s->overflowed = true;
        return false;
    }
    struct stream_message *m = PL_NEW(struct stream_message);
    m->buffer = rpc_pack(message);
    m->len = len;
    s->queued_bytes += len;
    list_push_back(&s->queue, &m->link);
    stream_step(s);
    return true;
}

static void stream_end(struct rpc_call *c)
{
    struct rpc_stream *s = c->stream;
    s->ending = true;
    if (c->gone)
        stream_gone(c);
    else
        stream_step(s);
}

void rpc_stream_end(struct rpc_call *c)
{
    assert(c->stream);
    call_answered(c, NULL);
    stream_end(c);
}

/* To a reader that is too slow the status goes ahead of what waits, as a reset of the stream: code and message, no
 * details. */
static void stream_fail_now(struct rpc_call *c, const struct pl_err *err)
{
    stream_drop_queue(c->stream);
    (void)grpc_call_cancel_with_status(c->core, rpc_status_code(err), err->message, NULL);
    if (!c->listening) {
        c->stream->ending = true; /* the handler's reference goes when 'closed' comes */
        return;
    }
    call_unref(c);
}

void stream_fail(struct rpc_call *c, const struct pl_err *err)
{
    struct rpc_stream *s = c->stream;
    if (s->overflowed && !c->gone) {
        stream_fail_now(c, err);
        return;
    }
    s->end = PL_NEW(struct pl_err);
    *s->end = *err;
    stream_end(c);
}

void stream_gone(struct rpc_call *c)
{
    struct rpc_stream *s = c->stream;
    stream_drop_queue(s);
    if (s->receive_held && !c->answered) /* brings the handler its last message, NULL */
        stream_receive(c);
    if (!s->ending)
        return;
    s->ending = false;
    call_unref(c);
}

/* ---- in ---- */

void stream_receive(struct rpc_call *c)
{
    struct rpc_stream *s = c->stream;
    grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };
    s->receive_held = s->queued_bytes >= RECEIVE_WHILE_QUEUED_BYTES && !c->gone;
    if (s->receive_held || s->receiving)
        return;
    s->receiving = true;
    op.data.recv_message.recv_message = &s->incoming;
    stream_batch(s, &op, 1, &s->received);
}

static void stream_handle(struct rpc_call *c, grpc_byte_buffer *incoming)
{
    const struct rpc_method *row = c->method->row;
    struct pl_err err;
    if (!incoming) { /* half-closed, or gone */
        row->handle(c, NULL, c->method->service);
        return;
    }
    c->request = rpc_bytes_from_core(incoming);
    if (rpc_bytes_len(c->request) > c->method->max_request_bytes)
        (void)pl_fail(&err, PL_EXHAUSTED, NULL, "request: %zu bytes, larger than the limit of %zu bytes",
                      rpc_bytes_len(c->request), c->method->max_request_bytes);
    else
        c->message = rpc_unpack(row->request, c->request, "request", &err);
    ProtobufCMessage *m = pl_take(c->message);
    if (m)
        row->handle(c, m, c->method->service);
    else /* the client gets this status; the handler a last message NULL, as after any other end */
        (void)grpc_call_cancel_with_status(c->core, rpc_status_code(&err), err.message, NULL);
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
    rpc_bytes_unref(pl_take(c->request));
}

static void stream_received(struct rpc_completion *done, bool ok)
{
    struct rpc_stream *s = PL_CONTAINER(done, struct rpc_stream, received);
    struct rpc_call *c = s->call;
    grpc_byte_buffer *incoming = pl_take(s->incoming);
    bool last = !ok || !incoming;
    s->receiving = false;
    if (last && incoming) {
        grpc_byte_buffer_destroy(incoming);
        incoming = NULL;
    }
    if (!c->answered)
        stream_handle(c, incoming);
    else if (incoming)
        grpc_byte_buffer_destroy(incoming);
    if (!last && !c->answered)
        stream_receive(c);
    call_unref(c);
}
