/* artifacts - from a URI to an unpacked folder in the cache, once for all who ask at the same time.
 *
 * One flight per URI that is being fetched: fetch (job) -> digest known -> unpack (process) -> placed -> everybody who
 * waits gets a use of it. Who pinned a digest gets only that content: the URI is where the bytes come from, the digest
 * is what they are. What is in the cache already as an archive is unpacked without fetching.
 *
 * A source that dribbles keeps its flight for as long as fetch_timeout allows. So ARTIFACTS_FETCHES are on their way at
 * a time, each on a thread of its own, the others wait in line, and other jobs have ARTIFACTS_OTHER_JOBS threads
 * besides.
 *
 * Threads: with the turn.  Memory: owns flights and waits; a wait ends with its 'done' or its cancel. */
#ifndef WORKER_ARTIFACTS_H
#define WORKER_ARTIFACTS_H

#include "base/err.h"
#include "fetch.h"

#include <stdint.h>

struct artifact_wait;
struct artifacts;
struct cache;
struct cache_item;
struct loop;
struct spawner;

#define ARTIFACTS_FETCHES    16
#define ARTIFACTS_OTHER_JOBS 4

struct artifacts_options {
    struct fetch_options fetch;
    int64_t unpacked_limit_bytes;
    int64_t unpack_timeout_ms;
};

struct artifacts *artifacts_new(struct loop *l, struct cache *c, struct spawner *s, const struct artifacts_options *o);
/* No flight is left: see artifacts_idle(). */
void artifacts_free(struct artifacts *a);
/* Cancels everything; 'idle' (once) when nothing runs any more. */
void artifacts_shut(struct artifacts *a, void (*idle)(void *arg), void *arg);

struct artifact_times {
    int64_t fetch_ms, unpack_ms, compile_ms; /* 0: was here already */
    int64_t artifact_bytes;
};
/* Once, never from inside artifacts_get(). On success 'item' is one use, the receiver's to give back. */
typedef void artifact_done_fn(void *arg, struct cache_item *item, const struct artifact_times *times,
                              const struct pl_err *err);

/* 'sha256' "" = whatever the URI holds now; that always asks the source. */
struct artifact_wait *artifacts_get(struct artifacts *a, const char *uri, const char *sha256, artifact_done_fn *done,
                                    void *arg);
/* 'done' is not called any more. The flight ends when nobody waits for it. */
void artifact_wait_cancel(struct artifact_wait *w);

#endif
