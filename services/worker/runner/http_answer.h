/* http_answer - reads an HTTP/1.x answer, whatever pieces it comes in. It is written by a program that nobody trusts.
 *
 * Accepted: CRLF or LF; Content-Length, chunks, or a body that ends with the connection; interim answers (1xx) are
 * passed over. Bounds: a line has at most HTTP_LINE_MAX bytes, all header lines together HTTP_HEADERS_MAX; the body's
 * limit is its buffer's. Pure. */
#ifndef RUNNER_HTTP_ANSWER_H
#define RUNNER_HTTP_ANSWER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINE_MAX    ((size_t)8 << 10)
#define HTTP_HEADERS_MAX ((size_t)64 << 10)
#define HTTP_TEXT_MAX    1024

enum http_progress { HTTP_MORE, HTTP_DONE, HTTP_BAD };

struct http_answer {
    int status;
    bool keep_alive; /* the connection may be used again */
    char content_type[HTTP_TEXT_MAX + 1];
    char custom_attributes[HTTP_TEXT_MAX + 1];
    const char *wrong; /* of HTTP_BAD: a static text */

    /* How far it is. */
    enum {
        HTTP_STATUS_LINE,
        HTTP_HEADERS,
        HTTP_BODY, /* 'left' bytes           */
        HTTP_CHUNK_SIZE,
        HTTP_CHUNK, /* 'left' bytes           */
        HTTP_CHUNK_END,
        HTTP_TRAILERS,
        HTTP_BODY_TO_END /* until the connection ends */
    } state;
    struct pl_buf *body;
    uint64_t left;
    bool chunked, sized, spoke;
    size_t header_bytes;
    size_t line_len;
    char line[HTTP_LINE_MAX + 1];
};

/* The body is appended to 'body', which stays the caller's. */
void http_answer_init(struct http_answer *a, struct pl_buf *body);
/* Takes the next bytes. DONE: the answer is whole; bytes behind it mean that the connection is of no more use
 * (keep_alive false). */
enum http_progress http_answer_take(struct http_answer *a, const char *bytes, size_t n);
/* The connection has ended. */
enum http_progress http_answer_end(struct http_answer *a);

#endif
