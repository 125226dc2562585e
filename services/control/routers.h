/* routers - the Watch streams: what each router has been sent, and what it says it has applied.
 *
 * A stream starts with the changes since the router's version, when control still has them all, else with a snapshot;
 * then every change follows when it is committed (routers_push()). A router that loses its stream is expected back: for
 * settle_ms it goes on to count as one that has not applied what came later, then it is given up. The same goes for
 * those that the store knows from before a start. So an endpoint is not gone while a router that missed it may serve.
 * Threads: with the turn.  Memory: owns its entries, as many as may watch; calls are answered when they end. */
#ifndef CONTROL_ROUTERS_H
#define CONTROL_ROUTERS_H

#include "base/err.h"

#include "pilotlight/internal/v1/watch.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct hosts;
struct limits;
struct loop;
struct routers;
struct rpc_call;
struct store;

struct routers_options {
    struct loop *loop;
    struct store *store;
    const struct limits *limits;
    const struct hosts *hosts;
    int64_t settle_ms; /* how long one that is away is expected back */
    /* A router came, went or acknowledged. Called from inside the functions here: it must not call back into the room.
     */
    void (*changed)(void *arg);
    void *arg;
};
/* All of it but the struct itself is borrowed. */
struct routers *routers_new(const struct routers_options *o);
void routers_free(struct routers *r); /* after routers_end(); NULL is fine */
/* Those that watched when control ended are awaited. */
PL_MUST_CHECK enum pl_code routers_load(struct routers *r, struct pl_err *err);

/* The request is validated; takes the call over. */
void routers_watch(struct routers *r, struct rpc_call *call, const Pilotlight__Internal__V1__WatchRequest *request);
/* Of a router without a stream: ignored. */
void routers_acknowledge(struct routers *r, const Pilotlight__Internal__V1__AcknowledgeRequest *request);
/* Sends what was committed since. */
void routers_push(struct routers *r);
/* Every router that is known has applied 'version' ... */
bool routers_applied(const struct routers *r, int64_t version);
/* ... and says, in this stream, that it has no request of 'endpoint' in flight. */
bool routers_drained(const struct routers *r, const char *endpoint, int64_t version);
/* With a stream. */
unsigned routers_count(const struct routers *r);
/* Ends all streams: UNAVAILABLE, control is stopping. */
void routers_end(struct routers *r);

#endif
