/* s3_sink - a body on its way into a file: collected with the turn, written and digested on a job thread.
 *
 * Two buffers: one is filled while the other is written. When both are full the body is paused. Ends in exactly one
 * 'finished' (after s3_sink_end() or an error), unless it is dropped first. Threads: with the turn.
 * Bytes are charged to the store as they come and given back when the sink is dropped or fails. */
#ifndef GATEWAY_S3_SINK_H
#define GATEWAY_S3_SINK_H

#include "bucket.h"
#include "s3_checksum.h"

struct s3_sink;

/* What the client said of its bytes; each NULL or "" when it said nothing. */
struct s3_expected {
    const char *sha256;   /* hex */
    const char *md5;      /* base64 */
    const char *checksum; /* base64, of the kind given to s3_sink_new() */
};

struct s3_sink_hooks {
    void (*writable)(void *arg); /* after s3_sink_write() has taken less than all */
    /* PL_INVALID with reason BAD_DIGEST or BAD_SHA256; PL_EXHAUSTED with reason OBJECT_TOO_LARGE or STORAGE. */
    void (*finished)(void *arg, const struct pl_err *status);
    void *arg;
};

/* 'path' is consumed. 'limit': most bytes. */
struct s3_sink *s3_sink_new(struct bucket_store *s, char *path, int64_t limit, enum s3_checksum_kind kind, bool sha256,
                            const struct s3_sink_hooks *hooks);
/* Returns how much was taken; -1 after an error, of which 'finished' tells. */
ssize_t s3_sink_write(struct s3_sink *k, const char *bytes, size_t n);
/* Whether s3_sink_write() would take all of 'n' bytes; when not, 'writable' tells when to ask again. */
bool s3_sink_has_room(struct s3_sink *k, size_t n);
/* All is there. With 'o' (its key, type and headers; consumed) the file is finished as an object's. */
void s3_sink_end(struct s3_sink *k, const struct s3_expected *expected, struct bucket_object *o);
/* After 'finished' with PL_OK: 'o' with its size, etag and time. */
struct bucket_object *s3_sink_object(struct s3_sink *k);
/* After 'finished' with PL_OK. */
int64_t s3_sink_size(const struct s3_sink *k);
const char *s3_sink_md5(const struct s3_sink *k); /* hex */
const char *s3_sink_path(const struct s3_sink *k);
/* The file and its charge are the caller's now. */
void s3_sink_keep(struct s3_sink *k);
/* At any time; frees it, and removes the file unless it is kept. No hook is called any more. NULL is fine. */
void s3_sink_drop(struct s3_sink *k);

#endif
