/* routers - the Watch streams: what each router has been sent, and what it says it has applied.
 *
 * A stream starts with the changes since the router's version, when control still has them all, else with a snapshot;
 * then every change follows when it is committed (routers_push()). A router counts while its stream is open. Threads:
 * with the turn.  Memory: owns its entries; calls are answered when they end. */
#ifndef CONTROL_ROUTERS_H
#define CONTROL_ROUTERS_H

#include "base/err.h"

#include "pilotlight/internal/v1/watch.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct hosts;
struct limits;
struct routers;
struct rpc_call;
struct store;

/* 'changed': a router came, went or acknowledged. Called from inside the functions here: it must not call back into the
 * room. */
struct routers *routers_new(struct store *s, const struct limits *l, const struct hosts *h, void (*changed)(void *arg),
                            void *arg);
void routers_free(struct routers *r); /* after routers_end(); NULL is fine */

/* The request is validated; takes the call over. */
void routers_watch(struct routers *r, struct rpc_call *call, const Pilotlight__Internal__V1__WatchRequest *request);
/* Of a router without a stream: ignored. */
void routers_acknowledge(struct routers *r, const Pilotlight__Internal__V1__AcknowledgeRequest *request);
/* Sends what was committed since. */
void routers_push(struct routers *r);
/* Every router with a stream has applied 'version' ... */
bool routers_applied(const struct routers *r, int64_t version);
/* ... and has no request of 'endpoint' in flight. */
bool routers_drained(const struct routers *r, const char *endpoint, int64_t version);
unsigned routers_count(const struct routers *r);
/* Ends all streams: UNAVAILABLE, control is stopping. */
void routers_end(struct routers *r);

#endif
