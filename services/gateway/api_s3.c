/* S3: from a request to an operation. See s3.h. */
#include "auth.h"
#include "aws_error.h"
#include "base/text.h"
#include "base/time.h"
#include "bucket.h"
#include "gateway.h"
#include "s3.h"
#include "services.h"
#include "uri.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* The first row that fits. Rows with a parameter come before those without. */
static const struct s3_operation operations[] = {
    { "GET", S3_SERVICE, NULL, "ListBuckets", NULL, s3_list_buckets },
    { "GET", S3_BUCKET, "location", "GetBucketLocation", NULL, s3_get_location },
    { "GET", S3_BUCKET, "versioning", "GetBucketVersioning", NULL, s3_get_versioning },
    { "POST", S3_BUCKET, "delete", "DeleteObjects", NULL, s3_delete_objects },
    { "GET", S3_BUCKET, NULL, "ListObjects", NULL, s3_list_objects },
    { "PUT", S3_BUCKET, NULL, "CreateBucket", NULL, s3_create_bucket },
    { "HEAD", S3_BUCKET, NULL, "HeadBucket", NULL, s3_head_bucket },
    { "DELETE", S3_BUCKET, NULL, "DeleteBucket", NULL, s3_delete_bucket },
    { "POST", S3_OBJECT, "uploads", "CreateMultipartUpload", NULL, s3_create_upload },
    { "PUT", S3_OBJECT, "uploadId", "UploadPart", s3_upload_part, s3_put_ready },
    { "POST", S3_OBJECT, "uploadId", "CompleteMultipartUpload", NULL, s3_complete_upload },
    { "DELETE", S3_OBJECT, "uploadId", "AbortMultipartUpload", NULL, s3_abort_upload },
    { "PUT", S3_OBJECT, NULL, "PutObject", s3_put_object, s3_put_ready },
    { "GET", S3_OBJECT, NULL, "GetObject", NULL, s3_get_object },
    { "HEAD", S3_OBJECT, NULL, "HeadObject", NULL, s3_head_object },
    { "DELETE", S3_OBJECT, NULL, "DeleteObject", NULL, s3_delete_object },
};

/* Sub-resources: what asks for one of these means something else than the same request without it. */
static const char *const subresources[] = {
    "accelerate",        "acl",          "analytics",      "attributes",        "cors",      "delete",
    "encryption",        "inventory",    "legal-hold",     "lifecycle",         "location",  "logging",
    "metrics",           "notification", "object-lock",    "ownershipControls", "policy",    "policyStatus",
    "publicAccessBlock", "replication",  "requestPayment", "restore",           "retention", "select",
    "session",           "tagging",      "torrent",        "uploadId",          "uploads",   "versionId",
    "versioning",        "versions",     "website",
};

/* ---- helpers of all ---- */

const char *s3_parameter(struct aws_call *c, const char *name)
{
    return uri_query_value(http_query(c->http), name, c->arena);
}

struct bucket_store *s3_store(const struct aws_call *c)
{
    return c->gateway->buckets;
}

void s3_fail(struct aws_call *c, int status, const char *code, const char *message)
{
    aws_fail_as(c, status, code, NULL, "%s", message);
}

struct bucket *s3_bucket_of(struct aws_call *c)
{
    struct bucket *b = bucket_find(s3_store(c), s3_call_of(c)->bucket);
    if (!b)
        s3_fail(c, 404, "NoSuchBucket", "The specified bucket does not exist");
    return b;
}

void s3_fail_xml(struct aws_call *c)
{
    s3_fail(c, 400, "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema");
}

