/* dispatch - hands one request to one instance and says what became of it: the seam between the router and wherever
 * instances are. Now that is a worker host's Invoke; on one machine it could be the instance's own socket.
 *
 * Threads: with the turn.  Memory: embedded in its owner, who must not go before 'done', which is called exactly once.
 */
#ifndef ROUTER_DISPATCH_H
#define ROUTER_DISPATCH_H

#include "core/core.h"

struct rpc_bytes;
struct rpc_channel;
struct rpc_request;

struct dispatch {
    /* 'answer': the bytes of a WorkerInvokeResponse, with CORE_ANSWERED only, gone after the call. 'err': what the
     * caller is to be told, with any other outcome. */
    void (*done)(struct dispatch *d, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer);
    struct rpc_request *sent;
    uint32_t timeout_ms;
    const char *host; /* for messages */
};

struct dispatch_to {
    struct rpc_channel *channel;
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
