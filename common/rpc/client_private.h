/* client_private - a channel and a request as channel.c, client_call.c, client_stream.c and wait.c see them. */
#ifndef RPC_CLIENT_PRIVATE_H
#define RPC_CLIENT_PRIVATE_H

#include "core.h"
#include "rpc/client.h"

#include "base/list.h"

/* More different methods than one channel calls; beyond it a bug. */
#define CHANNEL_METHODS_MAX 64
#define DEFAULT_TIMEOUT_MS  30000

struct channel_method {
    const char *path; /* static, compared by pointer first */
    void *registered;
};

struct local_channel;

struct rpc_channel {
    struct rpc *rpc;
    struct local_channel *local; /* an address "unix-frames:PATH": all of local_client.c's; else NULL */
    grpc_channel *core;          /* NULL once freed by its owner */
    char *target;
    unsigned refs; /* the owner's, one per request, one for the watch */
    struct list requests;
    size_t max_message_bytes;
    struct channel_method methods[CHANNEL_METHODS_MAX];
    size_t method_count;
    struct rpc_completion changed; /* the connection's state */
    bool watching;
};

struct rpc_request {
    struct rpc_completion ended;    /* unary: everything; stream: the status has come */
    struct rpc_completion sent;     /* stream: the request has left */
    struct rpc_completion received; /* stream: a message, or the last one was */
    struct list link;               /* rpc_channel.requests */
    struct rpc_channel *channel;
    grpc_call *core;
    grpc_byte_buffer *outgoing;
    grpc_byte_buffer *incoming;
    grpc_metadata trace;
    bool has_trace;
    grpc_metadata_array headers;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice status_text;
    const ProtobufCMessageDescriptor *reply;
    void (*on_message)(void *arg, const void *message);
    rpc_done_fn *done;
    void *arg;
    struct pl_err *failed; /* found by us, not by the peer: a reply that cannot be read */
    unsigned pending;      /* batches with the core */
    bool cancelled;        /* by rpc_cancel(): no message after it */
};

void channel_unref(struct rpc_channel *c);
/* A request with its call, on the channel's list; 'timeout_ms' INT64_MAX = none. */
struct rpc_request *request_new(struct rpc_channel *c, const char *path, int64_t timeout_ms, const char *traceparent);
void request_free(struct rpc_request *q);
void request_batch(struct rpc_request *q, const grpc_op *ops, size_t count, struct rpc_completion *tag);
/* The ops that every call has. */
void request_op_headers(struct rpc_request *q, grpc_op *op, bool wait_for_ready);
void request_op_message(struct rpc_request *q, grpc_op *op);
void request_op_status(struct rpc_request *q, grpc_op *op);
/* The peer said OK, with 'bytes' (not kept; NULL: none, or 'len' bytes, more than we take): tells 'done', with the
 * status that results. */
void request_deliver(struct rpc_request *q, struct rpc_bytes *bytes, size_t len, struct pl_err *status);
/* What the call ended with; 'failed' goes before what the peer said. */
void request_status(const struct rpc_request *q, struct pl_err *out);

/* ---- local_client.c ---- */
void local_channel_open(struct rpc_channel *c, const char *path);
void local_channel_close(struct rpc_channel *c); /* its requests have been cancelled */
void local_channel_done(struct rpc_channel *c);  /* the last request has gone, too */
void local_channel_connect(struct rpc_channel *c);
bool local_channel_ready(const struct rpc_channel *c);
struct rpc_request *local_send(struct rpc_channel *c, const struct rpc_send *s);
struct rpc_request *local_open(struct rpc_channel *c, const struct rpc_open *o);
void local_cancel(struct rpc_request *q);

#endif
