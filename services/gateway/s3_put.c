/* PutObject and UploadPart: a body goes into a file (s3_sink.h), by way of aws-chunked when it comes so (s3_chunk.h).
 *
 * The signature over the headers has been verified. What it says of the body is verified while it streams: the hash of
 * the whole, or one signature a chunk. Nothing is put in place before that. */
#include "auth.h"
#include "aws_error.h"
#include "base/mem.h"
#include "base/text.h"
#include "bucket.h"
#include "gateway.h"
#include "s3.h"
#include "s3_chunk.h"
#include "s3_sink.h"
#include "s3_uploads.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct put {
    struct aws_call *call;
    struct s3_sink *sink;
    struct s3_chunks *chunks; /* NULL: not aws-chunked */
    int64_t decoded;          /* length said of it; -1: not said */
    enum s3_checksum_kind kind;
    bool ready; /* the whole body was seen */
    /* UploadPart */
    bool is_part;
    const char *upload;
    int number;
};

static const char *header(const struct put *p, const char *name)
{
    return http_header(p->call->http, name);
}

/* ---- the end ---- */

static void put_done(struct s3_call *s)
{
    struct put *p = s->state;
    if (!p)
        return;
    s3_sink_drop(p->sink);
    s3_chunks_free(p->chunks);
    p->sink = NULL;
    p->chunks = NULL;
}

static void answer(struct aws_call *c, const char *etag)
{
    http_set_header(c->http, "ETag", s3_quoted(c->arena, etag));
    http_answer(c->http, 200, NULL, "", 0);
}

static void put_in_place(struct put *p)
{
    struct aws_call *c = p->call;
    struct pl_err err;
    if (!p->is_part && !s3_may_write(c)) /* somebody else was quicker */
        return;
    char *etag = arena_strdup(c->arena, s3_sink_md5(p->sink));
    enum pl_code code = p->is_part ? s3_uploads_add_part(s3_store(c), p->upload, p->number, s3_sink_path(p->sink),
                                                         s3_sink_size(p->sink), etag, &err)
                                   : bucket_commit(s3_store(c), s3_call_of(c)->bucket, s3_sink_path(p->sink),
                                                   s3_sink_object(p->sink), &err);
    if (code != PL_OK) {
        s3_fail_status(c, &err);
        return;
    }
    s3_sink_keep(p->sink);
    answer(c, etag);
}

static void on_finished(void *arg, const struct pl_err *status)
{
    struct put *p = arg;
    if (http_answered(p->call->http))
        return;
    if (status->code != PL_OK)
        s3_fail_status(p->call, status);
    else
        put_in_place(p);
}

static void on_writable(void *arg)
{
    struct put *p = arg;
    http_resume_body(p->call->http);
}

/* ---- the body ---- */

static ssize_t refuse_chunk(struct put *p, enum s3_chunk_result why)
{
    if (why == S3_CHUNK_UNSIGNED)
        aws_fail(p->call, AWS_WRONG_SIGNATURE, "The signature of a chunk does not match what was received.");
    else
        s3_fail(p->call, 400, "InvalidChunkSizeError", "The aws-chunked body is malformed.");
    return -1;
}

static ssize_t write_chunked(struct put *p, const char *bytes, size_t n)
{
    size_t at = 0, taken, len;
    const char *data;
    while (at < n) {
        /* A span that the sink cannot take now has not been seen by the chunk reader either: so it is offered first. */
        size_t most = n - at < 16384 ? n - at : 16384;
        if (!s3_sink_has_room(p->sink, most))
            return (ssize_t)at;
        enum s3_chunk_result result = s3_chunks_read(p->chunks, bytes + at, most, &taken, &data, &len);
        if (result != S3_CHUNK_OK)
            return refuse_chunk(p, result);
        if (len > 0 && s3_sink_write(p->sink, data, len) < 0)
            return -1;
        at += taken;
    }
    return (ssize_t)n;
}

static ssize_t on_body(struct http_request *r, const char *bytes, size_t n)
{
    struct aws_call *c = *http_user(r);
    struct put *p = s3_call_of(c)->state;
    return p->chunks ? write_chunked(p, bytes, n) : s3_sink_write(p->sink, bytes, n);
}

