/* routers - who asks this host for instances: each router by its id, with the newest epoch that has been seen of it,
 * and since when it does not watch.
 *
 * Several routers may share a host. Each has instances of its own, hears of those only and stops those only; the
 * instances of one that does not watch any more go to the next that comes. Epochs order the processes of one router:
 * what an older one still asks for is not wanted any more.
 *
 * Threads: with the turn.  Memory: owns its entries, ROUTERS_MAX at most: those that left first are forgotten first. */
#ifndef WORKER_ROUTERS_H
#define WORKER_ROUTERS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUTERS_MAX 1000

struct routers;

struct routers *routers_new(void);
void routers_free(struct routers *r); /* NULL is fine */

/* Anything that a router asks for. PL_PRECONDITION (STALE_EPOCH): a newer process of that id has been here.
 * PL_EXHAUSTED: there are too many that watch. */
PL_MUST_CHECK enum pl_code routers_admit(struct routers *r, const char *id, int64_t epoch, struct pl_err *err);

/* One stream of it more, after routers_admit(); one less. */
void routers_came(struct routers *r, const char *id);
void routers_left(struct routers *r, const char *id);

bool routers_watching(const struct routers *r, const char *id);
/* How long it has not been watching; 0 while it is; INT64_MAX for one that is not known. */
int64_t routers_away_ms(const struct routers *r, const char *id);

#endif
