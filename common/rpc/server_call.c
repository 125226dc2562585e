/* The life of one unary call
 *
 *   arm      Before any client calls, call_arm() allocates a rpc_call for the method and gives it to the core as the
 *            place for the next call of that method: its handle, deadline, headers and first message. Methods are
 *            registered, so the core finds the place by path and reads the request before it tells us: one event, not
 *            two.
 *   arrive   call_arrived(): the call joins its server's list, a fresh one is armed in its place before anything else
 *            (no client waits for a handler), and call_dispatch() checks what every call is checked for: draining,
 *            known method, calls in flight, size, protobuf, UTF-8. Then the service's handler runs.
 *   listen   A cancellation is heard through one RECV_CLOSE_ON_SERVER batch per call. When the handler answers at once
 *            that operation travels in the same batch as the answer (a call then costs two events); otherwise it is
 *            started after the handler has returned (three).
 *   answer   rpc_reply(), rpc_reply_bytes() and rpc_fail() end in call_send_final(): headers, message and status in one
 *            batch. The request is freed here: from now on the handler must not touch the call. Until the client has
 *            taken the answer it is one of the server's unsent ones (unsent.c).
 *   gone     'closed' says that the client has everything, or has left: then 'on_cancel' runs, unless the call has been
 *            answered. A cancelled call still gets its answer from the handler; there is nobody to send it to.
 *   free     'refs' counts the batches that the core holds, plus one for the answer that is due. The last one to go
 *            frees the call and takes it off the list; a draining server may stop then.
 *
 * Everything here runs with the turn, so batches on one call never meet. A call may be freed only by call_unref(),
 * hence never while the handler that just answered it is still on the stack: its batch is with the core, and its
 * completion needs the turn. Streams replace "answer" by stream.c and share the rest. */
#include "server_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void call_arrived(struct rpc_completion *done, bool ok);
static void call_closed(struct rpc_completion *done, bool ok);
static void call_sent(struct rpc_completion *done, bool ok);
static void call_cancel_soon(struct loop_task *t);

/* ---- arm, free ---- */

static bool call_reads_first(const struct server_method *m)
{
    return m->row && m->row->kind != RPC_BIDI_STREAM;
}

void call_arm(struct rpc_server *s, struct server_method *m)
{
    struct rpc_call *c = PL_NEW(struct rpc_call);
    grpc_completion_queue *q = rpc_call_queue(s->rpc), *arrivals = rpc_queue(s->rpc);
    grpc_call_error failed;
    rpc_completion_init(&c->arrived, s->rpc, call_arrived);
    rpc_completion_init(&c->closed, s->rpc, call_closed);
    rpc_completion_init(&c->sent, s->rpc, call_sent);
    c->cancel_soon.run = call_cancel_soon;
    list_init(&c->link);
    list_init(&c->unsent.link);
    c->server = s;
    c->method = m;
    grpc_metadata_array_init(&c->headers);
    if (m->row) {
        c->path = m->row->path;
        failed =
            grpc_server_request_registered_call(s->core, m->registered, &c->core, &c->deadline, &c->headers,
                                                call_reads_first(m) ? &c->payload : NULL, q, arrivals, &c->arrived);
    } else {
        c->path = "";
        c->details = PL_NEW(grpc_call_details);
        grpc_call_details_init(c->details);
        failed = grpc_server_request_call(s->core, &c->core, c->details, &c->headers, q, arrivals, &c->arrived);
    }
    if (failed != GRPC_CALL_OK)
        pl_die("rpc: cannot wait for calls of %s: %s", c->path, grpc_call_error_to_string(failed));
    s->armed++;
}

static void call_drop_request(struct rpc_call *c)
{
    if (c->message)
        protobuf_c_message_free_unpacked(c->message, NULL);
    c->message = NULL;
    rpc_bytes_unref(c->request);
    c->request = NULL;
}

