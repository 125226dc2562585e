/* admin - the operator's HTTP port of a service: /metrics, /healthz, /readyz (libmicrohttpd, its own thread).
 *
 * /healthz answers 200 while the process runs; /readyz 200 or 503 with one reason per line.
 * Threads: 'ready' is called on the HTTP thread and must only read atomics. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/err.h"

struct admin;
struct metrics;

/* 'address' is HOST:PORT. 'ready' returns NULL when the service is ready, else a static text that says why not. */
PL_MUST_CHECK enum pl_code admin_start(struct admin **out, const char *address, struct metrics *m,
                                       const char *(*ready)(void *arg), void *arg, struct pl_err *err);
/* The port that was bound (for ":0"). */
int admin_port(const struct admin *a);
void admin_stop(struct admin *a); /* NULL is fine */

#endif
