/* How things get into the cache: written in tmp/ under a name of nobody's, then renamed to their place. */
#include "cache_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum pl_code cache_failed(struct pl_err *err, const char *what, const char *path)
{
    return pl_fail_reason(err, PL_INTERNAL, "CACHE_FAILED", NULL, "cannot %s '%.300s': %s", what, path,
                          strerror(errno));
}

enum pl_code cache_new_file(struct cache *c, char out_path[PATH_MAX], int *out_fd, struct pl_err *err)
{
    int fd;

    cache_new_name(c, out_path);
    fd = open(out_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return cache_failed(err, "create", out_path);
    *out_fd = fd;
    return PL_OK;
}

enum pl_code cache_new_dir(struct cache *c, char out_path[PATH_MAX], int *out_fd, struct pl_err *err)
{
    int fd;

    cache_new_name(c, out_path);
    if (mkdir(out_path, 0700) != 0)
        return cache_failed(err, "create", out_path);
    fd = open(out_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        (void)cache_failed(err, "open", out_path);
        (void)rmdir(out_path);
        return err->code;
    }
    *out_fd = fd;
    return PL_OK;
}

enum pl_code cache_put_artifact(struct cache *c, const char *path, const char *sha256, int64_t bytes,
                                struct pl_err *err)
{
    struct cache_item *item = cache_find_or_add(c, sha256);
    pl_cleanup(pl_free_p) char *to = cache_path_of(c, "artifact", sha256);

    item->used_ms = pl_wall_ms();
    if (item->artifact_bytes > 0) {
        cache_drop(c, path);
        return PL_OK;
    }
    if (rename(path, to) != 0) {
        (void)cache_failed(err, "place", to);
        cache_forget_if_empty(item);
        return err->code;
    }
    item->artifact_bytes = bytes > 0 ? bytes : 1;
    c->bytes += item->artifact_bytes;
    cache_shrink(c, item);
    return PL_OK;
}

enum pl_code cache_put_unpacked(struct cache *c, const char *path, const char *sha256, int64_t bytes,
                                struct cache_item **out, struct pl_err *err)
{
    struct cache_item *item = cache_find_or_add(c, sha256);

    if (item->unpacked_bytes > 0) {
        cache_drop(c, path);
    } else {
        if (rename(path, item->dir) != 0) {
            (void)cache_failed(err, "place", item->dir);
            cache_forget_if_empty(item);
            return err->code;
        }
        item->unpacked_bytes = bytes > 0 ? bytes : 1;
        c->bytes += item->unpacked_bytes;
    }
    *out = cache_take_item(item);
    cache_shrink(c, item);
    return PL_OK;
}