static void call_drop_out(struct call_out *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->header_count; i++) {
        grpc_slice_unref(o->headers[i].key);
        grpc_slice_unref(o->headers[i].value);
    }
    if (o->has_trailing)
        grpc_slice_unref(o->trailing.value);
    free(o);
}

/* What belongs to the core; afterwards headers and peer are unknown. */
static void call_drop_core(struct rpc_call *c)
{
    grpc_metadata_array_destroy(&c->headers);
    grpc_metadata_array_init(&c->headers);
    if (c->core)
        grpc_call_unref(c->core);
    c->core = NULL;
    if (c->details) {
        grpc_call_details_destroy(c->details);
        free(c->details);
        c->details = NULL;
    }
}

static void call_free(struct rpc_call *c)
{
    if (c->local)
        local_call_done(c);
    call_drop_request(c);
    stream_free(c->stream);
    if (c->payload)
        grpc_byte_buffer_destroy(c->payload);
    if (c->reply)
        grpc_byte_buffer_destroy(c->reply);
    call_drop_out(c->out);
    call_drop_core(c);
    free(c->peer);
    free(c);
}

void call_unref(struct rpc_call *c)
{
    assert(c->refs > 0);
    if (--c->refs > 0)
        return;
    struct rpc_server *s = c->server;
    if (s)
        server_call_removed(s, c);
    call_free(c);
    if (s)
        server_check_stopped(s);
}

void call_abandon(struct rpc_call *c)
{
    server_call_removed(c->server, c);
    c->server = NULL;
    c->gone = true;
    if (c->local)
        local_call_abandon(c);
    call_drop_core(c);
}

/* ---- arrive ---- */

static void call_batch(struct rpc_call *c, const grpc_op *ops, size_t count, struct rpc_completion *tag)
{
    grpc_call_error failed = grpc_call_start_batch(c->core, ops, count, tag, NULL);
    if (failed != GRPC_CALL_OK)
        pl_die("rpc: batch refused on %s: %s", c->path, grpc_call_error_to_string(failed));
    c->refs++;
}

static void call_op_close(struct rpc_call *c, grpc_op *op)
{
    op->op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op->data.recv_close_on_server.cancelled = &c->cancelled;
    c->listening = true;
}

static void call_listen(struct rpc_call *c)
{
    grpc_op op = { 0 };
    call_op_close(c, &op);
    call_batch(c, &op, 1, &c->closed);
}

static char *call_unknown_path(const struct rpc_call *c)
{
    if (c->local)
        return pl_strdup(c->path);
    return pl_strndup((const char *)GRPC_SLICE_START_PTR(c->details->method), GRPC_SLICE_LENGTH(c->details->method));
}

/* What is wrong with the call, before its message is looked at; PL_OK: nothing. */
static enum pl_code call_check(struct rpc_call *c, struct pl_err *err)
{
    struct rpc_server *s = c->server;
    if (s->state != SERVER_SERVING)
        return pl_fail_reason(err, PL_UNAVAILABLE, "DRAINING", NULL, "the server is shutting down; repeat the call");
    if (!c->method->row) {
        pl_cleanup(pl_free_p) char *path = call_unknown_path(c);
        return pl_fail(err, PL_UNIMPLEMENTED, NULL, "method '%.200s' is not served here", path);
    }
    if (c->local && c->method->row->kind != RPC_UNARY)
        return pl_fail(err, PL_UNIMPLEMENTED, NULL, "method '%s' is a stream: it is served by gRPC only", c->path);
    if (s->in_flight > s->max_in_flight && !c->method->exempt) {
        unsent_make_room(s);
        (void)pl_fail_reason(err, PL_EXHAUSTED, "MAX_CALLS_IN_FLIGHT", NULL,
                             "%u calls are in flight here, the most this server takes", s->max_in_flight);
        err->retry_after_ms = 1000;
        return err->code;
    }
    return PL_OK;
}

