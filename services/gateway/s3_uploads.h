/* s3_uploads - multipart uploads that are open: their parts as files, and what makes one object of them.
 *
 * Kept in memory only: a gateway that is started again has forgotten them and their files (bucket.h), and clients begin
 * anew. Limits: s3.uploads open at once, S3_PARTS_MAX parts, s3.upload_age. Threads: with the turn. */
#ifndef GATEWAY_S3_UPLOADS_H
#define GATEWAY_S3_UPLOADS_H

#include "bucket.h"

#define S3_PARTS_MAX 10000

struct s3_uploads;
struct s3_upload;

struct s3_uploads *s3_uploads_new(void);
void s3_uploads_free(struct bucket_store *s, struct s3_uploads *u); /* with the files; NULL is fine */

/* 'o' (key, type, headers) is consumed on success. PL_EXHAUSTED: s3.uploads. '*out_id' lives as long as the upload. */
PL_MUST_CHECK enum pl_code s3_uploads_create(struct bucket_store *s, const char *bucket, struct bucket_object *o,
                                             const char **out_id, struct pl_err *err);
/* NULL: there is none of that id for that bucket and key. */
struct s3_upload *s3_uploads_find(struct bucket_store *s, const char *id, const char *bucket, const char *key);
/* Takes the file over, and its charge; replaces one of the same number. PL_NOT_FOUND: the upload has gone. */
PL_MUST_CHECK enum pl_code s3_uploads_add_part(struct bucket_store *s, const char *id, int number, const char *path,
                                               int64_t size, const char *md5_hex, struct pl_err *err);
void s3_uploads_abort(struct bucket_store *s, struct s3_upload *u);

struct s3_part {
    int number;
    char etag[36];
};
/* Joins the named parts, on a job thread, into one object and puts it in place; 'done(arg)' once, later, with its ETag
 * or an error (PL_INVALID with reason INVALID_PART or INVALID_PART_ORDER comes at once). The upload is gone then,
 * unless it failed. */
PL_MUST_CHECK enum pl_code s3_uploads_complete(struct bucket_store *s, struct s3_upload *u, const struct s3_part *parts,
                                               size_t count,
                                               void (*done)(void *arg, const struct pl_err *status, const char *etag),
                                               void *arg, struct pl_err *err);
/* The caller of s3_uploads_complete() has gone: 'done' is not called. */
void s3_uploads_forget(struct bucket_store *s, void *arg);

#endif
