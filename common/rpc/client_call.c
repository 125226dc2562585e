/* A unary request is one batch with everything in it, and so one completion. What a stream has in common with it, too.
 */
#include "client_private.h"

#include "base/mem.h"

#include <assert.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what all requests share ---- */

static void *channel_method(struct rpc_channel *c, const char *path)
{
    for (size_t i = 0; i < c->method_count; i++)
        if (c->methods[i].path == path || strcmp(c->methods[i].path, path) == 0)
            return c->methods[i].registered;
    assert(c->method_count < CHANNEL_METHODS_MAX);
    struct channel_method *m = &c->methods[c->method_count++];
    m->path = path;
    m->registered = grpc_channel_register_call(c->core, path, NULL, NULL);
    return m->registered;
}

struct rpc_request *request_new(struct rpc_channel *c, const char *path, int64_t timeout_ms, const char *traceparent)
{
    struct rpc_request *q = PL_NEW(struct rpc_request);
    q->channel = c;
    c->refs++;
    list_push_back(&c->requests, &q->link);
    grpc_metadata_array_init(&q->headers);
    grpc_metadata_array_init(&q->trailing);
    q->status_text = grpc_empty_slice();
    if (traceparent && traceparent[0]) {
        q->trace.key = grpc_slice_from_static_string("traceparent");
        q->trace.value = grpc_slice_from_copied_string(traceparent);
        q->has_trace = grpc_header_nonbin_value_is_legal(q->trace.value);
    }
    q->core = grpc_channel_create_registered_call(c->core, NULL, 0, rpc_queue(c->rpc), channel_method(c, path),
                                                  rpc_deadline_after_ms(timeout_ms), NULL);
    return q;
}

void request_free(struct rpc_request *q)
{
    list_remove(&q->link);
    if (q->outgoing)
        grpc_byte_buffer_destroy(q->outgoing);
    if (q->incoming)
        grpc_byte_buffer_destroy(q->incoming);
    grpc_slice_unref(q->trace.value); /* an empty slice when there is none */
    grpc_slice_unref(q->status_text);
    grpc_metadata_array_destroy(&q->headers);
    grpc_metadata_array_destroy(&q->trailing);
    grpc_call_unref(q->core);
    channel_unref(q->channel);
    free(q->failed);
    free(q);
}

void request_batch(struct rpc_request *q, const grpc_op *ops, size_t count, struct rpc_completion *tag)
{
    grpc_call_error failed = grpc_call_start_batch(q->core, ops, count, tag, NULL);
    if (failed != GRPC_CALL_OK)
        pl_die("rpc: batch refused: %s", grpc_call_error_to_string(failed));
    q->pending++;
}

void request_op_headers(struct rpc_request *q, grpc_op *op, bool wait_for_ready)
{
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    op->data.send_initial_metadata.count = q->has_trace;
    op->data.send_initial_metadata.metadata = &q->trace;
    if (wait_for_ready)
        op->flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
}

void request_op_message(struct rpc_request *q, grpc_op *op)
{
    op->op = GRPC_OP_SEND_MESSAGE;
    op->data.send_message.send_message = q->outgoing;
}

void request_op_status(struct rpc_request *q, grpc_op *op)
{
    op->op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    op->data.recv_status_on_client.trailing_metadata = &q->trailing;
    op->data.recv_status_on_client.status = &q->status;
    op->data.recv_status_on_client.status_details = &q->status_text;
}

/* The peer of a call is "ipv4:127.0.0.1:8083" once it has a connection, and before that its channel's target. Of a target
 * that looks like a peer nobody knows. */
static bool never_left(const struct rpc_request *q)
{
    const char *target = q->channel->target;
    char *peer = grpc_call_get_peer(q->core);
    bool same = peer && strcmp(peer, target) == 0;
    gpr_free(peer);
    return same && strncmp(target, "ipv", 3) != 0 && strncmp(target, "unix", 4) != 0;
}

void request_status(const struct rpc_request *q, struct pl_err *out)
{
    if (q->failed) {
        *out = *q->failed;
        return;
    }
    rpc_status_decode(q->status, q->status_text, &q->trailing, out);
    /* A server that shuts down resets the calls which cross its GOAWAY on the way, and the core calls that CANCELLED.
     * Nobody here has cancelled, and nobody there has answered: repeat it elsewhere. */
    if (out->code == PL_CANCELLED && !q->cancelled && !rpc_status_has_details(&q->trailing))
        (void)pl_fail(out, PL_UNAVAILABLE, NULL, "%s ended the call without an answer", q->channel->target);
    else if (out->code == PL_UNAVAILABLE && !rpc_status_has_details(&q->trailing) && never_left(q))
        (void)snprintf(out->reason, sizeof(out->reason), RPC_NOT_SENT);
}

void rpc_cancel(struct rpc_request *q)
{
    q->cancelled = true;
    if (q->channel->local) {
        local_cancel(q);
        return;
    }
    (void)grpc_call_cancel(q->core, NULL);
}

/* ---- unary ---- */

/* The peer said OK: its message, checked, goes to the caller; what cannot be read is the peer's fault, not the
 * caller's. */
void request_deliver(struct rpc_request *q, struct rpc_bytes *bytes, size_t len, struct pl_err *status)
{
    ProtobufCMessage *message = NULL;
    if (len > q->channel->max_message_bytes)
        (void)pl_fail(status, PL_EXHAUSTED, NULL, "reply: %zu bytes, larger than the limit of %zu bytes", len,
                      q->channel->max_message_bytes);
    else if (!bytes)
        (void)pl_fail(status, PL_INTERNAL, NULL, "reply: the server sent no message");
    else if (q->reply && !(message = rpc_unpack(q->reply, bytes, "reply", status)))
        status->code = PL_INTERNAL;
    q->done(q->arg, status, message, status->code == PL_OK && !q->reply ? bytes : NULL);
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

static void unary_deliver(struct rpc_request *q, struct pl_err *status)
{
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *bytes = rpc_bytes_from_core(pl_take(q->incoming));
    request_deliver(q, bytes, rpc_bytes_len(bytes), status);
}

static void unary_ended(struct rpc_completion *done, bool ok)
{
    struct rpc_request *q = PL_CONTAINER(done, struct rpc_request, ended);
    struct pl_err status;
    (void)ok; /* this batch has a status, and so cannot fail */
    request_status(q, &status);
    if (status.code == PL_OK)
        unary_deliver(q, &status);
    else
        q->done(q->arg, &status, NULL, NULL);
    request_free(q);
}

struct rpc_request *rpc_send(struct rpc_channel *c, const struct rpc_send *s)
{
    if (c->local)
        return local_send(c, s);
    struct rpc_request *q = request_new(c, s->path, s->timeout_ms ? s->timeout_ms : DEFAULT_TIMEOUT_MS, s->traceparent);
    grpc_op ops[6] = { 0 };
    q->ended.done = unary_ended;
    q->reply = s->reply;
    q->done = s->done;
    q->arg = s->arg;
    q->outgoing = s->message ? rpc_pack(s->message) : rpc_bytes_to_core(s->bytes);
    rpc_bytes_unref(s->bytes);
    request_op_headers(q, &ops[0], s->wait_for_ready);
    request_op_message(q, &ops[1]);
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &q->headers;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &q->incoming;
    request_op_status(q, &ops[5]);
    request_batch(q, ops, 6, &q->ended);
    return q;
}