bool s3_may_write(struct aws_call *c)
{
    const char *match = http_header(c->http, "If-Match"), *none = http_header(c->http, "If-None-Match");
    const struct bucket *b = bucket_find(s3_store(c), s3_call_of(c)->bucket);
    const struct bucket_object *o = b ? bucket_get(b, s3_call_of(c)->key) : NULL;
    if (none && strcmp(none, "*") != 0)
        aws_fail(c, AWS_UNKNOWN_OPERATION, "If-None-Match of a write must be *.");
    else if (match && !o)
        s3_fail(c, 404, "NoSuchKey", "The specified key does not exist.");
    else if ((none && o) || (match && !strstr(match, o->etag)))
        s3_fail(c, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    else
        return true;
    return false;
}

void s3_fail_status(struct aws_call *c, const struct pl_err *status)
{
    static const struct {
        const char *reason;
        int status;
        const char *code;
    } reasons[] = {
        { "OBJECT_TOO_LARGE", 400, "EntityTooLarge" },
        { "BAD_DIGEST", 400, "BadDigest" },
        { "BAD_SHA256", 400, "XAmzContentSHA256Mismatch" },
    };
    for (size_t i = 0; i < PL_COUNT(reasons); i++)
        if (strcmp(reasons[i].reason, status->reason) == 0) {
            s3_fail(c, reasons[i].status, reasons[i].code, status->message);
            return;
        }
    switch (status->code) {
    case PL_NOT_FOUND:
        s3_fail(c, 404, "NoSuchBucket", status->message);
        break;
    case PL_EXHAUSTED:
        s3_fail(c, 507, "InsufficientStorage", status->message);
        break;
    case PL_INVALID:
        s3_fail(c, 400, "InvalidRequest", status->message);
        break;
    default:
        aws_fail(c, AWS_INTERNAL, "%s", status->message);
    }
}

static char *date(struct arena *a, int64_t unix_ms, const char *format)
{
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm;
    char *out = arena_get(a, 40);
    (void)strftime(out, 40, format, gmtime_r(&t, &tm));
    return out;
}

char *s3_http_date(struct arena *a, int64_t unix_ms)
{
    return date(a, unix_ms, "%a, %d %b %Y %H:%M:%S GMT");
}

char *s3_iso_date(struct arena *a, int64_t unix_ms)
{
    char text[25];
    return arena_strdup(a, pl_wall_text(unix_ms, text));
}

char *s3_quoted(struct arena *a, const char *etag)
{
    return arena_format(a, "\"%s\"", etag);
}

/* ---- bucket and key ---- */

/* "data.localhost:8080" -> "data", when s3.host is "localhost"; NULL: not virtual-host style. */
static char *bucket_of_host(struct aws_call *c)
{
    const char *host = http_header(c->http, "Host"), *base = c->gateway->config->s3_host;
    size_t n = host ? strcspn(host, ":") : 0, tail = strlen(base);
    if (tail == 0 || n <= tail + 1 || host[n - tail - 1] != '.' || strncasecmp(host + n - tail, base, tail) != 0)
        return NULL;
    return arena_strndup(c->arena, host, n - tail - 1);
}

static bool read_name(struct aws_call *c, struct s3_call *s)
{
    const char *path = http_path(c->http) + 1,
               *slash = strchr(path, '/'); /* libmicrohttpd: starts with '/' or is '*' */
    size_t len = 0;
    char *key = NULL;
    s->bucket = bucket_of_host(c);
    if (s->bucket) {
        key = uri_decode(path, strlen(path), false, c->arena, &len);
    } else if (*http_path(c->http) == '/' && *path) {
        size_t n = slash ? (size_t)(slash - path) : strlen(path), ignored;
        s->bucket = uri_decode(path, n, false, c->arena, &ignored);
        if (slash)
            key = uri_decode(slash + 1, strlen(slash + 1), false, c->arena, &len);
    }
    s->key = key && *key ? key : NULL;
    if (s->bucket && !bucket_name_valid(s->bucket)) {
        s3_fail(c, 400, "InvalidBucketName", "The specified bucket is not valid.");
        return false;
    }
    if (key && (strlen(key) != len || !pl_utf8_valid(key, len))) {
        s3_fail(c, 400, "InvalidURI", "The key must be UTF-8 without NUL.");
        return false;
    }
    if (len > BUCKET_KEY_MAX) {
        s3_fail(c, 400, "KeyTooLongError", "Your key is too long: it may have 1024 bytes.");
        return false;
    }
    return true;
}

/* ---- operation ---- */

static const struct s3_operation *find_operation(struct aws_call *c, const struct s3_call *s)
{
    int level = !s->bucket ? S3_SERVICE : !s->key ? S3_BUCKET : S3_OBJECT;
    bool plain = true;
    for (size_t i = 0; i < PL_COUNT(subresources); i++)
        plain = plain && !s3_parameter(c, subresources[i]);
    for (size_t i = 0; i < PL_COUNT(operations); i++) {
        const struct s3_operation *o = &operations[i];
        if ((int)o->level == level && strcmp(o->method, http_method(c->http)) == 0 &&
            (o->parameter ? s3_parameter(c, o->parameter) != NULL : plain))
            return o;
    }
    return NULL;
}

static void too_large(void *app, struct http_request *r)
{
    const struct gateway *g = app;
    aws_fail(*http_user(r), AWS_TOO_LARGE, "The request's body is larger than %lld bytes.",
             (long long)g->config->request_bytes);
}

/* What is signed instead of a hash of the body that is still to come; NULL: answered. */
static const char *payload_hash(struct aws_call *c)
{
    const char *said = http_header(c->http, "X-Amz-Content-Sha256");
    if (c->claim.presigned || !c->signed_by_key)
        return SIGV4_UNSIGNED_PAYLOAD;
    if (!said)
        s3_fail(c, 400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
    return said;
}

/* All buckets are the account's own. */
static bool is_another_owner(const struct aws_call *c)
{
    const char *owner = http_header(c->http, "x-amz-expected-bucket-owner");
    return owner && strcmp(owner, c->account) != 0;
}

static void begin(struct aws_call *c)
{
    struct s3_call *s = ARENA_NEW(c->arena, struct s3_call);
    const char *hash;
    c->state = s;
    if (!s3_store(c)) {
        aws_fail(c, AWS_UNKNOWN_OPERATION, "This gateway has no buckets (setting s3.directory).");
        return;
    }
    if (!read_name(c, s))
        return;
    s->operation = find_operation(c, s);
    if (!s->operation)
        aws_fail(c, AWS_UNKNOWN_OPERATION, "The gateway's buckets do not serve this method with this query.");
    else if (http_header(c->http, "x-amz-copy-source"))
        aws_fail(c, AWS_UNKNOWN_OPERATION,
                 "The gateway's buckets do not copy (x-amz-copy-source): put the object again.");
    else if (is_another_owner(c))
        aws_fail(c, AWS_DENIED, "The bucket has another owner than x-amz-expected-bucket-owner says.");
    else if (!s3_check_headers(c))
        return;
    else if (!s->operation->begin)
        http_read_body(c->http, (size_t)c->gateway->config->request_bytes, too_large);
    else if ((hash = payload_hash(c)) && auth_verify(c, hash))
        s->operation->begin(c);
}

static void ready(struct aws_call *c)
{
    struct s3_call *s = s3_call_of(c);
    if (s->operation->begin || auth_verify_body(c))
        s->operation->ready(c);
}

static void ended(struct aws_call *c)
{
    struct s3_call *s = s3_call_of(c);
    if (s && s->ended)
        s->ended(s);
}

const struct aws_service s3_service = {
    .name = "s3",
    .signing_name = "s3",
    .begin = begin,
    .ready = ready,
    .ended = ended,
};
