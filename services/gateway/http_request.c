/* One request, from its request line to the last byte of its answer; libmicrohttpd's side of http.h.
 *
 * libmicrohttpd calls http_on_target() when it has the request line, http_on_request() once with the headers, once per
 * piece of the body, once behind it and once after each resume, and http_on_completed() last. */
#include "base/mem.h"
#include "base/time.h"
#include "digest.h"
#include "http_frame.h"
#include "http_linger.h"
#include "http_private.h"
#include "metrics/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A body up to this size is hashed in one go when it is there; a larger one piece by piece, so that no turn is long. */
#define HASH_AT_ONCE ((int64_t)64 << 10)
#define BODY_FIRST   ((size_t)16 << 10)

/* ---- the start ---- */

void *http_on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct http_request *r = PL_NEW(struct http_request);
    const char *query = strchr(target, '?');
    (void)mhd;
    r->http = arg;
    r->started_us = pl_now_us();
    r->path = arena_strndup(&r->arena, target, query ? (size_t)(query - target) : strlen(target));
    r->query = arena_strdup(&r->arena, query ? query + 1 : "");
    r->has_query = query != NULL;
    list_init(&r->link);
    return r;
}

static enum MHD_Result count_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct http_request *r = arg;
    (void)kind;
    r->header_count++;
    r->header_bytes += strlen(name) + strlen(": \r\n") + (value ? strlen(value) : 0);
    return MHD_YES;
}

static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct http_request *r = arg;
    (void)kind;
    r->headers[r->header_count++] = (struct http_header){ name, value ? value : "" };
    return MHD_YES;
}

/* Each is looked at several times: those of a target are few. Forms are read once and may have more. */
static bool has_too_many_parameters(const char *query)
{
    int count = 1;
    for (; *query; query++)
        count += *query == '&';
    return count > HTTP_PARAMETERS_MAX;
}

static enum pl_code read_headers(struct http_request *r, struct MHD_Connection *mhd, const char *version,
                                 struct pl_err *err)
{
    const struct http_options *o = &r->http->options;
    struct http_frame frame;
    r->header_bytes = strlen(r->method) + strlen(r->path) + strlen(r->query) + strlen(" ? HTTP/1.1\r\n");
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, count_header, r);
    if ((int64_t)r->header_count > o->header_count)
        return pl_fail(err, PL_EXHAUSTED, NULL, "%zu headers: at most %lld are taken (http.headers)", r->header_count,
                       (long long)o->header_count);
    if ((int64_t)r->header_bytes > o->header_bytes) /* the connection's memory has room for some more */
        return pl_fail(err, PL_EXHAUSTED, NULL,
                       "the headers have %zu bytes: at most %lld are taken (http.header_bytes)", r->header_bytes,
                       (long long)o->header_bytes);
    r->headers = arena_get(&r->arena, (r->header_count + 1) * sizeof(*r->headers));
    r->header_count = 0;
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, add_header, r);
    if (http_frame_check(version, r->headers, r->header_count, &frame, err) != PL_OK)
        return err->code;
    if (strpbrk(r->path, " \t") || strpbrk(r->query, " \t"))
        return pl_fail(err, PL_INVALID, NULL, "the request's target has a space");
    if (has_too_many_parameters(r->query))
        return pl_fail(err, PL_EXHAUSTED, NULL, "more than %d parameters in the request's target", HTTP_PARAMETERS_MAX);
    r->content_length = frame.content_length;
    return PL_OK;
}

/* What is wrong with the frame is no service's error: plain text, and the connection ends. */
static void refuse_frame(struct http_request *r, const struct pl_err *err)
{
    int status = err->code == PL_EXHAUSTED ? 431 : err->code == PL_UNIMPLEMENTED ? 501 : 400;
    char *text = arena_format(&r->arena, "%s\n", err->message);
    r->content_length = -1; /* whatever follows is not read */
    http_set_header(r, "Connection", "close");
    http_answer(r, status, "text/plain", text, strlen(text));
}