void s3_put_ready(struct aws_call *c)
{
    struct put *p = s3_call_of(c)->state;
    struct s3_expected expected = { .md5 = header(p, "Content-MD5") };
    struct bucket_object o = { 0 };
    const char *sha = header(p, "X-Amz-Content-Sha256"), *name = p->kind ? s3_checksum_header(p->kind) : NULL;
    const char *type = header(p, "Content-Type");
    if (p->chunks && !s3_chunks_complete(p->chunks)) {
        s3_fail(c, 400, "IncompleteBody", "The request body terminated unexpectedly");
        return;
    }
    if (sha && strlen(sha) == 64)
        expected.sha256 = sha;
    if (name)
        expected.checksum = header(p, name) ? header(p, name) : p->chunks ? s3_chunks_trailer(p->chunks, name) : NULL;
    if (!p->is_part)
        o = (struct bucket_object){ .key = pl_strdup(s3_call_of(c)->key),
                                    .content_type = pl_strdup(type ? type : "binary/octet-stream"),
                                    .headers = s3_kept_headers(c) };
    s3_sink_end(p->sink, &expected, p->is_part ? NULL : &o);
}

/* ---- the start ---- */

/* STREAMING-... in x-amz-content-sha256. False: answered. */
static bool read_coding(struct put *p)
{
    static const struct {
        const char *name;
        bool is_signed, has_trailer;
    } codings[] = {
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true, false },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true, true },
        { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", false, true },
    };
    const char *said = header(p, "X-Amz-Content-Sha256"), *length = header(p, "x-amz-decoded-content-length");
    if (!said || strncmp(said, "STREAMING-", 10) != 0)
        return true;
    for (size_t i = 0; i < PL_COUNT(codings); i++) {
        if (strcmp(codings[i].name, said) != 0)
            continue;
        struct s3_chunk_options o = { .is_signed = codings[i].is_signed,
                                      .has_trailer = codings[i].has_trailer,
                                      .claim = &p->call->claim };
        o.is_signed = o.is_signed && auth_signing_key(p->call, o.key);
        p->chunks = s3_chunks_new(&o);
        if (!length || !pl_parse_i64(length, 0, INT64_MAX, &p->decoded)) {
            s3_fail(p->call, 411, "MissingContentLength", "You must provide the x-amz-decoded-content-length header.");
            return false;
        }
        return true;
    }
    s3_fail(p->call, 400, "InvalidRequest", "x-amz-content-sha256 names a coding that is not known.");
    return false;
}

static enum s3_checksum_kind checksum_kind(const struct put *p)
{
    size_t count;
    const struct http_header *h = http_headers(p->call->http, &count);
    const char *trailer = header(p, "x-amz-trailer");
    for (size_t i = 0; i < count; i++)
        if (s3_checksum_of(h[i].name))
            return s3_checksum_of(h[i].name);
    return trailer ? s3_checksum_of(trailer) : S3_CHECKSUM_NONE;
}

/* False: answered. */
static bool start(struct put *p)
{
    struct aws_call *c = p->call;
    const char *said = header(p, "X-Amz-Content-Sha256");
    int64_t limit = c->gateway->config->object_bytes, length = http_content_length(c->http);
    const struct s3_sink_hooks hooks = { .writable = on_writable, .finished = on_finished, .arg = p };
    p->decoded = -1;
    s3_call_of(c)->state = p;
    s3_call_of(c)->ended = put_done;
    if (!read_coding(p))
        return false;
    if (p->decoded >= 0)
        length = p->decoded;
    if (length > limit) {
        s3_fail(c, 400, "EntityTooLarge",
                arena_format(c->arena, "Your proposed upload has %lld bytes: an object may have %lld.",
                             (long long)length, (long long)limit));
        return false;
    }
    p->kind = checksum_kind(p);
    p->sink =
        s3_sink_new(s3_store(c), bucket_new_path(s3_store(c)), limit, p->kind, said && strlen(said) == 64, &hooks);
    http_stream_body(c->http, on_body);
    return true;
}

void s3_put_object(struct aws_call *c)
{
    struct put *p = ARENA_NEW(c->arena, struct put);
    p->call = c;
    if (s3_bucket_of(c) && s3_may_write(c))
        (void)start(p);
}

void s3_upload_part(struct aws_call *c)
{
    struct put *p = ARENA_NEW(c->arena, struct put);
    int64_t number;
    const char *text = s3_parameter(c, "partNumber");
    p->call = c;
    p->is_part = true;
    p->upload = s3_parameter(c, "uploadId");
    if (!s3_uploads_find(s3_store(c), p->upload, s3_call_of(c)->bucket, s3_call_of(c)->key)) {
        s3_fail(c, 404, "NoSuchUpload", "The specified multipart upload does not exist.");
        return;
    }
    if (!text || !pl_parse_i64(text, 1, S3_PARTS_MAX, &number)) {
        s3_fail(c, 400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
        return;
    }
    p->number = (int)number;
    (void)start(p);
}
