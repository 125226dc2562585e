/* follow - the router's ear at control: its Watch stream, from the version that is known, and the acknowledgement of
 * what has been applied and of what has drained.
 *
 * Control calls an endpoint InService, or gone, when its routers have acknowledged that; and a router acknowledges what
 * it would still know after kill -9, with control down: what has been saved. When the stream breaks it is opened again,
 * with growing back-off; until then everything goes on as it was.
 * Threads: with the turn. */
#ifndef ROUTER_FOLLOW_H
#define ROUTER_FOLLOW_H

#include "rpc/rpc.h"

#include <stdbool.h>
#include <stdint.h>

struct act;
struct desired;
struct follow;
struct loop;

struct follow_options {
    struct loop *loop;
    struct rpc *rpc;
    struct act *act;
    struct desired *desired;
    const char *control; /* gRPC target */
    struct rpc_tls tls;
    const char *router_id;
    int64_t router_epoch;
    /* A message has been applied; follow_saved() says when it is on disk. */
    void (*applied)(void *arg);
    /* Control could not be reached, or hung up. */
    void (*lost)(void *arg);
    void *arg;
};

/* Texts live as long as it. */
struct follow *follow_start(const struct follow_options *o);
/* 'version' outlives the router from now on, and control may be told. */
void follow_saved(struct follow *f, int64_t version);
void follow_stop(struct follow *f);
bool follow_stopped(const struct follow *f); /* nothing of it is under way any more */
void follow_free(struct follow *f);          /* when it has stopped; NULL is fine */

#endif
