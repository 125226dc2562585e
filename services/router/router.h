/* router - the parts of the service, in the order in which a request and an order of control meet them. flight.c tells
 * the life of one request through them, core/core.h what is decided and how.
 *
 * Threads: with the turn, but router_ready(). */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct act;
struct core;
struct desired;
struct flights;
struct follow;
struct hosts;
struct metrics;
struct report;
struct router_config;
struct rpc;
struct rpc_server;
struct snapshot;
struct usage;

struct router {
    struct loop *loop;
    char *id;
    int64_t epoch;
    struct core *core; /* decides ...                     */
    struct act *act;   /* ... and these carry it out:     */
    struct usage *usage;
    struct report *report; /* tells control what was measured */
    struct flights *flights;
    struct hosts *hosts;
    struct desired *desired; /* what control wants served */
    struct snapshot *snapshot;
    struct follow *follow;
    struct rpc_server *server;
    struct list log_followers; /* log_methods.c */

    struct loop_timer open_hosts;   /* at the latest */
    struct loop_timer save;         /* what is served is not on disk yet */
    int64_t saved_ms, save_rest_ms; /* when it was last */
    atomic_bool serving;
    bool server_drained, closing;
    struct loop_timer recheck; /* whether all has ended */
    void (*drained)(void *arg);
    void *drained_arg;
};

PL_MUST_CHECK enum pl_code router_start(struct router **out, struct loop *l, struct rpc *rpc, struct metrics *m,
                                        const struct router_config *config, struct pl_err *err);
/* Graceful: refuses new calls, finishes those in flight, lets the instances live for the next router. */
void router_drain(struct router *r, int64_t grace_ms, void (*drained)(void *arg), void *arg);
void router_stop(struct router *r); /* after 'drained', or when nothing has been called yet; NULL is fine */
const char *router_ready(const struct router *r); /* any thread */
int router_port(const struct router *r, size_t i);

/* ---- router_methods.c ---- */
PL_MUST_CHECK enum pl_code router_listen(struct router *r, struct rpc *rpc, const struct router_config *config,
                                         struct pl_err *err);

/* ---- log_methods.c ---- */
/* Those who follow logs hear that they must go elsewhere. */
void router_end_log_followers(struct router *r);

#endif
