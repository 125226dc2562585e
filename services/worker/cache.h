/* cache - artifacts of this host by content, on disk, within a limit.
 *
 *     cache_dir/lock               held while a worker uses the folder
 *     cache_dir/epoch              start counter of the host (host_epoch)
 *     cache_dir/artifact/SHA256    as fetched
 *     cache_dir/unpacked/SHA256/   as unpacked: what instances load; in it, a folder of what was compiled of it
 *     cache_dir/tmp/...            being fetched, unpacked or removed; emptied at start
 *
 * Things appear in artifact/ and unpacked/ by rename, complete and synced, and leave by rename to tmp/; so whatever is
 * there after a crash is whole, and whatever is in tmp/ is rubbish. There is no index to repair: the folders are it.
 *
 * Least recently used goes first: a folder's modification time is when an instance last took it, also after a restart.
 * What is in use is never removed.
 *
 * Threads: with the turn; renames and look-ups only. Removing a tree is a loop_job.  Memory: owns its items. */
#ifndef WORKER_CACHE_H
#define WORKER_CACHE_H

#include "base/err.h"
#include "sink.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct cache;
struct cache_item; /* an unpacked artifact; in use from take to give */

/* Creates the folders, cleans up, reads what is there. PL_PRECONDITION: another worker holds it, or it cannot be
 * written. */
PL_MUST_CHECK enum pl_code cache_open(struct cache **out, struct loop *l, const char *dir, int64_t limit_bytes,
                                      struct pl_err *err);
/* Everything taken must have been given back, and nothing is being removed. NULL is fine. */
void cache_close(struct cache *c);

/* Grows with each start of the worker on this folder. */
int64_t cache_epoch(const struct cache *c);
int64_t cache_bytes(const struct cache *c);
/* The folder in which all cache_item_dir()s lie; the caller's to free. */
char *cache_models_dir(const struct cache *c);
bool cache_removing(const struct cache *c);

/* The unpacked artifact, counted as in use until cache_give(); NULL when it is not here. */
struct cache_item *cache_take(struct cache *c, const char *sha256);
struct cache_item *cache_ref(struct cache_item *item);
void cache_give(struct cache_item *item);
const char *cache_item_dir(const struct cache_item *item);
const char *cache_item_sha256(const struct cache_item *item);
int64_t cache_item_unpacked_bytes(const struct cache_item *item); /* with what was compiled of it */
int64_t cache_item_artifact_bytes(const struct cache_item *item); /* 0: evicted, only the unpacked form is here */

/* The artifact as fetched, opened to read; -1 when it is not here. */
int cache_open_artifact(struct cache *c, const char *sha256, int64_t *out_bytes);

/* A new file to fetch into, or an empty folder to unpack into; 'out_path' names it for cache_put_*() or cache_drop().
 */
PL_MUST_CHECK enum pl_code cache_new_file(struct cache *c, char out_path[PATH_MAX], int *out_fd, struct pl_err *err);
PL_MUST_CHECK enum pl_code cache_new_dir(struct cache *c, char out_path[PATH_MAX], int *out_fd, struct pl_err *err);
/* Removes what cache_new_*() made; in a job. */
void cache_drop(struct cache *c, const char *path);

/* Places what is complete and synced at 'path'; when that content is here already, 'path' is dropped. May evict others.
 */
PL_MUST_CHECK enum pl_code cache_put_artifact(struct cache *c, const char *path, const char *sha256, int64_t bytes,
                                              struct pl_err *err);
/* The same, and takes it. */
PL_MUST_CHECK enum pl_code cache_put_unpacked(struct cache *c, const char *path, const char *sha256, int64_t bytes,
                                              struct cache_item **out, struct pl_err *err);

/* What an instance of it has been seen to use of its own, at most, since this worker started; 0 = none has been. */
int64_t cache_item_instance_bytes(const struct cache_item *item);
void cache_item_learn(struct cache_item *item, int64_t instance_bytes);

/* Has its model been compiled (layout/forest_folder.h) by this version of the format, or has that been given up? */
bool cache_item_compiled(struct cache_item *item);
/* Gives it up, until the next start of the worker. */
void cache_item_set_compiled(struct cache_item *item);
/* Places the folder of compiled forests, complete and synced at 'path', in the item, which is in use. */
PL_MUST_CHECK enum pl_code cache_put_forests(struct cache_item *item, const char *path, int64_t bytes,
                                             struct pl_err *err);

/* They turned out to be damaged: out of sight, so that they are compiled again. Not as often as one likes: it is an
 * instance that says so. */
void cache_drop_forests(struct cache_item *item);

/* What could still be placed if everything unused went: bytes. */
int64_t cache_room(const struct cache *c);

#endif
