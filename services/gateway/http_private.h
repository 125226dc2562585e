/* http_private - what http.c (server, connections, time) and http_request.c (one request) share. */
#ifndef GATEWAY_HTTP_PRIVATE_H
#define GATEWAY_HTTP_PRIVATE_H

#include "base/list.h"
#include "http.h"
#include "loop/loop.h"

#include <microhttpd.h>
#include <openssl/evp.h>

struct http_linger;
struct metrics_counter;
struct metrics_gauge;

struct http_listener {
    struct loop_fd fd;
    struct http *owner;
    int port;
};

struct http {
    struct http_options options; /* listen is not kept */
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_fd epoll;
    struct loop_task more; /* the daemon has more to do: after others had their turn */
    bool more_posted;
    struct loop_task soon; /* it has something to do: at the end of this callback, which may bring more of it */
    bool running, again;   /* in MHD_run(); run it once more */
    struct http_listener *listeners;
    size_t listener_count;
    bool listening, accept_paused; /* paused: out of descriptors, until the next sweep */
    struct list idle;              /* struct http_conn between requests, longest idle first */
    struct list requests;          /* struct http_request, oldest first                      */
    int64_t connections, request_count;
    struct loop_timer sweep;
    struct http_linger *linger;
    bool draining, stopping;
    struct loop_timer grace;
    void (*drained)(void *arg);
    void *drained_arg;
    struct metrics_counter *accepted, *refused, *timed_out;
    struct metrics_gauge *open;
};

/* A connection. It is in http.idle exactly when it has no request whose headers are complete. */
struct http_conn {
    struct http *http;
    struct MHD_Connection *mhd;
    struct list link;
    int64_t since_ms; /* in http.idle: when it got there */
    int fd;
    bool cut; /* shutdown() was called */
};

enum http_state {
    HTTP_HEADERS, /* being read by libmicrohttpd                  */
    HTTP_BODY,    /* begun; the body is being read                */
    HTTP_WAITING, /* ready was called; suspended, unless answered */
    HTTP_QUEUED,  /* the answer is libmicrohttpd's                */
};

#define HTTP_REPLY_HEADERS_MAX 24
#define HTTP_PARAMETERS_MAX    200 /* of a target */

struct http_request {
    struct http *http;
    struct http_conn *conn; /* NULL until the headers are complete */
    struct list link;       /* http.requests                       */
    enum http_state state;
    struct arena arena;
    void *user;
    char *path, *query;
    bool has_query;
    const char *method;
    struct http_header *headers;
    size_t header_count, header_bytes;
    int64_t content_length, started_us;
    bool begun, gone_told, ended;

    /* body */
    size_t body_limit;
    void (*too_large)(void *app, struct http_request *r);
    ssize_t (*write)(struct http_request *r, const char *bytes, size_t n);
    char *body;
    size_t body_len, body_cap;
    int64_t body_read, discarded; /* discarded: after the answer */
    EVP_MD_CTX *hash;
    unsigned char sha256[32];
    bool hashed;
    bool body_paused;

    /* answer */
    bool suspended, answered, early; /* early: before the body was read */
    int status;
    struct MHD_Response *response;
    struct http_source *source;
    struct http_header reply_headers[HTTP_REPLY_HEADERS_MAX];
    size_t reply_header_count;
};

/* ---- http.c ---- */
void http_run(struct http *h);
/* At the end of the callback: the answers that come in one go are sent in one go. */
void http_run_soon(struct http *h);
void http_conn_cut(struct http_conn *c); /* ends the connection soon, from our side */
void http_conn_busy(struct http_conn *c);
void http_conn_idle(struct http_conn *c);
void http_request_over(struct http *h); /* one request less */

/* ---- http_request.c: libmicrohttpd's callbacks ---- */
void *http_on_target(void *http, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_on_request(void *http, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **request);
void http_on_completed(void *http, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode how);
void http_request_tell_gone(struct http_request *r);

#endif
