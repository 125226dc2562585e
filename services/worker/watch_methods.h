/* watch_methods - the routers that hold a WatchInstances stream: each gets a snapshot of its instances, then their
 * deaths as they happen and the host's load when it changes (at most four times a second) and every 5 seconds.
 *
 * When a router has held no stream for orphan_timeout, its idle instances stop: nobody is left who would send them
 * requests or stop them. Before that, the next router that comes takes them over.
 * Threads: with the turn.  Memory: owns the watchers; calls are answered before watchers_free(). */
#ifndef WORKER_WATCH_METHODS_H
#define WORKER_WATCH_METHODS_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

struct capacity;
struct instance;
struct instances;
struct loop;
struct routers;
struct rpc_call;
struct watchers;
struct worker_stats;

struct watchers_options {
    const char *host_id;       /* not copied */
    const char *direct_socket; /* where its instances are lent; "" = nowhere. Not copied */
    struct routers *routers;
    int64_t host_epoch;
    int64_t orphan_ms;
    char *const *runtimes; /* names; live longer */
    size_t runtime_count;
    struct worker_stats *stats;
};

struct watchers *watchers_new(struct loop *l, struct instances *all, struct capacity *c,
                              const struct watchers_options *o);
void watchers_free(struct watchers *w);

/* Answers 'call' with the stream. */
void watchers_add(struct watchers *w, struct rpc_call *call, const char *router_id);

/* From the instances' observer. */
void watchers_died(struct watchers *w, const struct instance *in, const char *reason);
void watchers_changed(struct watchers *w);

/* Tells everybody that this host is draining. False: nobody watches. */
bool watchers_tell_drain(struct watchers *w);
/* After that: ends the streams. */
void watchers_drain(struct watchers *w);

#endif
