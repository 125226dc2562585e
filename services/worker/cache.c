#include "cache.h"

#include "cache_private.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "cache_disk.h"
#include "log/log.h"
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A start costs no write to the file system but once in so long. */
#define NOTE_EVERY_MS 60000

/* ---- items ---- */

struct cache_item *cache_find(struct cache *c, const char *sha256)
{
    struct cache_item *item = NULL;

    HASH_FIND_STR(c->items, sha256, item);
    return item;
}

struct cache_item *cache_find_or_add(struct cache *c, const char *sha256)
{
    struct cache_item *item = cache_find(c, sha256);

    if (item)
        return item;
    assert(sha256_valid(sha256));
    item = PL_NEW(struct cache_item);
    item->cache = c;
    memcpy(item->sha256, sha256, SHA256_HEX);
    item->dir = pl_format("%s/unpacked/%s", c->dir, sha256);
    HASH_ADD_STR(c->items, sha256, item);
    return item;
}

void cache_forget_if_empty(struct cache_item *item)
{
    if (item->artifact_bytes > 0 || item->unpacked_bytes > 0 || item->uses > 0)
        return;
    HASH_DEL(item->cache->items, item);
    free(item->dir);
    free(item);
}

char *cache_path_of(const struct cache *c, const char *folder, const char *name)
{
    return pl_format("%s/%s/%s", c->dir, folder, name);
}

void cache_new_name(struct cache *c, char out_path[PATH_MAX])
{
    char name[32];

    pl_random_id("t-", name, sizeof(name));
    (void)snprintf(out_path, PATH_MAX, "%s/tmp/%s", c->dir, name);
}

/* ---- removal ---- */

struct removal {
    struct loop_job job;
    struct cache *cache;
    char *path;
};

static void removal_work(struct loop_job *j)
{
    struct removal *r = PL_CONTAINER(j, struct removal, job);

    cache_disk_remove(r->path);
}

static void removal_done(struct loop_job *j)
{
    struct removal *r = PL_CONTAINER(j, struct removal, job);

    r->cache->removals--;
    free(r->path);
    free(r);
}

void cache_drop(struct cache *c, const char *path)
{
    struct removal *r = PL_NEW(struct removal);

    r->cache = c;
    r->path = pl_strdup(path);
    c->removals++;
    r->job.work = removal_work;
    r->job.done = removal_done;
    loop_job(c->loop, &r->job);
}

/* Out of sight at once, off the disk soon. */
static void evict_path(struct cache *c, const char *folder, const char *sha256)
{
    pl_cleanup(pl_free_p) char *from = cache_path_of(c, folder, sha256);
    char to[PATH_MAX];

    cache_new_name(c, to);
    if (rename(from, to) == 0)
        cache_drop(c, to);
    else if (errno != ENOENT)
        log_warn("cache_evict_failed", LOG_STR("path", from), LOG_STR("error", strerror(errno)));
    log_info("cache_evicted", LOG_STR("what", folder), LOG_STR("sha256", sha256));
}

static void evict_artifact(struct cache_item *item)
{
    item->cache->bytes -= item->artifact_bytes;
    item->artifact_bytes = 0;
    evict_path(item->cache, "artifact", item->sha256);
}

static void evict_unpacked(struct cache_item *item)
{
    assert(item->uses == 0);
    item->cache->bytes -= item->unpacked_bytes;
    item->unpacked_bytes = 0;
    item->compiled = false;
    evict_path(item->cache, "unpacked", item->sha256);
}

/* The archive of something that is unpacked too is the cheapest loss; then what nobody uses. */
static struct cache_item *worst(struct cache *c, const struct cache_item *keep, bool archives)
{
    struct cache_item *item, *next, *oldest = NULL;

    HASH_ITER(hh, c->items, item, next)
    {
        bool candidate =
            archives ? item->artifact_bytes > 0 && item->unpacked_bytes > 0 : item->uses == 0 && item != keep;

        if (candidate && (!oldest || item->used_ms < oldest->used_ms))
            oldest = item;
    }
    return oldest;
}

void cache_shrink(struct cache *c, const struct cache_item *keep)
{
    struct cache_item *item;

    while (c->bytes > c->limit_bytes && (item = worst(c, keep, true)))
        evict_artifact(item);
    while (c->bytes > c->limit_bytes && (item = worst(c, keep, false))) {
        if (item->artifact_bytes > 0)
            evict_artifact(item);
        if (item->unpacked_bytes > 0)
            evict_unpacked(item);
        cache_forget_if_empty(item);
    }
}

int64_t cache_room(const struct cache *c)
{
    int64_t held = 0;

    for (const struct cache_item *item = c->items; item; item = item->hh.next)
        if (item->uses > 0)
            held += item->unpacked_bytes;
    return c->limit_bytes > held ? c->limit_bytes - held : 0;
}

/* ---- take and give ---- */

struct cache_item *cache_ref(struct cache_item *item)
{
    item->uses++;
    return item;
}

/* The folder's time is for the next start of the worker: what it does not know of the last minute does no harm, nor
 * does a failure. */
