/* followers - the WatchEndpoint streams: each gets its endpoint now, after every change, and a last time when it is
 * gone. Threads: with the turn.  Memory: owns its entries; calls are answered when they end. */
#ifndef CONTROL_FOLLOWERS_H
#define CONTROL_FOLLOWERS_H

#include "pilotlight/v1/endpoint.pb-c.h"

struct followers;
struct limits;
struct rpc_call;
struct store;

struct followers *followers_new(struct store *s, const struct limits *l);
void followers_free(struct followers *f); /* NULL is fine */
/* Takes the call over; fails it when there is no such endpoint. */
void followers_add(struct followers *f, struct rpc_call *call, const char *endpoint);
/* The endpoint's row changed, and is committed. */
void followers_changed(struct followers *f, const char *endpoint);
/* It is gone; 'last' is how it was. */
void followers_deleted(struct followers *f, const Pilotlight__V1__Endpoint *last);
unsigned followers_count(const struct followers *f);
/* Ends all streams: UNAVAILABLE, control is stopping. */
void followers_end(struct followers *f);

#endif
