/* lending - lends the sockets of instances to routers on this machine, so that their requests need no hop through us.
 *
 * A router connects to a unix socket (courier.h, lending.proto; mode 0600, the same user only), says who it is, and
 * gets a socket to each of its instances: those it has, and from then on each that becomes ready or free. What we would
 * see of a request it tells: that an instance must die, and whose a printed line is. When it goes, its instances are
 * taken back, and the next one gets new sockets.
 *
 * Threads: with the turn.  Memory: owns its connections. */
#ifndef WORKER_LENDING_H
#define WORKER_LENDING_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct instance;
struct instances;
struct lending;
struct loop;
struct routers;

struct lending_options {
    const char *path; /* "" = lends nothing */
    struct instances *instances;
    struct routers *routers;
    const char *host_id; /* lives as long */
    int64_t host_epoch;
};

/* PL_UNAVAILABLE: cannot listen there, and why. */
PL_MUST_CHECK enum pl_code lending_start(struct lending **out, struct loop *l, const struct lending_options *o,
                                         struct pl_err *err);
/* Nobody new is lent anything. */
void lending_shut(struct lending *l);
void lending_free(struct lending *l); /* NULL is fine */

/* For routers to know; "" = none. */
const char *lending_path(const struct lending *l);
/* Routers that are connected. */
unsigned lending_borrowers(const struct lending *l);
/* This router will borrow what is started for it. */
bool lending_to(const struct lending *l, const char *router_id);

/* An idle instance that is not lent; harmless when its router is not connected. */
void lending_offer(struct lending *l, struct instance *in);
/* Of one that is lent: it has printed something; it is dead. */
void lending_prints(struct lending *l, struct instance *in);
void lending_ended(struct lending *l, struct instance *in, const char *reason);

#endif
