#include "http_answer.h"

#include <string.h>
#include <strings.h>

#define MAX_LENGTH ((uint64_t)1 << 40)

void http_answer_init(struct http_answer *a, struct pl_buf *body)
{
    *a = (struct http_answer){ .body = body };
}

static enum http_progress bad(struct http_answer *a, const char *why)
{
    a->wrong = why;
    a->keep_alive = false;
    return HTTP_BAD;
}

/* ---- lines ---- */

static enum http_progress status_line(struct http_answer *a)
{
    const char *s = a->line;
    bool digits = true;

    if (strncmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1') || s[8] != ' ')
        return bad(a, "its answer does not begin with an HTTP/1 status line");
    for (int i = 9; i < 12; i++)
        digits = digits && s[i] >= '0' && s[i] <= '9';
    if (!digits || (s[12] != ' ' && s[12] != '\0') || s[9] == '0')
        return bad(a, "the status of its answer is not a number of three digits");
    a->status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
    a->keep_alive = s[7] == '1';
    a->chunked = a->sized = false;
    a->left = 0;
    a->content_type[0] = a->custom_attributes[0] = '\0';
    a->state = HTTP_HEADERS;
    return HTTP_MORE;
}

/* Without blanks around it. False: longer than there is room, or not printable. */
static bool copy_text(char out[HTTP_TEXT_MAX + 1], const char *value)
{
    size_t n = strlen(value);

    if (n > HTTP_TEXT_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (value[i] < 0x20 || value[i] > 0x7e)
            return false;
    memcpy(out, value, n + 1);
    return true;
}

static bool read_length(const char *s, uint64_t *out)
{
    uint64_t value = 0;

    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || value > MAX_LENGTH)
            return false;
        value = value * 10 + (uint64_t)(*s - '0');
    }
    *out = value;
    return true;
}

static enum http_progress content_length(struct http_answer *a, const char *value)
{
    uint64_t length;

    if (!read_length(value, &length) || (a->sized && length != a->left))
        return bad(a, "the Content-Length of its answer is not one number");
    a->sized = true;
    a->left = length;
    return HTTP_MORE;
}

static enum http_progress header(struct http_answer *a, const char *name, const char *value)
{
    if (strcasecmp(name, "content-length") == 0)
        return content_length(a, value);
    if (strcasecmp(name, "transfer-encoding") == 0) {
        a->chunked = strcasecmp(value, "chunked") == 0;
        return a->chunked ? HTTP_MORE : bad(a, "the Transfer-Encoding of its answer is not 'chunked'");
    }
    if (strcasecmp(name, "connection") == 0) {
        if (strcasecmp(value, "close") == 0)
            a->keep_alive = false;
        else if (strcasecmp(value, "keep-alive") == 0)
            a->keep_alive = true;
    }
    if (strcasecmp(name, "content-type") == 0 && !copy_text(a->content_type, value))
        return bad(a, "the Content-Type of its answer is not printable ASCII of at most 1024 bytes");
    if (strcasecmp(name, "x-amzn-sagemaker-custom-attributes") == 0 && !copy_text(a->custom_attributes, value))
        return bad(a, "the custom attributes of its answer are not printable ASCII of at most 1024 bytes");
    return HTTP_MORE;
}

/* What comes behind the headers; DONE when nothing does. */
static enum http_progress begin_body(struct http_answer *a)
{
    if (a->status < 200) {
        a->state = HTTP_STATUS_LINE;
        return HTTP_MORE;
    }
    if (a->status == 204 || a->status == 304)
        return HTTP_DONE;
    if (a->chunked) {
        a->keep_alive = a->keep_alive && !a->sized;
        a->state = HTTP_CHUNK_SIZE;
        return HTTP_MORE;
    }
    if (a->sized) {
        a->state = HTTP_BODY;
        return a->left == 0 ? HTTP_DONE : HTTP_MORE;
    }
    a->keep_alive = false;
    a->state = HTTP_BODY_TO_END;
    return HTTP_MORE;
}

static enum http_progress header_line(struct http_answer *a)
{
    char *colon = strchr(a->line, ':'), *value, *end;

