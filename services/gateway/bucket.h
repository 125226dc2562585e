/* bucket - the built-in artifact buckets: objects as files, an index of them in memory.
 *
 *     DIR/BUCKET/SHA256-OF-KEY.obj   the object's bytes, then its description (bucket_file.h); written beside, synced,
 *                                    and renamed into place, so that an object is there as a whole or not at all
 *     DIR/.new/                      what is being written, parts of multipart uploads too; emptied at start
 *
 * Names of files never come from a request: a key is hashed. The index is read from the files at start and is what
 * lists, HEAD and look-ups use. Threads: with the turn, except where it says "any". Files are read and written in jobs.
 * Limits (settings s3.*): bytes of all objects, of one object, space left on the disk; BUCKET_OBJECTS_MAX objects. */
#ifndef GATEWAY_BUCKET_H
#define GATEWAY_BUCKET_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_OBJECTS_MAX 200000
#define BUCKETS_MAX        1000
#define BUCKET_KEY_MAX     1024

struct bucket;
struct bucket_store;
struct gateway_config;
struct loop;
struct s3_uploads;

struct bucket_object {
    char *key;
    char *etag; /* without quotes */
    char *content_type;
    json_t *headers; /* what GET and HEAD answer beside: x-amz-meta-..., Content-Encoding, ... */
    int64_t size, modified_ms;
};
void bucket_object_done(struct bucket_object *o);

/* PL_PRECONDITION: the folder cannot be made or read. Blocks. */
PL_MUST_CHECK enum pl_code bucket_store_open(struct bucket_store **out, struct loop *l,
                                             const struct gateway_config *config, struct pl_err *err);
void bucket_store_close(struct bucket_store *s);            /* NULL is fine */
const char *bucket_store_dir(const struct bucket_store *s); /* any thread */
const struct gateway_config *bucket_store_config(const struct bucket_store *s);
struct loop *bucket_store_loop(const struct bucket_store *s);
/* The multipart uploads (s3_uploads.h). */
struct s3_uploads *bucket_store_uploads(const struct bucket_store *s);

/* Bytes are charged before they are written. False: over s3.total_bytes. */
bool bucket_charge(struct bucket_store *s, int64_t bytes);
void bucket_refund(struct bucket_store *s, int64_t bytes);

/* ---- buckets ---- */
bool bucket_name_valid(const char *name);   /* 3..63 of a-z 0-9 . -, a letter or digit at both ends, no two dots */
bool bucket_name_allowed(const char *name); /* for a new one: no address, and none of the names that S3 reserves */
struct bucket *bucket_find(struct bucket_store *s, const char *name); /* NULL: none */
PL_MUST_CHECK enum pl_code bucket_create(struct bucket_store *s, const char *name, struct pl_err *err);
/* PL_PRECONDITION: not empty. */
PL_MUST_CHECK enum pl_code bucket_delete(struct bucket_store *s, const char *name, struct pl_err *err);
size_t bucket_store_count(const struct bucket_store *s);
struct bucket *bucket_store_at(const struct bucket_store *s, size_t i); /* by name */
const char *bucket_name(const struct bucket *b);
int64_t bucket_created_ms(const struct bucket *b);

/* ---- objects ---- */
size_t bucket_count(const struct bucket *b);
const struct bucket_object *bucket_at(const struct bucket *b, size_t i); /* by key, in byte order */
size_t bucket_seek(const struct bucket *b, const char *key);             /* the first that is not before 'key' */
const struct bucket_object *bucket_get(const struct bucket *b, const char *key); /* NULL: none */
/* Path of the object's file; the caller frees it. */
char *bucket_object_path(const struct bucket_store *s, const char *bucket, const char *key);
/* A new path in DIR/.new; the caller frees it. Any thread. */
char *bucket_new_path(const struct bucket_store *s);
/* Renames a finished file into place and takes 'o' over. Its bytes have been charged; those of one that it replaces are
 * given back. PL_NOT_FOUND: the bucket has gone. PL_EXHAUSTED: BUCKET_OBJECTS_MAX. */
PL_MUST_CHECK enum pl_code bucket_commit(struct bucket_store *s, const char *bucket, const char *path,
                                         struct bucket_object *o, struct pl_err *err);
/* False: it was not there. */
bool bucket_remove(struct bucket_store *s, struct bucket *b, const char *key);

#endif
