/* cache_disk - the cache's folders: lock, layout, start counter, what is there, and removal of trees. All of it blocks.
 * Threads: cache_disk_size() and cache_disk_remove() any; the rest at start. */
#ifndef WORKER_CACHE_DISK_H
#define WORKER_CACHE_DISK_H

#include "base/err.h"

#include <stdint.h>

/* Creates 'dir' when its parent is there, and holds it until '*out_fd' is closed. */
PL_MUST_CHECK enum pl_code cache_disk_lock(const char *dir, int *out_fd, struct pl_err *err);
/* Makes artifact/, unpacked/ and an empty tmp/. */
PL_MUST_CHECK enum pl_code cache_disk_prepare(const char *dir, struct pl_err *err);
/* More than any before it on this folder, and by the clock also on a new one. */
PL_MUST_CHECK enum pl_code cache_disk_next_epoch(const char *dir, int64_t *out_epoch, struct pl_err *err);
/* Calls 'found' for each entry of dir/folder with the size of its whole tree. */
PL_MUST_CHECK enum pl_code cache_disk_scan(const char *dir, const char *folder,
                                           void (*found)(void *arg, const char *name, int64_t bytes,
                                                         int64_t modified_ms),
                                           void *arg, struct pl_err *err);
/* Bytes of the files in a tree. */
int64_t cache_disk_size(const char *path);
/* A file or a tree, following no link; what cannot be removed stays. */
void cache_disk_remove(const char *path);
/* What is in the folder goes, and the folder stays. */
void cache_disk_empty(const char *path);

#endif