static enum pl_code call_take_request(struct rpc_call *c, struct pl_err *err)
{
    size_t limit = c->method->max_request_bytes;
    if (!c->payload && !c->local)
        return pl_fail(err, PL_INVALID, NULL, "request: the client closed the stream without sending a message");
    if (c->payload) {
        c->request = rpc_bytes_from_core(pl_take(c->payload));
        c->request_len = rpc_bytes_len(c->request);
    }
    if (c->request_len > limit)
        return pl_fail_reason(err, PL_EXHAUSTED, "MESSAGE_TOO_LARGE", NULL,
                              "request: %zu bytes, larger than the limit of %zu bytes", c->request_len, limit);
    if (c->method->row->request)
        c->message = rpc_unpack(c->method->row->request, c->request, "request", err);
    return c->method->row->request && !c->message ? err->code : PL_OK;
}

static void call_dispatch(struct rpc_call *c)
{
    struct pl_err err;
    const struct rpc_method *row = c->method->row;
    if (row && row->kind != RPC_UNARY && !c->local)
        stream_init(c);
    if (call_check(c, &err) != PL_OK) {
        rpc_fail(c, &err);
        return;
    }
    if (row->kind == RPC_BIDI_STREAM) {
        stream_receive(c);
        return;
    }
    if (call_take_request(c, &err) != PL_OK) {
        rpc_fail(c, &err);
        return;
    }
    row->handle(c, c->message, c->method->service);
}

static void call_arrived(struct rpc_completion *done, bool ok)
{
    struct rpc_call *c = PL_CONTAINER(done, struct rpc_call, arrived);
    struct rpc_server *s = c->server;
    s->armed--;
    if (!ok) { /* the server shuts down: nobody will call */
        call_free(c);
        server_check_stopped(s);
        return;
    }
    if (s->state == SERVER_SERVING)
        call_arm(s, c->method);
    c->refs = 1;
    c->arrived_us = pl_now_us();
    server_call_added(s, c);
    c->in_handler = true;
    call_dispatch(c);
    c->in_handler = false;
    if (!c->listening)
        call_listen(c);
}

void call_init_local(struct rpc_call *c, struct local_call *local, struct rpc_server *s)
{
    c->local = local;
    c->server = s;
    c->cancel_soon.run = call_cancel_soon;
    list_init(&c->link);
    grpc_metadata_array_init(&c->headers);
}

void call_begin(struct rpc_call *c)
{
    c->refs = 2; /* the answer that is due, and ours while the handler is on the stack */
    c->arrived_us = pl_now_us();
    server_call_added(c->server, c);
    call_dispatch(c);
    call_unref(c);
}

/* ---- answer ---- */

void call_answered(struct rpc_call *c, const struct pl_err *err)
{
    assert(!c->answered && "a call is answered exactly once");
    c->answered = true;
    c->on_cancel = NULL;
    call_drop_request(c);
    if (c->server)
        server_count(c->server, c->method, err ? rpc_status_code(err) : GRPC_STATUS_OK, pl_now_us() - c->arrived_us);
}

static struct call_out *call_out(struct rpc_call *c)
{
    if (!c->out)
        c->out = PL_NEW(struct call_out);
    return c->out;
}

void call_op_headers(struct rpc_call *c, grpc_op *op)
{
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    op->data.send_initial_metadata.count = c->out ? c->out->header_count : 0;
    op->data.send_initial_metadata.metadata = c->out ? c->out->headers : NULL;
}

/* 'text' must live until the batch has been started. */
static void call_op_status(struct rpc_call *c, grpc_op *op, const struct pl_err *err, grpc_slice *text)
{
    op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    op->data.send_status_from_server.status = GRPC_STATUS_OK;
    if (!err)
        return;
    struct call_out *o = call_out(c);
    *text = grpc_slice_from_copied_string(err->message);
    o->trailing.key = grpc_slice_from_static_string(RPC_STATUS_DETAILS);
    o->trailing.value = rpc_status_details(err);
    o->has_trailing = true;
    op->data.send_status_from_server.status = rpc_status_code(err);
    op->data.send_status_from_server.status_details = text;
    op->data.send_status_from_server.trailing_metadata = &o->trailing;
    op->data.send_status_from_server.trailing_metadata_count = 1;
}

