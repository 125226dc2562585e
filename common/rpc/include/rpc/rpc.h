/* rpc - the gRPC C core behind a small door: shared types.
 *
 *   rpc.h     runtime (one completion queue, one pump thread), payload bytes, metadata, TLS
 *   server.h  method tables, calls, health, reflection, graceful drain
 *   client.h  channels, unary requests, streams, a blocking call for command-line programs
 *
 * Only the .c files of this room include <grpc/...>. Everybody else sees methods, messages, and a call that is answered
 * exactly once.
 *
 * Threads: one pump thread waits on the completion queue and takes the loop's turn (loop/loop.h) around each callback,
 * so handlers and client callbacks run with the turn and may touch the service's state. How an answer fares is heard by
 * the thread that gave it, once its own callback has returned (runtime.c): that one need not wake the pump. All
 * functions here are called with the turn, unless they say otherwise. Handlers must not block: a blocked turn stalls
 * every call of the process. A callback is always asynchronous: never from inside the function that asked for it. */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop;
struct rpc;
struct metrics;

/* ---- runtime ---- */

/* Initialises the core, starts the pump. Never fork without exec after this. 'm' (may be NULL) gets
 * rpc_server_calls_total{method,code}, rpc_server_seconds{method} and the like; it outlives the runtime. */
struct rpc *rpc_new(struct loop *l, struct metrics *m);
/* Without the turn, after all servers and channels have been freed: waits for what of theirs is on its way, drains the
 * queue, joins the pump. NULL is fine. */
void rpc_free(struct rpc *r);
/* 'lost' is called with the turn, on the loop's thread, when a listener of a server has ended for good: the core gives
 * one up when accept() fails, as it does for want of descriptors. Nobody can connect any more; whoever cares ends. */
void rpc_on_listener_lost(struct rpc *r, void (*lost)(void *arg), void *arg);

/* ---- bytes: a message or a part of one, in spans that are shared and never copied ---- */

struct rpc_bytes; /* immutable, reference counted (atomically: any thread) */

struct rpc_bytes *rpc_bytes_copy(const void *bytes, size_t n);
/* Takes the memory over; 'release(arg)' is called when the last reference goes, on any thread, without the turn. */
struct rpc_bytes *rpc_bytes_wrap(void *bytes, size_t n, void (*release)(void *arg), void *arg);
struct rpc_bytes *rpc_bytes_ref(struct rpc_bytes *b);
void rpc_bytes_unref(struct rpc_bytes *b); /* NULL is fine */
void rpc_bytes_unref_p(struct rpc_bytes **b);
size_t rpc_bytes_len(const struct rpc_bytes *b);
/* The spans, in order; at most 'max' are written; returns how many there are. They live as long as 'b'. */
unsigned rpc_bytes_spans(const struct rpc_bytes *b, struct iovec *out, unsigned max);
/* [offset, offset+len) of 'b', sharing its memory. Out of range is a bug. */
struct rpc_bytes *rpc_bytes_sub(const struct rpc_bytes *b, size_t offset, size_t len);
/* The concatenation, sharing both; the arguments stay the caller's. NULL counts as empty. */
struct rpc_bytes *rpc_bytes_join(const struct rpc_bytes *a, const struct rpc_bytes *b);

/* ---- TLS: paths of PEM files; all empty = plaintext ---- */
struct rpc_tls {
    const char *cert_file; /* server: required for TLS; client: for mTLS   */
    const char *key_file;
    const char
        *ca_file; /* server: require client certificates from it; client: trust it instead of the system's roots */
    const char *server_name; /* client: expect this name in the certificate   */
};

/* ---- addresses ----
 *
 * Servers listen on, and channels go to:
 *
 *     HOST:PORT, unix:PATH   gRPC, over TCP (TLS where asked for) or a unix socket: for anybody, all kinds of calls
 *     unix-frames:PATH       the local transport: unary calls between services of one machine, of one user
 *
 * The local transport has the same methods, messages, limits, statuses with their details, deadlines, cancellation,
 * traceparent and draining, at a fraction of the cost: no HTTP/2, and no thread but the loop's, which runs the handler
 * where it has read the frame. It has no streams (PL_UNIMPLEMENTED), no TLS, no headers of the answer, and nobody else
 * speaks it: a server offers it beside gRPC, never instead. Its format is in local_frame.h. */

/* Largest message either way unless a method says otherwise: 6 MiB of payload (the contract's limit) and its envelope.
 */
#define RPC_MAX_MESSAGE_BYTES ((size_t)(6 << 20) + (64 << 10))

#endif
