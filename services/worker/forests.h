/* forests - compiled forests of unpacked models, made once for all who ask at the same time.
 *
 * One compilation per cache item: compile (process) -> placed in the item -> everybody who waits goes on. Whoever waits
 * goes on also when nothing came of it: an instance then says why and goes through the runtime's library. Where that
 * need not be the model's fault (the process was killed, the host had no memory for one), it is tried a few more times,
 * after the second with nobody waiting; instances that start after that have the forest.
 *
 * Threads: with the turn.  Memory: owns compilations and waits; a wait ends with its 'done' or its cancel. */
#ifndef WORKER_FORESTS_H
#define WORKER_FORESTS_H

#include <stdint.h>

struct cache;
struct cache_item;
struct forest_wait;
struct forests;
struct loop;
struct spawner;
struct worker_stats;

/* 'pause_ms': before a run that was killed twice is made again. */
struct forests *forests_new(struct loop *l, struct cache *c, struct spawner *s, const struct worker_stats *stats,
                            int64_t pause_ms);
/* No compilation is left: see forests_shut(). */
void forests_free(struct forests *f);
/* Cancels everything; 'idle' (once) when nothing runs any more. */
void forests_shut(struct forests *f, void (*idle)(void *arg), void *arg);

/* Once, never from inside forests_get(). 'compile_ms' 0: nothing had to be done. */
typedef void forest_done_fn(void *arg, int64_t compile_ms);

/* 'item' is in use by the caller, at least until 'done'. */
struct forest_wait *forests_get(struct forests *f, struct cache_item *item, forest_done_fn *done, void *arg);
/* 'done' is not called any more. The compilation goes on: the next one to ask will need it. */
void forest_wait_cancel(struct forest_wait *w);

#endif
