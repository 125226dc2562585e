/* snapshot - what is to be served, on disk, and the number of this start of the router.
 *
 * The file is replaced as a whole (written beside, synced, renamed) and carries its length and checksum: a torn or
 * foreign one is told and not believed. Who writes hears when it is there: only then is control told that a version has
 * been applied, so that what anybody was told is in service outlives a kill. Beside it, in FILE.epoch, is the router's
 * epoch, which grows with each start; without a file it is the wall clock in milliseconds. Threads: with the turn; the
 * disk is written by a job of the loop, the newest state only.  Memory: owned. */
#ifndef ROUTER_SNAPSHOT_H
#define ROUTER_SNAPSHOT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct snapshot;

struct snapshot_options {
    struct loop *loop;
    const char *path; /* "" = no file: nothing is read or written */
    /* That 'version', or a later one, has been written; or, not ok, could not be, which has been logged. */
    void (*written)(void *arg, int64_t version, bool ok);
    void *arg;
};
struct snapshot *snapshot_new(const struct snapshot_options *o);
/* Not while snapshot_writing(). NULL is fine. */
void snapshot_free(struct snapshot *s);

/* A number larger than those of all starts before; on disk when this returns. Blocks: at start only. */
PL_MUST_CHECK enum pl_code snapshot_next_epoch(struct snapshot *s, int64_t *out_epoch, struct pl_err *err);

/* The content, the caller's to free(). PL_NOT_FOUND: there is none. PL_DATA_LOSS: it is torn. Blocks: at start only. */
PL_MUST_CHECK enum pl_code snapshot_read(struct snapshot *s, void **out, size_t *out_len, struct pl_err *err);

/* Takes 'bytes' (from malloc) over. written() follows, unless newer ones come before: then once for all of them. Without
 * a file it is called from in here. */
void snapshot_write(struct snapshot *s, void *bytes, size_t len, int64_t version);
bool snapshot_writing(const struct snapshot *s);

#endif