void call_send_final(struct rpc_call *c, grpc_byte_buffer *reply, const struct pl_err *err)
{
    grpc_op ops[4] = { 0 };
    size_t count = 0;
    grpc_slice text = grpc_empty_slice();
    c->reply = reply;
    if (c->gone) { /* nobody listens */
        call_unref(c);
        return;
    }
    if (!c->stream || !stream_headers_sent(c->stream))
        call_op_headers(c, &ops[count++]);
    if (reply) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = reply;
    }
    call_op_status(c, &ops[count++], err, &text);
    if (c->in_handler && !c->listening)
        call_op_close(c, &ops[count++]);
    size_t bytes = reply ? grpc_byte_buffer_length(reply) : 0; /* the core empties it */
    call_batch(c, ops, count, &c->sent);
    if (reply)
        unsent_add(c, bytes);
    grpc_slice_unref(text);
    c->refs--; /* the handler's */
}

static void call_sent(struct rpc_completion *done, bool ok)
{
    struct rpc_call *c = PL_CONTAINER(done, struct rpc_call, sent);
    (void)ok; /* a client that left before its answer is no news */
    unsent_remove(c);
    call_unref(c);
}

void rpc_reply(struct rpc_call *c, const ProtobufCMessage *message)
{
    assert(!c->stream);
    if (c->local) {
        rpc_reply_bytes(c, rpc_bytes_from_core(rpc_pack(message)));
        return;
    }
    grpc_byte_buffer *reply = c->gone ? NULL : rpc_pack(message);
    call_answered(c, NULL);
    call_send_final(c, reply, NULL);
}

void rpc_reply_bytes(struct rpc_call *c, struct rpc_bytes *bytes)
{
    assert(!c->stream);
    if (c->local) {
        call_answered(c, NULL);
        local_call_answer(c, bytes, NULL);
        return;
    }
    grpc_byte_buffer *reply = c->gone ? NULL : rpc_bytes_to_core(bytes);
    rpc_bytes_unref(bytes);
    call_answered(c, NULL);
    call_send_final(c, reply, NULL);
}

void rpc_fail(struct rpc_call *c, const struct pl_err *err)
{
    assert(err->code != PL_OK);
    call_answered(c, err);
    if (c->local)
        local_call_answer(c, NULL, err);
    else if (c->stream)
        stream_fail(c, err);
    else
        call_send_final(c, NULL, err);
}

/* ---- cancellation ---- */

static void call_tell_cancelled(struct rpc_call *c)
{
    void (*tell)(void *) = c->on_cancel;
    c->on_cancel = NULL;
    if (tell && !c->answered)
        tell(c->on_cancel_arg);
}

void call_lost(struct rpc_call *c)
{
    c->gone = true;
    if (c->stream)
        stream_gone(c);
    call_tell_cancelled(c);
}

static void call_closed(struct rpc_completion *done, bool ok)
{
    struct rpc_call *c = PL_CONTAINER(done, struct rpc_call, closed);
    (void)ok; /* this operation cannot fail */
    call_lost(c);
    call_unref(c);
}

static void call_cancel_soon(struct loop_task *t)
{
    struct rpc_call *c = PL_CONTAINER(t, struct rpc_call, cancel_soon);
    c->cancel_soon_posted = false;
    call_tell_cancelled(c);
    call_unref(c);
}

void rpc_call_on_cancel(struct rpc_call *c, void (*cancelled)(void *arg), void *arg)
{
    c->on_cancel = cancelled;
    c->on_cancel_arg = arg;
    if (!cancelled || !c->gone || c->cancel_soon_posted || !c->server)
        return;
    c->cancel_soon_posted = true;
    c->refs++;
    loop_post(rpc_loop(c->server->rpc), &c->cancel_soon);
}
