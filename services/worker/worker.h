/* worker - one host's truth: which instances live, and what they use. The modules in order:
 *
 *   worker_methods   WorkerService: checks a request, hands it on, answers it once
 *     bringup        StartInstance, PrepareModel: artifact -> room -> process -> ready
 *       artifacts    one fetch for all who ask        fetch, unpacking, cache: what is on disk
 *       forests      one compilation for all who ask  compiling
 *       capacity     is there room
 *       instance     states, the one request, the end spawn: how a process is made   channel, answer: what it says
 *       instance_log what it prints -> logs/: kept on disk, read by log_methods
 *   lending          routers on this machine get sockets of their own to their instances
 *   watch_methods    WatchInstances: routers hear of changes; without routers idle instances stop
 *   membership       heartbeats to control
 *
 * A warm request: Invoke arrives raw; three fields are scanned (worker_methods), the instance is found by its id, the
 * bytes go out behind a frame header (channel), RESULT comes back, is checked (answer), gets the host's timing appended
 * and is the reply. Nothing of it is copied or unpacked. From a router on this machine it does not come here at all:
 * the instance has been lent to it (lending.h).
 *
 * Threads: with the turn.  Memory: worker_free() frees all, after 'drained'. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/list.h"
#include "bringup.h"

#include <stdbool.h>
#include <stdint.h>

struct artifacts;
struct cache;
struct capacity;
struct instances;
struct lending;
struct log_store;
struct routers;
struct loop;
struct membership;
struct metrics;
struct rpc;
struct rpc_server;
struct spawner;
struct watchers;
struct worker;
struct worker_config;
struct worker_stats;

/* What the methods work with. */
struct worker_parts {
    struct loop *loop;
    struct bringup_parts bringup;
    struct watchers *watchers;
    struct log_store *logs;
    struct worker_stats *stats;
    const char *host_id;
    int64_t host_epoch;
    struct routers *routers;
    struct list bringups; /* StartInstance and PrepareModel that have not been answered */
    struct lending *lending;
    bool draining;
};

PL_MUST_CHECK enum pl_code worker_start(struct worker **out, struct loop *l, struct rpc *r, struct metrics *m,
                                        const struct worker_config *c, struct pl_err *err);
/* Refuses new starts, tells routers and control, lets requests end (at most config's drain_timeout), stops every
 * instance, then calls 'drained' once. */
void worker_drain(struct worker *w, void (*drained)(void *arg), void *arg);
void worker_free(struct worker *w);

/* Bound port of the first address, for tests. */
int worker_port(const struct worker *w);
/* Any thread: NULL when ready. */
const char *worker_ready(const struct worker *w);

#endif
