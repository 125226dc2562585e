/* flight - requests on their way: each call that was admitted, until its caller has an answer. See the story in
 * flight.c.
 *
 * Threads: with the turn.  Memory: one allocation per request; the request's bytes are the call's.  Ownership: a call
 * given to flight_start() is answered exactly once, here. */
#ifndef ROUTER_FLIGHT_H
#define ROUTER_FLIGHT_H

#include <stdint.h>

struct act;
struct flights;
struct invoke_request;
struct rpc_call;
struct usage;

enum flight_kind {
    FLIGHT_INVOKE, /* pilotlight.v1.InvokeRequest: goes on as it is    */
    FLIGHT_TENSOR, /* inference.ModelInferRequest: goes on as the body */
};

struct flights *flights_new(struct act *a, struct usage *u, int64_t router_epoch);
void flights_free(struct flights *all); /* when none is left; NULL is fine */
unsigned flights_count(const struct flights *all);

void flight_start(struct flights *all, struct rpc_call *call, enum flight_kind kind, const struct invoke_request *r);

#endif
