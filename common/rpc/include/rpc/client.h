/* rpc/client - channels, unary requests and server streams.
 *
 * A channel connects when first used or told to, keeps the connection alive with pings while it has calls, and rebuilds
 * it with back-off (the core's: from 100 ms, 1.6 times longer after each failure, to 5 s, jittered). It makes no
 * retries of its own: the caller knows whether a call may be repeated. A call that a server dropped without an answer,
 * as one that shuts down does with calls which cross its GOAWAY on the way, ends with PL_UNAVAILABLE; with the reason
 * RPC_NOT_SENT where it is certain that no server has seen any of it. 'done' of a request is called exactly once, always
 * asynchronously, also after rpc_cancel(). */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include "rpc/rpc.h"

#include <protobuf-c/protobuf-c.h>

#define RPC_NOT_SENT "NOT_SENT"

struct rpc_channel;
struct rpc_request;

struct rpc_channel_options {
    struct rpc_tls tls;       /* all NULL = plaintext */
    bool internal;            /* between our own services: minimal stack, no size limit by the core */
    size_t max_message_bytes; /* 0 = RPC_MAX_MESSAGE_BYTES */
};

/* 'target': "127.0.0.1:8083", "unix:/run/x.sock", "dns:///host:port", "unix-frames:/run/x" (unary requests only). Never
 * fails: an unreachable target fails its calls. */
struct rpc_channel *rpc_channel_new(struct rpc *r, const char *target, const struct rpc_channel_options *o);
/* Cancels what is in flight (their 'done' still runs, later). NULL is fine. */
void rpc_channel_free(struct rpc_channel *c);
/* Connect ahead of the first call, and again whenever the connection is lost. */
void rpc_channel_connect(struct rpc_channel *c);
bool rpc_channel_ready(struct rpc_channel *c);
const char *rpc_channel_target(const struct rpc_channel *c);

/* How it ended: status->code is PL_OK with exactly one of 'message' (unpacked as 'reply') or 'bytes' (raw), both owned
 * by the room and gone after the callback (ref the bytes to keep them). A status from a peer that runs this room
 * arrives with its field, reason, retry time and model status. */
typedef void rpc_done_fn(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes);

struct rpc_send {
    const char *path; /* "/package.Service/Method"; must be a static string: it is registered once per channel */
    const ProtobufCMessage *message;         /* packed before rpc_send() returns ... */
    struct rpc_bytes *bytes;                 /* ... or raw: one reference is consumed */
    const ProtobufCMessageDescriptor *reply; /* NULL: raw reply */
    int64_t timeout_ms;                      /* 0 = 30000; INT64_MAX = none */
    bool wait_for_ready;                     /* wait for the connection instead of failing at once */
    const char *traceparent;                 /* passed on as metadata when not NULL and not "" */
    rpc_done_fn *done;
    void *arg;
};

struct rpc_request *rpc_send(struct rpc_channel *c, const struct rpc_send *s);
/* Any number of times until 'done'; 'done' then gets PL_CANCELLED, unless it had ended already. */
void rpc_cancel(struct rpc_request *q);

/* Server stream: 'on_message' for each message, then 'done' once with message and bytes NULL. */
struct rpc_open {
    const char *path;
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *reply;
    int64_t timeout_ms; /* 0 = none */
    const char *traceparent;
    void (*on_message)(void *arg, const void *message);
    rpc_done_fn *done;
    void *arg;
};
struct rpc_request *rpc_open(struct rpc_channel *c, const struct rpc_open *o);

/* For command-line programs and tests, on a thread that holds no turn: sends and waits. '*out_reply' is the caller's to
 * free with protobuf_c_message_free_unpacked(); with s->reply NULL '*out_bytes' gets the bytes instead. 'done' and
 * 'arg' of 's' are ignored. Returns err->code. The loop of the runtime must be running on another thread. */
PL_MUST_CHECK enum pl_code rpc_call_wait(struct rpc_channel *c, const struct rpc_send *s, void **out_reply,
                                         struct rpc_bytes **out_bytes, struct pl_err *err);

#endif
