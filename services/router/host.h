/* host - what hosts.c (the host and its stream) and starts.c (instances on it) share. */
#ifndef ROUTER_HOST_H
#define ROUTER_HOST_H

#include "core/core.h"
#include "hosts.h"
#include "loop/loop.h"

struct hosts {
    struct hosts_options o;
    struct host *by_id;
    struct list starts; /* StartInstance and StopInstance calls under way */
    size_t count;       /* of hosts, listed or not */
    bool open, closed;
};

struct host {
    UT_hash_handle hh;
    struct hosts *all;
    Pilotlight__Internal__V1__WorkerHost *message; /* as control lists it */
    char *address, *id;
    struct rpc_channel *channel;
    struct borrowing *borrowing;  /* what can be reached without it */
    struct core_host *core;       /* NULL: forgotten by it */
    unsigned refs;                /* the core's, the stream's, and one for each call under way */
    bool left;                    /* control lists it no more */
    struct rpc_request *watching; /* NULL: no stream */
    struct loop_timer again;
    int64_t again_ms;
};

void host_unref(struct host *host);

/* ---- starts.c ---- */
void starts_init(struct hosts *h);
void starts_release(struct host *host, const char *endpoint, int64_t before_generation);
void starts_close(struct hosts *h);

#endif
