/* hosts - the worker hosts: a channel to each, the stream on which it tells what it has, and starting and stopping
 * instances there.
 *
 * A host whose stream is open is up for the core. When the stream breaks it is opened again, with growing back-off; the
 * host's list of instances then tells what is still there, so that neither the router's nor the connection's end costs
 * a warm instance. Threads: with the turn.  Memory: a host lives as long as control lists it, an instance of it is
 * known, or a call to it is under way. */
#ifndef ROUTER_HOSTS_H
#define ROUTER_HOSTS_H

#include "pilotlight/internal/v1/watch.pb-c.h"
#include "rpc/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct act;
struct borrowing;
struct host;
struct hosts;
struct loop;
struct metrics_counter;

struct hosts_options {
    struct loop *loop;
    struct rpc *rpc;
    struct act *act;
    struct rpc_tls tls; /* texts live as long as the hosts */
    const char *router_id;
    int64_t router_epoch;
    bool direct; /* instances of hosts on this machine are borrowed */
    struct metrics_counter *direct_requests;
};

struct hosts *hosts_new(const struct hosts_options *o);
/* Nothing is under way any more (hosts_idle()), or hosts_open() was never called. NULL is fine. */
void hosts_free(struct hosts *h);

/* Hosts are called from now on: what they have is judged by the endpoints that are known. Any number of times. */
void hosts_open(struct hosts *h);
/* Breaks off everything that is under way. */
void hosts_close(struct hosts *h);
bool hosts_idle(const struct hosts *h);

/* Tells every host that this endpoint's generations below 'before_generation' are over. Not answered, not repeated. */
void hosts_release(struct hosts *h, const char *endpoint, int64_t before_generation);

/* As control lists them. */
void hosts_set(struct hosts *h, const Pilotlight__Internal__V1__WorkerHost *m);
void hosts_remove(struct hosts *h, const char *id);
/* All others go. */
void hosts_keep(struct hosts *h, Pilotlight__Internal__V1__WorkerHost *const *list, size_t count);
/* The array is the caller's to free(), the messages are not. */
Pilotlight__Internal__V1__WorkerHost **hosts_list(const struct hosts *h, size_t *out_count);

/* Of a core_host's 'user'. */
struct rpc_channel *hosts_channel(const struct host *host);
struct borrowing *hosts_borrowing(const struct host *host);
const char *hosts_address(const struct host *host);

#endif