struct cache_item *cache_take_item(struct cache_item *item)
{
    item->used_ms = pl_wall_ms();
    if (item->used_ms - item->noted_ms >= NOTE_EVERY_MS || item->used_ms < item->noted_ms) {
        item->noted_ms = item->used_ms;
        (void)utimensat(AT_FDCWD, item->dir, NULL, 0);
    }
    return cache_ref(item);
}

struct cache_item *cache_take(struct cache *c, const char *sha256)
{
    struct cache_item *item = cache_find(c, sha256);
    struct stat st;

    if (!item || item->unpacked_bytes == 0)
        return NULL;
    if (stat(item->dir, &st) == 0)
        return cache_take_item(item);
    /* Somebody cleaned up behind our back: fetch it again. */
    log_warn("cache_entry_lost", LOG_STR("path", item->dir), LOG_STR("error", strerror(errno)));
    c->bytes -= item->unpacked_bytes;
    item->unpacked_bytes = 0;
    item->compiled = false;
    cache_forget_if_empty(item);
    return NULL;
}

void cache_give(struct cache_item *item)
{
    if (!item)
        return;
    assert(item->uses > 0);
    item->uses--;
    cache_shrink(item->cache, item);
    cache_forget_if_empty(item);
}

const char *cache_item_dir(const struct cache_item *item)
{
    return item->dir;
}

const char *cache_item_sha256(const struct cache_item *item)
{
    return item->sha256;
}

int64_t cache_item_unpacked_bytes(const struct cache_item *item)
{
    return item->unpacked_bytes;
}

int64_t cache_item_artifact_bytes(const struct cache_item *item)
{
    return item->artifact_bytes;
}

int64_t cache_epoch(const struct cache *c)
{
    return c->epoch;
}

bool cache_removing(const struct cache *c)
{
    return c->removals > 0;
}

char *cache_models_dir(const struct cache *c)
{
    return pl_format("%s/unpacked", c->dir);
}

int64_t cache_bytes(const struct cache *c)
{
    return c->bytes;
}

int cache_open_artifact(struct cache *c, const char *sha256, int64_t *out_bytes)
{
    struct cache_item *item = cache_find(c, sha256);
    pl_cleanup(pl_free_p) char *path = NULL;
    int fd;

    if (!item || item->artifact_bytes == 0)
        return -1;
    path = cache_path_of(c, "artifact", sha256);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        item->used_ms = pl_wall_ms();
        *out_bytes = item->artifact_bytes;
        return fd;
    }
    c->bytes -= item->artifact_bytes;
    item->artifact_bytes = 0;
    cache_forget_if_empty(item);
    return -1;
}

int64_t cache_item_instance_bytes(const struct cache_item *item)
{
    return item->instance_bytes;
}

void cache_item_learn(struct cache_item *item, int64_t instance_bytes)
{
    if (instance_bytes > item->instance_bytes)
        item->instance_bytes = instance_bytes;
}

/* ---- open and close ---- */

static void found_artifact(void *arg, const char *name, int64_t bytes, int64_t modified_ms)
{
    struct cache *c = arg;
    struct cache_item *item;

    if (!sha256_valid(name))
        return;
    item = cache_find_or_add(c, name);
    item->artifact_bytes = bytes > 0 ? bytes : 1;
    item->used_ms = item->used_ms > modified_ms ? item->used_ms : modified_ms;
    c->bytes += item->artifact_bytes;
}

static void found_unpacked(void *arg, const char *name, int64_t bytes, int64_t modified_ms)
{
    struct cache *c = arg;
    struct cache_item *item;

    if (!sha256_valid(name))
        return;
    item = cache_find_or_add(c, name);
    item->unpacked_bytes = bytes > 0 ? bytes : 1;
    item->used_ms = modified_ms;
    c->bytes += item->unpacked_bytes;
}

static enum pl_code open_all(struct cache *c, struct pl_err *err)
{
    if (cache_disk_lock(c->dir, &c->lock_fd, err) != PL_OK || cache_disk_prepare(c->dir, err) != PL_OK ||
        cache_disk_next_epoch(c->dir, &c->epoch, err) != PL_OK ||
        cache_disk_scan(c->dir, "unpacked", found_unpacked, c, err) != PL_OK ||
        cache_disk_scan(c->dir, "artifact", found_artifact, c, err) != PL_OK)
        return err->code;
    cache_shrink(c, NULL);
    return PL_OK;
}

enum pl_code cache_open(struct cache **out, struct loop *l, const char *dir, int64_t limit_bytes, struct pl_err *err)
{
    struct cache *c = PL_NEW(struct cache);

    c->loop = l;
    c->dir = pl_strdup(dir);
    c->limit_bytes = limit_bytes;
    c->lock_fd = -1;
    if (open_all(c, err) != PL_OK) {
        cache_close(c);
        return err->code;
    }
    *out = c;
    return PL_OK;
}

void cache_close(struct cache *c)
{
    struct cache_item *item, *next;

    if (!c)
        return;
    assert(c->removals == 0);
    HASH_ITER(hh, c->items, item, next)
    {
        assert(item->uses == 0);
        HASH_DEL(c->items, item);
        free(item->dir);
        free(item);
    }
    pl_close_p(&c->lock_fd);
    free(c->dir);
    free(c);
}
