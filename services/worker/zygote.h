/* zygote - the worker's end of one zygote (sandbox/zygote.h): asks it for processes, watches it, starts it again.
 *
 * It is started when it is first needed, or by zygote_wake(). When it dies, whoever waits hears so at once and may ask
 * again: that starts another one. One that dies again and again without having made anything is given a pause first,
 * longer each time, and asking fails meanwhile with its last words.
 *
 * Threads: with the turn.  Memory: an ask is embedded in its owner until it has been answered. */
#ifndef WORKER_ZYGOTE_H
#define WORKER_ZYGOTE_H

#include "asks.h"
#include "base/err.h"

struct loop;
struct sandbox_plan;
struct zygote;

/* 'name' and 'argv' must outlive it. argv[0] is the program; its descriptors and environment are set here. */
struct zygote *zygote_new(struct loop *l, const char *name, char *const *argv, const struct sandbox_plan *plan);
/* Ends the process and waits for it; what was asked is not answered any more, its descriptors are closed. */
void zygote_free(struct zygote *z);

void zygote_wake(struct zygote *z);
void zygote_ask(struct zygote *z, struct zygote_ask *a);
/* For one that cannot even be sent: 'answered' hears why, soon. */
void zygote_refuse(struct zygote *z, struct zygote_ask *a, const char *fmt, ...) PL_PRINTF(3, 4);

#endif