    if (a->line_len == 0)
        return begin_body(a);
    if (!colon || colon == a->line || a->line[0] == ' ' || a->line[0] == '\t')
        return bad(a, "a header of its answer is not 'name: value'");
    *colon = '\0';
    for (value = colon + 1; *value == ' ' || *value == '\t'; value++)
        ;
    for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
        ;
    *end = '\0';
    return header(a, a->line, value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static enum http_progress chunk_size_line(struct http_answer *a)
{
    uint64_t size = 0;
    size_t i = 0;

    for (; hex_digit(a->line[i]) >= 0; i++) {
        if (size > MAX_LENGTH)
            return bad(a, "a chunk of its answer is too large");
        size = size * 16 + (uint64_t)hex_digit(a->line[i]);
    }
    if (i == 0 || (a->line[i] && !strchr("; \t", a->line[i])))
        return bad(a, "a chunk of its answer has no size");
    a->left = size;
    a->state = size == 0 ? HTTP_TRAILERS : HTTP_CHUNK;
    return HTTP_MORE;
}

static enum http_progress end_of_line(struct http_answer *a)
{
    if (a->line_len > 0 && a->line[a->line_len - 1] == '\r')
        a->line_len--;
    a->line[a->line_len] = '\0';
    if (strlen(a->line) != a->line_len)
        return bad(a, "a line of its answer has a zero byte");
    switch (a->state) {
    case HTTP_STATUS_LINE:
        return status_line(a);
    case HTTP_HEADERS:
        return header_line(a);
    case HTTP_CHUNK_SIZE:
        return chunk_size_line(a);
    case HTTP_CHUNK_END:
        a->state = HTTP_CHUNK_SIZE;
        return a->line_len == 0 ? HTTP_MORE : bad(a, "a chunk of its answer is longer than it says");
    case HTTP_TRAILERS:
        return a->line_len == 0 ? HTTP_DONE : HTTP_MORE;
    case HTTP_BODY:
    case HTTP_CHUNK:
    case HTTP_BODY_TO_END:
        break;
    }
    return bad(a, "its answer is confused");
}

/* Bytes of a line, up to its end if that is among them. */
static enum http_progress take_line(struct http_answer *a, const char *bytes, size_t n, size_t *out_used)
{
    const char *newline = memchr(bytes, '\n', n);
    size_t part = newline ? (size_t)(newline - bytes) : n;
    enum http_progress p = HTTP_MORE;

    *out_used = newline ? part + 1 : part;
    a->header_bytes += *out_used;
    if (a->line_len + part > HTTP_LINE_MAX || a->header_bytes > HTTP_HEADERS_MAX)
        return bad(a, "the headers of its answer are too long");
    memcpy(a->line + a->line_len, bytes, part);
    a->line_len += part;
    if (newline) {
        p = end_of_line(a);
        a->line_len = 0;
    }
    return p;
}

/* ---- the body ---- */

static enum http_progress take_body(struct http_answer *a, const char *bytes, size_t n, size_t *out_used)
{
    bool to_end = a->state == HTTP_BODY_TO_END;
    size_t part = to_end || a->left > n ? n : (size_t)a->left;

    *out_used = part;
    if (!pl_buf_add(a->body, bytes, part))
        return bad(a, "its answer is larger than the payload limit");
    if (to_end)
        return HTTP_MORE;
    a->left -= part;
    if (a->left > 0)
        return HTTP_MORE;
    if (a->state == HTTP_BODY)
        return HTTP_DONE;
    a->header_bytes = 0; /* each chunk's line has the limit anew: their number is limited by the body's */
    a->state = HTTP_CHUNK_END;
    return HTTP_MORE;
}

enum http_progress http_answer_take(struct http_answer *a, const char *bytes, size_t n)
{
    enum http_progress p = HTTP_MORE;

    a->spoke = a->spoke || n > 0;
    while (n > 0 && p == HTTP_MORE) {
        bool body = a->state == HTTP_BODY || a->state == HTTP_CHUNK || a->state == HTTP_BODY_TO_END;
        size_t used;

        p = body ? take_body(a, bytes, n, &used) : take_line(a, bytes, n, &used);
        bytes += used;
        n -= used;
    }
    if (p == HTTP_DONE && n > 0)
        a->keep_alive = false;
    return p;
}

enum http_progress http_answer_end(struct http_answer *a)
{
    a->keep_alive = false;
    if (a->state == HTTP_BODY_TO_END)
        return HTTP_DONE;
    return bad(a, a->spoke ? "it closed the connection in the middle of its answer"
                           : "it closed the connection without an answer");
}
