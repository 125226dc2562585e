/* membership - heartbeats to control: this host is listed while they arrive, and dropped when it says that it leaves,
 * or when its lease runs out. Control being away changes nothing else here. Threads: with the turn.  Memory: copies
 * what it is given. */
#ifndef WORKER_MEMBERSHIP_H
#define WORKER_MEMBERSHIP_H

#include "rpc/rpc.h"

#include <stddef.h>
#include <stdint.h>

struct loop;
struct membership;

struct membership_options {
    const char *control; /* gRPC target */
    struct rpc_tls tls;
    const char *host_id, *address;
    int64_t host_epoch, memory_mb;
    char *const *runtimes; /* names; live longer */
    size_t runtime_count;
};

/* Sends the first heartbeat at once. */
struct membership *membership_start(struct loop *l, struct rpc *r, const struct membership_options *o);
/* Tells at once that nobody is to count on this host any more. */
void membership_drain(struct membership *m);
/* One last heartbeat that says so; 'left' once, after its answer or a short while. Before membership_free(). */
void membership_leave(struct membership *m, void (*left)(void *arg), void *arg);
void membership_free(struct membership *m);

#endif
