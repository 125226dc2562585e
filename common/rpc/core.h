/* core - what the files of this room share and nobody else sees: completions, the runtime, messages and statuses in the
 * forms that the C core wants. */
#ifndef RPC_CORE_H
#define RPC_CORE_H

#include "rpc/rpc.h"

#include <grpc/grpc.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>

/* ---- runtime ---- */

/* Every tag is one of these, embedded in the call, channel or server that waits; the field it sits in says what for.
 * 'done' runs with the turn, on the pump thread or, for what a thread that has the turn sent itself, on that one as
 * soon as its callback is over. 'ok' is the core's: false means that the operation cannot happen any more (a stream has
 * ended, a server shuts down), never that a call failed. */
struct rpc_completion {
    grpc_completion_queue_functor core; /* first: the tag is its address */
    void (*done)(struct rpc_completion *c, bool ok);
    struct rpc *rpc;
    struct rpc_completion *next; /* among those that are over */
    bool ok;
};
void rpc_completion_init(struct rpc_completion *c, struct rpc *r, void (*done)(struct rpc_completion *c, bool ok));
/* For what is over without the core: 'done' runs soon, never from in here. It does not need the loop to run. */
void rpc_completion_over(struct rpc_completion *c);

struct loop *rpc_loop(struct rpc *r);
struct metrics *rpc_metrics(struct rpc *r);
/* The pump's: requests and replies of clients, arrivals of calls. */
grpc_completion_queue *rpc_queue(struct rpc *r);
/* For what a call of a server sends and hears. It is no queue for the pump: an answer is mostly on its way when
 * grpc_call_start_batch() returns, and the thread that gave it finishes the call, instead of waking the pump for it. */
grpc_completion_queue *rpc_call_queue(struct rpc *r);
/* One for each server and channel that still waits for completions: rpc_free() waits for them. */
void rpc_hold(struct rpc *r);
void rpc_release(struct rpc *r);

/* ---- bytes ---- */

/* 'n' bytes that are still to be written, at '*out', before anybody else sees them. */
struct rpc_bytes *rpc_bytes_room(size_t n, uint8_t **out);

/* Shares the slices of 'b' and destroys it; NULL gives NULL. */
struct rpc_bytes *rpc_bytes_from_core(grpc_byte_buffer *b);
/* Shares the slices; the caller destroys it once the core has sent it. NULL counts as empty. */
grpc_byte_buffer *rpc_bytes_to_core(const struct rpc_bytes *b);

/* ---- messages ---- */

grpc_byte_buffer *rpc_pack(const ProtobufCMessage *m);
/* NULL with PL_INVALID in 'err': malformed protobuf, or a string field that is not UTF-8 or has a NUL byte, named by its
 * path. What is accepted can be packed and read again.
 * 'what' ("request", "reply") begins the text. */
ProtobufCMessage *rpc_unpack(const ProtobufCMessageDescriptor *d, const struct rpc_bytes *b, const char *what,
                             struct pl_err *err);
/* Looks at a message and the bytes that it was read from. NULL when nothing is wrong; "INVALID_UTF8" or "NUL_IN_STRING",
 * and 'path' gets the first string that is so, "variants[0].name"; "MALFORMED_PROTOBUF". */
const char *rpc_message_check(const ProtobufCMessage *m, const void *data, size_t len, char *path, size_t size);

/* ---- statuses ---- */

#define RPC_STATUS_DETAILS "grpc-status-details-bin"

/* google.rpc.Status as bytes: the caller unrefs. Empty when the code is PL_OK. */
grpc_slice rpc_status_details(const struct pl_err *err);
grpc_status_code rpc_status_code(const struct pl_err *err);
/* "OK", "INVALID_ARGUMENT": the label of metrics. */
const char *rpc_status_name(grpc_status_code code);
/* What a call ended with, as our error; 'trailing' may hold details. */
void rpc_status_decode(grpc_status_code code, grpc_slice text, const grpc_metadata_array *trailing, struct pl_err *out);

/* A google.rpc.Status with all of it, and back; one that cannot be read is PL_UNKNOWN. */
struct rpc_bytes *rpc_status_write(const struct pl_err *err);
void rpc_status_read(const struct rpc_bytes *status, struct pl_err *out);

bool rpc_status_has_details(const grpc_metadata_array *trailing);

/* ---- small helpers ---- */

gpr_timespec rpc_deadline_after_ms(int64_t ms); /* INT64_MAX: never */

/* ---- TLS ---- */

bool rpc_tls_enabled(const struct rpc_tls *t);
/* NULL with 'err' naming the file. */
grpc_server_credentials *rpc_tls_server(const struct rpc_tls *t, struct pl_err *err);
grpc_channel_credentials *rpc_tls_client(const struct rpc_tls *t, struct pl_err *err);

/* Pings: a side that hears nothing for RPC_PING_TIME_MS asks, and gives the connection up RPC_PING_TIMEOUT_MS later.
 * Servers accept pings as often as RPC_PING_MIN_MS, with or without calls. */
#define RPC_PING_TIME_MS    20000
#define RPC_PING_TIMEOUT_MS 10000
#define RPC_PING_MIN_MS     5000
/* Room for our largest status: message 1 KiB (percent-encoded up to 3) and details (base64) beside the caller's
 * headers. */
#define RPC_MAX_METADATA_BYTES (16 << 10)
/* Flow-control window of a stream: what a peer may send before we have read it. Fixed, because probing the bandwidth
 * for a better one costs pings on every busy connection. */
#define RPC_WINDOW_BYTES (1 << 20)

#endif
