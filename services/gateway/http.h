/* http - HTTP/1.1 in front of everything: libmicrohttpd, driven by our loop.
 *
 * Threads: libmicrohttpd runs without threads of its own. Its epoll descriptor is one more descriptor of our loop, and
 * it is also run, with the turn, by whoever completes an answer (mostly the rpc pump). So a request is read, checked
 * and sent upstream by one thread, and its answer is written by the thread that got it, without a hand-over on either
 * way. All functions and handlers here run with the turn.
 *
 * A request: 'begin' when its headers are complete and well framed (http_frame.h); it says how the body is to be taken,
 * or answers. Then 'ready' when the body is there. An answer comes from 'begin', from 'ready', or at any time later:
 * until then the connection is suspended and costs nothing. 'ended' is last, once, whatever happened; the request and
 * its arena go after it.
 *
 * A body that is refused while the client is still sending it is not read: the answer is sent, and what arrives is
 * thrown away for a moment (http_linger.h), so that the client reads the answer instead of a reset connection.
 *
 * Limits: connections, per address, headers, idle and stalled time are options; over the connection limit the longest
 * idle connection is closed for the new one. */
#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

#include "arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http;
struct http_request;
struct loop;
struct metrics;
struct rpc_bytes;

struct http_header {
    const char *name; /* as received */
    const char *value;
};

struct http_handlers {
    void (*begin)(void *app, struct http_request *r);
    void (*ready)(void *app, struct http_request *r);
    /* The client went away while it was waiting for an answer, which should still be given, soon. May come once. */
    void (*gone)(void *app, struct http_request *r);
    void (*ended)(void *app, struct http_request *r);
};

struct http_options {
    const char *const *listen; /* HOST:PORT */
    size_t listen_count;
    const char *tls_cert_file, *tls_key_file;          /* PEM; NULL or "" = plaintext */
    int64_t connection_limit, connections_per_address; /* the latter 0 = no limit */
    int64_t header_bytes, header_count;
    int64_t idle_ms;          /* from one answer to the complete headers of the next request          */
    int64_t stall_ms;         /* without a byte in either direction while a request is being served   */
    int64_t body_bytes_per_s; /* slower than this over ten seconds or more ends a body; 0 = any      */
    const struct http_handlers *handlers;
    void *app;
};

/* PL_UNAVAILABLE: an address cannot be bound. PL_INVALID: the certificate cannot be used. */
PL_MUST_CHECK enum pl_code http_start(struct http **out, struct loop *l, struct metrics *m,
                                      const struct http_options *o, struct pl_err *err);
int http_port(const struct http *h, size_t i); /* that was bound for the i-th address */
bool http_secure(const struct http *h);        /* TLS */
/* Stops listening, closes idle connections, and calls 'drained' when the last request has ended; after 'grace_ms' what
 * is left is told by 'gone', as if its clients had left. */
void http_drain(struct http *h, int64_t grace_ms, void (*drained)(void *arg), void *arg);
void http_stop(struct http *h); /* NULL is fine; requests that were not answered end now */

/* ---- a request ---- */

struct arena *http_arena(struct http_request *r);
const char *http_method(const struct http_request *r); /* "POST" */
const char *http_path(const struct http_request *r);   /* as received, nothing decoded, without the query */
const char *http_query(const struct http_request *r);  /* as received, behind the '?'; "" when there is none */
bool http_has_query(const struct http_request *r);     /* there was a '?' */
const struct http_header *http_headers(const struct http_request *r, size_t *out_count);
/* The value of the first header of that name (any case), or NULL. */
const char *http_header(const struct http_request *r, const char *name);
int64_t http_content_length(const struct http_request *r); /* -1: chunked, not known */
void **http_user(struct http_request *r);                  /* the application's place */
int64_t http_started_us(const struct http_request *r);

/* From 'begin': collect the body. Over 'limit' bytes 'too_large' is called instead of 'ready' and must answer. */
void http_read_body(struct http_request *r, size_t limit, void (*too_large)(void *app, struct http_request *r));
const void *http_body(const struct http_request *r, size_t *out_len);
/* The body's SHA-256, computed while a large body arrives. */
const unsigned char *http_body_sha256(struct http_request *r);
/* The body, now the caller's to free(). */
char *http_take_body(struct http_request *r, size_t *out_len);

/* From 'begin', for bodies that should not be held in memory: 'write' gets each piece as it comes and returns how much
 * of it was taken; less than all pauses the body until http_resume_body(). A negative result ends the body: the writer
 * has answered. 'ready' follows the last byte. */
void http_stream_body(struct http_request *r, ssize_t (*write)(struct http_request *r, const char *bytes, size_t n));
void http_resume_body(struct http_request *r);

/* ---- its answer: exactly one http_answer...(), after any number of http_set_header() ---- */

/* Value is copied; name is a literal. */
void http_set_header(struct http_request *r, const char *name, const char *value);
bool http_answered(const struct http_request *r);
void http_answer(struct http_request *r, int status, const char *content_type, const void *bytes,
                 size_t n);                                                                                 /* copies */
void http_answer_take(struct http_request *r, int status, const char *content_type, char *bytes, size_t n); /* frees  */
/* Consumes a reference; nothing is copied when it is large. */
void http_answer_bytes(struct http_request *r, int status, const char *content_type, struct rpc_bytes *bytes);

/* A body that is produced while it is sent. 'read' fills at most 'max' bytes and returns how many; 0 = none now: call
 * http_wake() when there are; HTTP_SOURCE_END or HTTP_SOURCE_FAILED (the connection is broken off). 'free' is last. */
struct http_source {
    ssize_t (*read)(struct http_source *s, uint64_t at, char *out, size_t max);
    void (*free)(struct http_source *s);
};
#define HTTP_SOURCE_END    ((ssize_t)-1)
#define HTTP_SOURCE_FAILED ((ssize_t)-2)
/* 'size' negative: not known, sent chunked. */
void http_answer_source(struct http_request *r, int status, const char *content_type, int64_t size,
                        struct http_source *s);
void http_wake(struct http_request *r);
/* No body, and a Content-Length of 'size' (HEAD). */
void http_answer_head(struct http_request *r, int status, const char *content_type, int64_t size);

#endif
