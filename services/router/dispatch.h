/* dispatch - hands one request to one instance and says what became of it: the seam between the router and wherever
 * instances are. On this machine that is the instance's own socket, where its host has lent it to us (borrow.h); else
 * it is the worker host's Invoke.
 *
 * Threads: with the turn.  Memory: embedded in its owner, who must not go before 'done', which is called exactly once.
 */
#ifndef ROUTER_DISPATCH_H
#define ROUTER_DISPATCH_H

#include "core/core.h"

struct borrowed;
struct borrowing;
struct rpc_bytes;
struct rpc_channel;
struct rpc_request;

struct dispatch {
    /* 'answer': the bytes of a WorkerInvokeResponse, with CORE_ANSWERED only, gone after the call. 'err': what the
     * caller is to be told, with any other outcome. */
    void (*done)(struct dispatch *d, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer);
    struct borrowed *direct; /* one of these two */
    struct rpc_request *sent;
    uint32_t timeout_ms;
    const char *host; /* for messages */
};

struct dispatch_to {
    struct rpc_channel *channel;
    struct borrowing *borrowing;
    const char *host;
    uint64_t instance_id, request_id;
    uint32_t timeout_ms;
    const char *traceparent; /* "" = none */
};

/* Before the hop's own fields comes 'head' (NULL: nothing), then 'message'; both stay the caller's. */
void dispatch_start(struct dispatch *d, const struct dispatch_to *to, const struct rpc_bytes *head,
                    const struct rpc_bytes *message);
/* The instance is killed, for a prediction cannot be interrupted otherwise; 'done' still comes. */
void dispatch_cancel(struct dispatch *d);

#endif
