/* cache_private - what cache.c, cache_place.c and cache_forests.c share: an item, the table of them, and how they are
 * found, named and let go. */
#ifndef WORKER_CACHE_PRIVATE_H
#define WORKER_CACHE_PRIVATE_H

#include "cache.h"

#include <uthash.h>

/* One content: its artifact, its unpacked form, or both. It exists as long as either is on disk. */
struct cache_item {
    struct cache *cache;
    char sha256[SHA256_HEX];
    char *dir;              /* of the unpacked form, whether it is there or not */
    int64_t artifact_bytes; /* 0: not here */
    int64_t unpacked_bytes; /* 0: not here */
    bool compiled;          /* as far as it will be */
    unsigned rebuilds;
    int64_t instance_bytes; /* learned */
    unsigned uses;
    int64_t used_ms;  /* wall clock, as the file system keeps it */
    int64_t noted_ms; /* when its folder was last told */
    UT_hash_handle hh;
};

struct cache {
    struct loop *loop;
    char *dir;
    int64_t limit_bytes, bytes;
    int lock_fd;
    int64_t epoch;
    unsigned removals;        /* jobs under way */
    struct cache_item *items; /* uthash by sha256 */
};

struct cache_item *cache_find(struct cache *c, const char *sha256); /* NULL: nothing of it is here */
struct cache_item *cache_find_or_add(struct cache *c, const char *sha256);
/* Of which nothing is here, and which nobody uses. */
void cache_forget_if_empty(struct cache_item *item);
/* In use once more, as of now. */
struct cache_item *cache_take_item(struct cache_item *item);
/* Down to the limit, as far as use allows; 'keep' (NULL: none) stays. */
void cache_shrink(struct cache *c, const struct cache_item *keep);

char *cache_path_of(const struct cache *c, const char *folder, const char *name);
void cache_new_name(struct cache *c, char out_path[PATH_MAX]); /* in tmp/ */
/* cache_place.c: says what could not be done, by errno. */
enum pl_code cache_failed(struct pl_err *err, const char *what, const char *path);

#endif
