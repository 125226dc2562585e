/* hosts - worker hosts that hold a lease.
 *
 * A heartbeat takes or renews a host's lease; a host whose lease ends is dropped and routers are told. What routers see
 * of a host is in the database, so that a control that comes back knows its hosts at once: they then have one lease to
 * be heard of again. Only a change is written, not each heartbeat. Threads: with the turn.  Memory: owns its entries
 * and their channels. */
#ifndef CONTROL_HOSTS_H
#define CONTROL_HOSTS_H

#include "base/err.h"

#include "pilotlight/internal/v1/watch.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hosts;
struct limits;
struct loop;
struct rpc;
struct rpc_channel;
struct rpc_channel_options;
struct store;

struct hosts_options {
    struct loop *loop;
    struct rpc *rpc;
    struct store *store;
    const struct limits *limits;
    const struct rpc_channel_options *channel; /* how hosts are called */
    int64_t lease_ms;
    void (*changed)(void *arg); /* a host came, changed or went; committed */
    void *arg;
};

struct hosts *hosts_new(const struct hosts_options *o);
void hosts_free(struct hosts *h); /* NULL is fine */
/* Those of the database, with a new lease each. */
PL_MUST_CHECK enum pl_code hosts_load(struct hosts *h, struct pl_err *err);
/* The request is validated. PL_ABORTED: a newer start of the host is known. PL_EXHAUSTED: too many hosts. */
PL_MUST_CHECK enum pl_code hosts_heartbeat(struct hosts *h, const Pilotlight__Internal__V1__HeartbeatRequest *r,
                                           struct pl_err *err);
/* NULL when it holds no lease. */
const Pilotlight__Internal__V1__WorkerHost *hosts_find(const struct hosts *h, const char *id);
/* A host that offers the runtime and is not draining, in turn; 'avoid' only when there is no other. NULL: none. The
 * channel is borrowed. */
const Pilotlight__Internal__V1__WorkerHost *hosts_pick(struct hosts *h, const char *runtime, const char *avoid,
                                                       struct rpc_channel **out_channel);
/* Of one that holds a lease; borrowed. */
struct rpc_channel *hosts_channel(struct hosts *h, const char *id);
/* Grows with each start of the host; 0 when it holds no lease. */
int64_t hosts_epoch(const struct hosts *h, const char *id);
/* Whether it may be given instances of this runtime: it has it, and is not draining. */
bool hosts_offers(const Pilotlight__Internal__V1__WorkerHost *host, const char *runtime);
/* All, for a snapshot; the array is the caller's to free(), the messages are borrowed. */
Pilotlight__Internal__V1__WorkerHost **hosts_list(const struct hosts *h, size_t *out_count);
size_t hosts_count(const struct hosts *h);

#endif
