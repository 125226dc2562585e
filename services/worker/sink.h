/* sink - where fetched bytes go: a file, counted against a limit, with their SHA-256 as they pass.
 * Threads: one at a time, without the turn.  Memory: the caller's struct; the descriptor stays the caller's. */
#ifndef WORKER_SINK_H
#define WORKER_SINK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX 65 /* with the NUL */

struct sink {
    int fd;
    int64_t bytes;
    int64_t limit_bytes;
    struct evp_md_ctx_st *digest;
};

PL_MUST_CHECK enum pl_code sink_open(struct sink *s, int fd, int64_t limit_bytes, struct pl_err *err);
/* Empties the file: another attempt starts over. */
PL_MUST_CHECK enum pl_code sink_restart(struct sink *s, struct pl_err *err);
/* PL_PRECONDITION (ARTIFACT_TOO_LARGE): over the limit. PL_INTERNAL: the disk said no. */
PL_MUST_CHECK enum pl_code sink_write(struct sink *s, const void *bytes, size_t n, struct pl_err *err);
/* Everything is on disk when this returns PL_OK. */
PL_MUST_CHECK enum pl_code sink_finish(struct sink *s, char out_sha256[SHA256_HEX], struct pl_err *err);
void sink_done(struct sink *s);

/* 64 lower-case hex digits. */
bool sha256_valid(const char *s);

#endif