static void begin(struct http_request *r, struct MHD_Connection *mhd, const char *method, const char *version)
{
    struct pl_err err;
    r->conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->method = arena_strdup(&r->arena, method);
    r->state = HTTP_BODY;
    http_conn_busy(r->conn);
    list_push_back(&r->http->requests, &r->link);
    r->http->request_count++;
    r->begun = true;
    if (read_headers(r, mhd, version, &err) != PL_OK)
        refuse_frame(r, &err);
    else
        r->http->options.handlers->begin(r->http->options.app, r);
}

/* ---- the body ---- */

void http_read_body(struct http_request *r, size_t limit, void (*too_large)(void *app, struct http_request *r))
{
    r->body_limit = limit;
    r->too_large = too_large;
    if (r->content_length > (int64_t)limit)
        too_large(r->http->options.app, r);
}

void http_stream_body(struct http_request *r, ssize_t (*write)(struct http_request *r, const char *bytes, size_t n))
{
    r->write = write;
}

static void hash_piece(struct http_request *r, const char *bytes, size_t n)
{
    if (!r->hash) {
        if (r->content_length >= 0 && r->content_length <= HASH_AT_ONCE)
            return;
        r->hash = EVP_MD_CTX_new();
        if (!r->hash || EVP_DigestInit_ex(r->hash, EVP_sha256(), NULL) != 1)
            pl_die("no SHA-256");
    }
    if (EVP_DigestUpdate(r->hash, bytes, n) != 1)
        pl_die("no SHA-256");
}

/* All of it at once when the length is known and the client has shown that it means it; else doubling. */
static void grow_body(struct http_request *r, size_t need)
{
    size_t cap = r->body_cap ? r->body_cap : BODY_FIRST;
    while (cap < need)
        cap *= 2;
    if (r->content_length >= 0 && (cap > (size_t)r->content_length || need > BODY_FIRST))
        cap = (size_t)r->content_length;
    char *grown = realloc(r->body, cap + 1);
    if (!grown)
        pl_die("out of memory");
    r->body = grown;
    r->body_cap = cap;
}

static void collect(struct http_request *r, const char *bytes, size_t n)
{
    if (n > r->body_limit - r->body_len) {
        r->too_large(r->http->options.app, r);
        return;
    }
    if (r->body_len + n > r->body_cap)
        grow_body(r, r->body_len + n);
    memcpy(r->body + r->body_len, bytes, n);
    r->body_len += n;
    r->body[r->body_len] = '\0';
    hash_piece(r, bytes, n);
}

/* Returns how much of the piece was taken. */
static size_t take_piece(struct http_request *r, const char *bytes, size_t n)
{
    r->body_read += (int64_t)n;
    if (r->answered)
        return n; /* thrown away: the answer has said why */
    if (!r->write) {
        collect(r, bytes, n);
        return n;
    }
    ssize_t taken = r->write(r, bytes, n);
    if (taken < 0)
        return n;
    r->body_read -= (int64_t)(n - (size_t)taken);
    r->body_paused = (size_t)taken < n;
    return (size_t)taken;
}

void http_resume_body(struct http_request *r)
{
    r->body_paused = false;
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->conn->mhd);
    http_run(r->http);
}

const void *http_body(const struct http_request *r, size_t *out_len)
{
    *out_len = r->body_len;
    return r->body ? r->body : "";
}

const unsigned char *http_body_sha256(struct http_request *r)
{
    if (r->hashed)
        return r->sha256;
    if (!r->hash)
        digest_sha256(r->body ? r->body : "", r->body_len, r->sha256);
    else if (EVP_DigestFinal_ex(r->hash, r->sha256, NULL) != 1)
        pl_die("no SHA-256");
    r->hashed = true;
    return r->sha256;
}

char *http_take_body(struct http_request *r, size_t *out_len)
{
    *out_len = r->body_len;
    r->body_len = r->body_cap = 0;
    return pl_take(r->body);
}

