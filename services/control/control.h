/* control - the whole service: its parts, wired. main.c starts one; so do tests, in their own process.
 *
 * One normal request: control_methods.c (the table) -> a handler in *_methods.c -> validate.c -> one transaction in
 * store.c -> the answer. What takes time after it is lifecycle.c, which asks hosts (prepare.c), tells routers
 * (routers.c) and whoever follows an endpoint (followers.c). Threads: with the turn, but for control_ready(). */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "limit.h"
#include "loop/loop.h"

#include <stdatomic.h>

struct alarms;
struct control_config;
struct followers;
struct history;
struct hosts;
struct lifecycle;
struct metrics;
struct routers;
struct rpc;
struct rpc_channel_options;
struct rpc_server;
struct scaling;
struct spread;
struct stats;
struct store;

struct control {
    struct loop *loop;
    struct rpc *rpc;
    struct limits limits;
    int64_t lease_ms;
    struct rpc_channel_options *to_workers;
    struct store *store;
    struct hosts *hosts;
    struct routers *routers;
    struct followers *followers;
    struct lifecycle *lifecycle;
    struct spread *spread;
    struct stats *stats;
    struct history *history;
    struct alarms *alarms;
    struct scaling *scaling;
    struct rpc_server *server;
    struct loop_timer lifecycle_timer; /* the lifecycle's next step */
    struct loop_timer routers_timer;   /* set to now when a router's state changed */
    struct loop_timer scaling_timer;   /* the scaling's next look */
    _Atomic bool serving;
};

/* 'config' and the rest outlive it. On failure everything is undone. */
PL_MUST_CHECK enum pl_code control_start(struct control **out, struct loop *loop, struct rpc *rpc, struct metrics *m,
                                         const struct control_config *config, struct pl_err *err);
/* Ends the streams, refuses new calls; 'drained' when the last call has ended or the grace time is over. */
void control_drain(struct control *c, int64_t grace_ms, void (*drained)(void *arg), void *arg);
void control_stop(struct control *c); /* NULL is fine */
/* Any thread. NULL when it serves, else why not. */
const char *control_ready(const struct control *c);
/* The port of the i-th listen address. */
int control_port(const struct control *c, size_t i);

/* For handlers: something was committed that routers or the figures should show. */
void control_committed(struct control *c);
/* As it, for an endpoint's row: followers hear of it too. */
void control_endpoint_changed(struct control *c, const char *endpoint);

#endif
