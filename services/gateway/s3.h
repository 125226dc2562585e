/* s3 - the built-in artifact buckets as S3: what a laptop needs so that session.default_bucket(), uploads and
 * `aws s3 cp` work without another service. REST-XML, path style, and virtual-host style below the name s3.host.
 *
 *     api_s3.c      which bucket, key and operation; who may
 *     s3_bucket.c   buckets, lists           s3_put.c     PutObject and UploadPart: streams into an s3_sink
 *     s3_headers.c  what headers ask for beside
 *     s3_get.c      GetObject, HeadObject    s3_upload.c  multipart uploads      s3_delete.c  DeleteObject(s)
 *
 * No versions, no ACLs, no policies, no copies: what asks for them is answered NotImplemented. */
#ifndef GATEWAY_S3_H
#define GATEWAY_S3_H

#include "aws_call.h"
#include "base/err.h"

struct bucket;
struct bucket_object;
struct bucket_store;
struct s3_operation;

struct s3_call {
    const struct s3_operation *operation;
    const char *bucket, *key; /* decoded; NULL: not in the path */
    void *state;              /* the operation's */
    void (*ended)(struct s3_call *s);
};

struct s3_operation {
    const char *method;
    enum { S3_SERVICE, S3_BUCKET, S3_OBJECT } level;
    const char *parameter; /* that must be in the query; NULL: none of the known ones is */
    const char *name;
    void (*begin)(struct aws_call *c); /* streams the body; verified already. NULL: it is read */
    void (*ready)(struct aws_call *c);
};

static inline struct s3_call *s3_call_of(const struct aws_call *c)
{
    return c->state;
}

/* Values of the query. */
const char *s3_parameter(struct aws_call *c, const char *name); /* NULL: not there */
/* The call's bucket, or NULL: answered NoSuchBucket. */
struct bucket *s3_bucket_of(struct aws_call *c);
struct bucket_store *s3_store(const struct aws_call *c);

void s3_fail(struct aws_call *c, int status, const char *code, const char *message);
void s3_fail_xml(struct aws_call *c); /* MalformedXML */
/* If-None-Match: * (there must be no such object), If-Match: ETAG (it must be that one). False: answered. */
bool s3_may_write(struct aws_call *c);
/* Of a sink or the store. */
void s3_fail_status(struct aws_call *c, const struct pl_err *status);
/* "Wed, 11 Feb 2026 08:15:30 GMT" and "2026-02-11T08:15:30.123Z" */
char *s3_http_date(struct arena *a, int64_t unix_ms);
char *s3_iso_date(struct arena *a, int64_t unix_ms);
char *s3_quoted(struct arena *a, const char *etag);
/* Nothing is asked for that there is not: ACLs, tags, locks, keys of one's own. False: answered. */
bool s3_check_headers(struct aws_call *c);
/* Headers that are kept with an object. */
json_t *s3_kept_headers(struct aws_call *c);

void s3_list_buckets(struct aws_call *c);
void s3_create_bucket(struct aws_call *c);
void s3_head_bucket(struct aws_call *c);
void s3_delete_bucket(struct aws_call *c);
void s3_get_location(struct aws_call *c);
void s3_get_versioning(struct aws_call *c);
void s3_list_objects(struct aws_call *c);
void s3_put_object(struct aws_call *c);
void s3_put_ready(struct aws_call *c);
void s3_upload_part(struct aws_call *c);
void s3_get_object(struct aws_call *c);
void s3_head_object(struct aws_call *c);
void s3_delete_object(struct aws_call *c);
void s3_delete_objects(struct aws_call *c);
void s3_create_upload(struct aws_call *c);
void s3_complete_upload(struct aws_call *c);
void s3_abort_upload(struct aws_call *c);

#endif