/* ---- libmicrohttpd's calls ---- */

static void suspend(struct http_request *r)
{
    r->suspended = true;
    MHD_suspend_connection(r->conn->mhd);
}

static enum MHD_Result queue(struct http_request *r)
{
    r->state = HTTP_QUEUED;
    enum MHD_Result queued = MHD_queue_response(r->conn->mhd, (unsigned)r->status, r->response);
    MHD_destroy_response(r->response); /* libmicrohttpd has its own reference */
    r->response = NULL;
    return queued;
}

/* Before the end of the body an answer closes the connection; without a body it waits for the next call. */
static enum MHD_Result answer_early(struct http_request *r)
{
    if (r->content_length == 0)
        return MHD_YES;
    r->early = true;
    return queue(r);
}

static enum MHD_Result on_piece(struct http_request *r, const char *upload, size_t *upload_size)
{
    size_t taken = take_piece(r, upload, *upload_size);
    *upload_size -= taken;
    if (r->answered) {
        /* libmicrohttpd takes no answer here: it has to wait for the rest. Who sends on for long does not get it. */
        r->discarded += (int64_t)taken;
        if (r->discarded > LINGER_BYTES)
            http_conn_cut(r->conn);
    } else if (r->body_paused)
        suspend(r);
    return MHD_YES;
}

enum MHD_Result http_on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **context)
{
    struct http_request *r = *context;
    (void)arg, (void)url;
    if (r->state == HTTP_HEADERS) {
        begin(r, mhd, method, version);
        return r->answered ? answer_early(r) : MHD_YES;
    }
    if (*upload_size > 0)
        return on_piece(r, upload, upload_size);
    if (r->state == HTTP_BODY) {
        r->state = HTTP_WAITING;
        if (!r->answered)
            r->http->options.handlers->ready(r->http->options.app, r);
    }
    if (r->answered)
        return r->state == HTTP_QUEUED ? MHD_YES : queue(r);
    suspend(r);
    return MHD_YES;
}

void http_request_tell_gone(struct http_request *r)
{
    r->gone_told = true;
    r->http->options.handlers->gone(r->http->options.app, r);
}

void http_on_completed(void *arg, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
    struct http_request *r = *context;
    struct http *h = arg;
    (void)mhd, (void)how;
    if (!r)
        return;
    *context = NULL;
    list_remove(&r->link);
    if (r->begun) {
        if (r->early)
            linger_add(h->linger, r->conn->fd);
        h->options.handlers->ended(h->options.app, r);
        http_conn_idle(r->conn);
    }
    if (r->source)
        r->source->free(r->source);
    if (r->response)
        MHD_destroy_response(r->response);
    bool counted = r->begun;
    EVP_MD_CTX_free(r->hash);
    free(r->body);
    arena_done(&r->arena);
    free(r);
    if (counted)
        http_request_over(h);
}

/* ---- accessors ---- */

struct arena *http_arena(struct http_request *r)
{
    return &r->arena;
}

const char *http_method(const struct http_request *r)
{
    return r->method;
}

const char *http_path(const struct http_request *r)
{
    return r->path;
}

const char *http_query(const struct http_request *r)
{
    return r->query;
}

bool http_has_query(const struct http_request *r)
{
    return r->has_query;
}

const struct http_header *http_headers(const struct http_request *r, size_t *out_count)
{
    *out_count = r->header_count;
    return r->headers;
}

/* Each request is asked for some twenty names, most of which it has not: mostly the first letters tell. */
static bool same_name(const char *a, const char *b)
{
    return ((*a ^ *b) & ~('a' ^ 'A')) == 0 && strcasecmp(a, b) == 0;
}

const char *http_header(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (same_name(r->headers[i].name, name))
            return r->headers[i].value;
    return NULL;
}

int64_t http_content_length(const struct http_request *r)
{
    return r->content_length;
}

void **http_user(struct http_request *r)
{
    return &r->user;
}

int64_t http_started_us(const struct http_request *r)
{
    return r->started_us;
}
