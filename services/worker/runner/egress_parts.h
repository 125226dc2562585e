/* egress_parts - what the files of egress.h share.
 * Threads: all with the turn of the process's one loop; names are looked up by its jobs.  Memory: a port owns its
 * tunnels. */
#ifndef RUNNER_EGRESS_PARTS_H
#define RUNNER_EGRESS_PARTS_H

#include "base/list.h"
#include "egress/head.h"
#include "egress/rules.h"
#include "egress_pipe.h"
#include "loop/loop.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define EGRESS_ADDRESSES 4
#define EGRESS_WHY       320

struct egress;
struct lookup;
struct tunnel;

/* One instance's. */
struct port {
    UT_hash_handle hh;
    struct egress *all;
    uint64_t id;
    char endpoint[EGRESS_ENDPOINT_MAX + 1];
    struct loop_fd door;          /* listens in the instance's network namespace */
    struct loop_timer again;      /* set while there are no descriptors left to accept with */
    struct list tunnels, waiting; /* struct tunnel: all, and those whose name is still to be looked up */
    unsigned open, surplus;       /* tunnels; those that hear that they are too many */
    unsigned told;                /* of what was refused, in the window that began at told_ms */
    int64_t told_ms;
};

/* egress.c */
struct loop *egress_loop(const struct egress *e);
const struct egress_rules *egress_rules(const struct egress *e);
int64_t egress_idle_ms(const struct egress *e);
unsigned egress_connections(const struct egress *e);
/* Descriptors are all instances' together: half of them are for whoever comes, the other half is the same for each. */
bool egress_has_room(const struct egress *e, const struct port *p);
void egress_count_tunnel(struct egress *e, int more); /* 1: there is one more; -1: one less */
void egress_count_opened(struct egress *e);
void egress_count_closed(struct egress *e, uint64_t bytes_out, uint64_t bytes_in);
/* Counts it; and tells the worker, unless this port has been loud. */
void egress_refused(struct port *p, bool allowed, const char *why);

/* Lookups take long when a name's servers want them to: one endpoint's are a few at a time. */
bool egress_may_look_up(const struct egress *e, const char *endpoint);
struct list *egress_lookups(struct egress *e); /* struct lookup: those that run, also of ports that have been closed */
void egress_looked_up(struct egress *e);       /* one is over: the next may begin */

/* egress_port.c: takes 'fd' over. NULL: it cannot be watched. */
struct port *port_open(struct egress *e, uint64_t id, const char *endpoint, int fd);
void port_close(struct port *p);
void port_look_up_next(struct port *p); /* as many as may begin */

/* egress_tunnel.c */
struct tunnel {
    struct port *port;
    struct list link, wait; /* in port->tunnels, in port->waiting */
    enum { TUNNEL_HEAD, TUNNEL_NAME, TUNNEL_CONNECT, TUNNEL_OPEN, TUNNEL_REFUSED } state;
    struct loop_fd client, server;
    struct loop_timer limit;
    struct egress_head head;
    struct lookup *lookup; /* NULL: none runs */
    struct in6_addr addresses[EGRESS_ADDRESSES];
    unsigned count, at;
    bool surplus; /* one too many, which is all that it will hear */
    bool client_watched, server_watched, counted;
    struct pipe up, down; /* to the server, to the client */
};
void tunnel_start(struct port *p, int fd); /* takes 'fd' over */
void tunnel_look_up(struct tunnel *t);     /* it waits for that */
void tunnel_close(struct tunnel *t);

/* egress_lookup.c: what 'host' means, on a thread of its own; 'done' with the turn, unless it was forgotten. */
typedef void lookup_done_fn(struct tunnel *t, const struct in6_addr *addresses, unsigned count, const char *why);
struct lookup *lookup_start(struct tunnel *t, lookup_done_fn *done);
void lookup_forget(struct lookup *l); /* it counts as its endpoint's until it has really ended */
const char *lookup_endpoint(const struct list *link);

#endif
