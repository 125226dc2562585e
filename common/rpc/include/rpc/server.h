/* rpc/server - a service is a table of methods and plain functions.
 *
 *     static const struct rpc_method methods[] = {
 *         { "/pilotlight.v1.ModelService/CreateModel", RPC_UNARY, &pilotlight__v1__create_model_request__descriptor,
 *           create_model, 256 * KiB },
 *         { 0 },
 *     };
 *
 * Unary: the handler gets the unpacked request (or, with a NULL descriptor, only rpc_call_bytes()) and answers exactly
 * once, at once or later: rpc_reply(), rpc_reply_bytes() or rpc_fail(). The request message lives until the answer.
 * Server stream: rpc_stream_send() any number of times, then rpc_stream_end() or rpc_fail().
 * Bidi stream: as server stream; 'handle' is called once per message of the client and finally, unless the call has
 * been answered, with message NULL: the client has half-closed or is gone. A message lives until its handler returns.
 *
 * Cancellation: rpc_call_on_cancel()'s callback runs at most once, and only before the answer; the call still has to be
 * answered (rpc_fail() with PL_CANCELLED does). Deadline over = cancelled. After the answer the handler must forget the
 * call.
 *
 * Done by this room before the handler runs: message limit (RESOURCE_EXHAUSTED naming the limit), unpacking
 * (INVALID_ARGUMENT "request: malformed protobuf"), UTF-8 check of every string field (INVALID_ARGUMENT naming the
 * field), draining (UNAVAILABLE). Unknown methods get UNIMPLEMENTED naming the method. */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "rpc/rpc.h"

#include <protobuf-c/protobuf-c.h>

struct rpc_server;
struct rpc_call;

enum rpc_kind { RPC_UNARY, RPC_SERVER_STREAM, RPC_BIDI_STREAM };

struct rpc_method {
    const char *path; /* "/package.Service/Method" */
    enum rpc_kind kind;
    const ProtobufCMessageDescriptor *request; /* NULL: raw, see rpc_call_bytes() */
    void (*handle)(struct rpc_call *call, const void *message, void *service);
    size_t max_request_bytes; /* 0 = RPC_MAX_MESSAGE_BYTES */
};

/* An array ends with a row whose path is NULL. */
struct rpc_service {
    const char *name; /* "pilotlight.v1.ModelService": for health and reflection */
    const struct rpc_method *methods;
    void *context; /* the 'service' argument of the handlers */
};

struct rpc_server_options {
    const char *const
        *listen; /* "127.0.0.1:8081", "[::1]:8081", "unix:/run/x.sock", "unix-frames:/run/x"; count below */
    size_t listen_count;
    struct rpc_tls tls; /* for the TCP addresses; unix sockets are plaintext, mode 0600 */
    const struct rpc_service *services;
    size_t service_count;
    const void *descriptor_set; /* serialized google.protobuf.FileDescriptorSet with imports; NULL = no reflection */
    size_t descriptor_set_len;
    size_t max_message_bytes;     /* 0 = RPC_MAX_MESSAGE_BYTES */
    uint32_t max_calls_in_flight; /* 0 = 10000; beyond it RESOURCE_EXHAUSTED. A connection has some more streams. */
    /* Answers that their clients do not take are given up (unsent.c): after this long, or when there is too much of
     * them. */
    int64_t unsent_timeout_ms; /* 0 = 120000 */
    size_t max_unsent_bytes;   /* 0 = 512 MiB */
    /* Of requests that have come in part: beyond it the core breaks off calls. */
    size_t max_received_bytes; /* 0 = 1 GiB */
};

/* Listens and serves at once. grpc.health.v1.Health and both reflection services are added. Health starts NOT_SERVING.
 * PL_UNAVAILABLE: an address cannot be bound (SO_REUSEPORT is off: a second server on it fails too). */
PL_MUST_CHECK enum pl_code rpc_server_start(struct rpc_server **out, struct rpc *r, const struct rpc_server_options *o,
                                            struct pl_err *err);
/* Health of "" and of all services; watchers are told. */
void rpc_server_set_serving(struct rpc_server *s, bool serving);
/* The port that was bound for the i-th address (for ":0"); 0 for unix sockets. */
int rpc_server_port(const struct rpc_server *s, size_t i);
/* Graceful: health NOT_SERVING, GOAWAY, new calls refused UNAVAILABLE, calls in flight go on; health and other watch
 * streams of this room are ended; 'drained(arg)' once when the last call has ended and connections are closed (by their
 * clients, or a second later by us), or after 'grace_ms', when what is left was cancelled (a handler that has not
 * answered a second after that is given up on; its late answer is harmless). Once per server. */
void rpc_server_drain(struct rpc_server *s, int64_t grace_ms, void (*drained)(void *arg), void *arg);
/* After 'drained': frees it. Earlier: cancels what is in flight, and frees it when that has ended. NULL is fine. */
void rpc_server_free(struct rpc_server *s);

/* ---- a call ---- */

/* The request as it came, for raw methods (and others); lives until the answer; ref it to keep it longer. */
struct rpc_bytes *rpc_call_bytes(const struct rpc_call *c);
/* Milliseconds until the caller's deadline; INT64_MAX when it gave none. */
int64_t rpc_call_time_left_ms(const struct rpc_call *c);
/* First value of a request header, lower-case key ("traceparent"), copied to 'out'; false when absent or too long. */
bool rpc_call_header(const struct rpc_call *c, const char *key, char *out, size_t size);
/* "ipv4:127.0.0.1:4711", "unix:" or "unix-frames:"; lives as long as the call. */
const char *rpc_call_peer(struct rpc_call *c);
/* Path of the method. */
const char *rpc_call_method(const struct rpc_call *c);
/* One callback per call; NULL takes it back. If the call is cancelled already it runs soon. */
void rpc_call_on_cancel(struct rpc_call *c, void (*cancelled)(void *arg), void *arg);

/* A header of the answer ("x-pilotlight-variant"), at most 8; gRPC only, as is every header of a request but
 * "traceparent"; before the answer or the first stream message. Copied. */
void rpc_call_set_header(struct rpc_call *c, const char *key, const char *value);

void rpc_reply(struct rpc_call *c, const ProtobufCMessage *message);
/* Consumes one reference to 'bytes'. */
void rpc_reply_bytes(struct rpc_call *c, struct rpc_bytes *bytes);
/* The gRPC status of err->code with its message and google.rpc details: BadRequest (field), ErrorInfo (reason,
 * model_status), RetryInfo (retry_after_ms), QuotaFailure (PL_EXHAUSTED). Nothing of 'err' is kept. Ends streams too.
 */
void rpc_fail(struct rpc_call *c, const struct pl_err *err);

/* Queues a message. False when more than 'RPC_STREAM_QUEUE_BYTES' wait for a slow reader: the caller should rpc_fail()
 * with PL_EXHAUSTED and let the client start again from a snapshot. */
PL_MUST_CHECK bool rpc_stream_send(struct rpc_call *c, const ProtobufCMessage *message);
#define RPC_STREAM_QUEUE_BYTES ((size_t)32 << 20)
void rpc_stream_end(struct rpc_call *c);

#endif
