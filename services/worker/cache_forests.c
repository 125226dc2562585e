/* Compiled forests in the cache: a folder inside the unpacked artifact (layout/forest_folder.h), and part of its size.
 */
#include "cache_private.h"

#include "base/mem.h"
#include "base/text.h"
#include "cache_disk.h"
#include "layout/forest_folder.h"
#include "log/log.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_REBUILDS 3 /* of a model's forests, while the worker runs */

bool cache_item_compiled(struct cache_item *item)
{
    pl_cleanup(pl_free_p) char *path = item->compiled ? NULL : pl_format("%s/" FOREST_FOLDER, item->dir);

    item->compiled = item->compiled || access(path, F_OK) == 0;
    return item->compiled;
}

void cache_item_set_compiled(struct cache_item *item)
{
    item->compiled = true;
}

/* Those of other versions of the format: nobody reads them any more. */
static void drop_old_forests(struct cache_item *item)
{
    DIR *dir = opendir(item->dir);
    const struct dirent *e;

    while (dir && (e = readdir(dir))) {
        pl_cleanup(pl_free_p) char *from = pl_format("%s/%s", item->dir, e->d_name);
        char to[PATH_MAX];

        if (strncmp(e->d_name, FOREST_FOLDER_PREFIX, strlen(FOREST_FOLDER_PREFIX)) != 0 ||
            strcmp(e->d_name, FOREST_FOLDER) == 0)
            continue;
        cache_new_name(item->cache, to);
        if (rename(from, to) == 0)
            cache_drop(item->cache, to);
    }
    if (dir)
        (void)closedir(dir);
}

enum pl_code cache_put_forests(struct cache_item *item, const char *path, int64_t bytes, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *to = pl_format("%s/" FOREST_FOLDER, item->dir);

    assert(item->uses > 0);
    drop_old_forests(item);
    if (rename(path, to) != 0)
        return cache_failed(err, "place", to);
    item->compiled = true;
    item->unpacked_bytes += bytes;
    item->cache->bytes += bytes;
    cache_shrink(item->cache, item);
    return PL_OK;
}

void cache_drop_forests(struct cache_item *item)
{
    pl_cleanup(pl_free_p) char *from = pl_format("%s/" FOREST_FOLDER, item->dir);
    int64_t bytes = cache_disk_size(from); /* a few files */
    char to[PATH_MAX];

    log_warn("forest_damaged", LOG_STR("sha256", item->sha256), LOG_BOOL("again", item->rebuilds < MAX_REBUILDS));
    if (item->rebuilds++ >= MAX_REBUILDS)
        return;
    cache_new_name(item->cache, to);
    if (rename(from, to) != 0)
        return;
    cache_drop(item->cache, to);
    item->compiled = false;
    bytes = bytes < item->unpacked_bytes ? bytes : item->unpacked_bytes - 1;
    item->unpacked_bytes -= bytes;
    item->cache->bytes -= bytes;
}
