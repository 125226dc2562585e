/* Answers of a request: from a text, from bytes that came from upstream, or from a source that makes them. */
#include "base/mem.h"
#include "http_private.h"
#include "rpc/rpc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From here on a body is worth a vector of its own instead of a copy behind the head. */
#define COPY_BELOW   ((size_t)16 << 10)
#define SPANS_MAX    64
#define SOURCE_BLOCK ((size_t)64 << 10)

void http_set_header(struct http_request *r, const char *name, const char *value)
{
    assert(r->reply_header_count < HTTP_REPLY_HEADERS_MAX);
    r->reply_headers[r->reply_header_count++] = (struct http_header){ name, arena_strdup(&r->arena, value) };
}

bool http_answered(const struct http_request *r)
{
    return r->answered;
}

/* A value that cannot stand in a header is left out. */
static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value);
}

static void finish(struct http_request *r, int status, const char *content_type, struct MHD_Response *response)
{
    assert(!r->answered);
    if (!response)
        pl_die("out of memory");
    r->answered = true;
    r->status = status;
    r->response = response;
    if (content_type)
        add_header(response, "Content-Type", content_type);
    for (size_t i = 0; i < r->reply_header_count; i++)
        add_header(response, r->reply_headers[i].name, r->reply_headers[i].value);
    if (r->http->draining)
        add_header(response, "Connection", "close");
    if (!r->suspended)
        return; /* in a handler: it is queued when that returns */
    r->suspended = false;
    MHD_resume_connection(r->conn->mhd);
    http_run_soon(r->http);
}

void http_answer(struct http_request *r, int status, const char *content_type, const void *bytes, size_t n)
{
    finish(r, status, content_type,
           MHD_create_response_from_buffer(n, (void *)(uintptr_t)(bytes ? bytes : ""), MHD_RESPMEM_MUST_COPY));
}

void http_answer_take(struct http_request *r, int status, const char *content_type, char *bytes, size_t n)
{
    if (!bytes)
        http_answer(r, status, content_type, "", 0);
    else
        finish(r, status, content_type, MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE));
}

static void release_bytes(void *bytes)
{
    rpc_bytes_unref(bytes);
}

static struct MHD_Response *copy_spans(const struct iovec *spans, unsigned count, size_t n)
{
    char *flat = malloc(n + 1), *at = flat;
    if (!flat)
        pl_die("out of memory");
    for (unsigned i = 0; i < count; i++)
        at = (char *)memcpy(at, spans[i].iov_base, spans[i].iov_len) + spans[i].iov_len;
    return MHD_create_response_from_buffer(n, flat, MHD_RESPMEM_MUST_FREE);
}

void http_answer_bytes(struct http_request *r, int status, const char *content_type, struct rpc_bytes *bytes)
{
    size_t n = rpc_bytes_len(bytes);
    struct iovec few[SPANS_MAX], *spans = few;
    unsigned count = rpc_bytes_spans(bytes, few, SPANS_MAX);
    struct MHD_Response *response;
    if (count > SPANS_MAX) {
        spans = pl_new0(count, sizeof(*spans));
        count = rpc_bytes_spans(bytes, spans, count);
    }
    if (n < COPY_BELOW || count > SPANS_MAX) {
        response = copy_spans(spans, count, n);
        rpc_bytes_unref(bytes);
    } else {
        struct MHD_IoVec vec[SPANS_MAX];
        for (unsigned i = 0; i < count; i++)
            vec[i] = (struct MHD_IoVec){ spans[i].iov_base, spans[i].iov_len };
        response = MHD_create_response_from_iovec(vec, count, release_bytes, bytes);
    }
    if (spans != few)
        free(spans);
    finish(r, status, content_type, response);
}

static ssize_t no_body(void *arg, uint64_t at, char *out, size_t max)
{
    (void)arg, (void)at, (void)out, (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

void http_answer_head(struct http_request *r, int status, const char *content_type, int64_t size)
{
    /* libmicrohttpd takes the length from the response's size and sends no body to HEAD. */
    finish(r, status, content_type, MHD_create_response_from_callback((uint64_t)size, 1, no_body, NULL, NULL));
}

/* ---- sources ---- */

static ssize_t read_source(void *arg, uint64_t at, char *out, size_t max)
{
    struct http_request *r = arg;
    ssize_t n = r->source->read(r->source, at, out, max);
    if (n > 0)
        return n;
    if (n == HTTP_SOURCE_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    r->suspended = true;
    MHD_suspend_connection(r->conn->mhd);
    return 0;
}

void http_answer_source(struct http_request *r, int status, const char *content_type, int64_t size,
                        struct http_source *s)
{
    r->source = s;
    finish(r, status, content_type,
           MHD_create_response_from_callback(size < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)size, SOURCE_BLOCK, read_source, r,
                                             NULL));
}

void http_wake(struct http_request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->conn->mhd);
    http_run_soon(r->http);
}
