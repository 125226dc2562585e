#include "egress/head.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HTTP_PORT     80
#define METHOD_MAX    32
#define SCHEME        "http://"
#define SECURE_SCHEME "https://"

struct span {
    const char *at;
    size_t len;
};

static enum egress_progress bad(struct egress_head *h, int status, const char *wrong)
{
    h->status = status;
    h->wrong = wrong;
    return EGRESS_BAD;
}

static bool is(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static bool begins(struct span s, const char *word)
{
    return s.len >= strlen(word) && strncasecmp(s.at, word, strlen(word)) == 0;
}

/* RFC 9110's token. */
static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];

        if (!isascii(c) || (!isalnum(c) && !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.len > 0;
}

static bool is_number(struct span s, uint64_t max, uint64_t *out)
{
    char text[24];

    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    return pl_parse_u64(text, max, out);
}

/* Up to and without its CRLF; 'at' moves behind it. */
static struct span next_line(const char **at)
{
    const char *end = strstr(*at, "\r\n");
    struct span line = { *at, (size_t)(end - *at) };

    *at = end + 2;
    return line;
}

/* ---- the request line ---- */

/* "HOST:PORT", "HOST", "[ADDRESS]:PORT"; port_or 0: the port must be there. */
static bool read_authority(struct egress_head *h, struct span s, uint16_t port_or)
{
    const char *colon = memrchr(s.at, ':', s.len), *bracket = memrchr(s.at, ']', s.len);
    struct span host = s;
    uint64_t port = port_or;

    if (colon && (!bracket || colon > bracket)) {
        host.len = (size_t)(colon - s.at);
        if (!is_number((struct span){ colon + 1, s.len - host.len - 1 }, 65535, &port))
            return false;
    }
    h->port = (uint16_t)port;
    return port > 0 && egress_host_read(host.at, host.len, h->host);
}

static enum egress_progress read_address(struct egress_head *h, const char *bytes, struct span target)
{
    struct span rest = { target.at + strlen(SCHEME), target.len - strlen(SCHEME) };
    size_t n = 0;

    while (n < rest.len && rest.at[n] != '/' && rest.at[n] != '?' && rest.at[n] != '#')
        n++;
    if (!read_authority(h, (struct span){ rest.at, n }, HTTP_PORT))
        return bad(h, 400, "the address in its first line has no host, or a wrong one");
    h->authority_at = (size_t)(rest.at - bytes);
    h->authority_len = n;
    h->path_at = h->authority_at + n;
    h->path_len = rest.len - n;
    return EGRESS_GOOD;
}

static enum egress_progress read_target(struct egress_head *h, const char *bytes, struct span method,
                                        struct span target)
{
    h->tunnel = is(method, "CONNECT");
    h->method_len = method.len;
    if (h->tunnel)
        return read_authority(h, target, 0) ? EGRESS_GOOD : bad(h, 400, "CONNECT wants HOST:PORT");
    if (begins(target, SECURE_SCHEME))
        return bad(h, 501, "https:// is reached through CONNECT");
    if (!begins(target, SCHEME))
        return bad(h, 400, "this is a proxy: it wants CONNECT, or a whole http:// address");
    return read_address(h, bytes, target);
}

static enum egress_progress read_first_line(struct egress_head *h, const char *bytes, struct span line)
{
    const char *one = memchr(line.at, ' ', line.len), *two = memrchr(line.at, ' ', line.len);
    struct span method, target, version;

    if (!one || one == two)
        return bad(h, 400, "its first line is not METHOD TARGET HTTP/1.1");
    method = (struct span){ line.at, (size_t)(one - line.at) };
    target = (struct span){ one + 1, (size_t)(two - one - 1) };
    version = (struct span){ two + 1, line.len - (size_t)(two + 1 - line.at) };
    if (!is_token(method) || method.len > METHOD_MAX || memchr(target.at, ' ', target.len) || target.len == 0)
        return bad(h, 400, "its first line is not METHOD TARGET HTTP/1.1");
    if (!is(version, "HTTP/1.1") && !is(version, "HTTP/1.0"))
        return bad(h, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return read_target(h, bytes, method, target);
}

/* ---- fields ---- */

static struct span trim(struct span s)
{
    for (; s.len > 0 && (*s.at == ' ' || *s.at == '\t'); s.at++)
        s.len--;
    for (; s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t');)
        s.len--;
    return s;
}

/* False: it is no field. */
static bool split(struct span line, struct span *name, struct span *value)
{
    const char *colon = memchr(line.at, ':', line.len);

    if (!colon)
        return false;
    *name = (struct span){ line.at, (size_t)(colon - line.at) };
    *value = trim((struct span){ colon + 1, line.len - name->len - 1 });
    return is_token(*name);
}

static enum egress_progress read_fields(struct egress_head *h, const char *at, const char *end)
{
    bool sized = false, coded = false;
    struct span name, value;
    uint64_t n = 0;

    while (at < end) {
        if (!split(next_line(&at), &name, &value))
            return bad(h, 400, "a line of its head is not NAME: VALUE");
        if (is(name, "Content-Length")) {
            if (sized || !is_number(value, INT64_MAX, &n))
                return bad(h, 400, "its Content-Length is no number, or there are several");
            sized = true;
        }
        coded = coded || is(name, "Transfer-Encoding");
    }
    if (sized && coded)
        return bad(h, 400, "it has a Content-Length and a Transfer-Encoding");
    h->body = coded ? EGRESS_BODY_OPEN : (int64_t)n;
    return EGRESS_GOOD;
}

/* What has no place in a head: other controls than CR and LF in pairs, and tabs. */
static bool is_clean(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '\r'   ? i + 1 == n || s[i + 1] != '\n'
            : c == '\n' ? i == 0 || s[i - 1] != '\r'
                        : iscntrl(c) && c != '\t')
            return false;
    }
    return true;
}

enum egress_progress egress_head_read(struct egress_head *h, const char *bytes, size_t n)
{
    const char *end = memmem(bytes, n, "\r\n\r\n", 4), *at;
    char text[EGRESS_HEAD_MAX + 1];
    enum egress_progress p;

    *h = (struct egress_head){ 0 };
    if (end ? (size_t)(end - bytes) + 4 > EGRESS_HEAD_MAX : n >= EGRESS_HEAD_MAX)
        return bad(h, 431, "its head is longer than 8192 bytes");
    if (!is_clean(bytes, end ? (size_t)(end - bytes) + 4 : n > 0 && bytes[n - 1] == '\r' ? n - 1 : n))
        return bad(h, 400, "its head has control characters, or lines that do not end with CR LF");
    if (!end)
        return EGRESS_MORE;
    h->size = (size_t)(end - bytes) + 4;
    memcpy(text, bytes, h->size);
    text[h->size] = '\0';
    at = text;
    p = read_first_line(h, text, next_line(&at));
    h->fields_at = (size_t)(at - text);
    return p == EGRESS_GOOD ? read_fields(h, at, text + h->size - 2) : p;
}

/* ---- on its way ---- */

static bool is_ours(struct span name)
{
    static const char *const dropped[] = { "Host",    "Connection", "Proxy-Connection",   "Proxy-Authorization",
                                           "Upgrade", "Keep-Alive", "Proxy-Authenticate", "TE" };

    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        if (is(name, dropped[i]))
            return true;
    return false;
}

static size_t put(char *out, size_t at, const char *bytes, size_t n)
{
    memcpy(out + at, bytes, n);
    return at + n;
}

#define PUT(text) at = put(out, at, text, sizeof(text) - 1)

size_t egress_head_forward(const struct egress_head *h, const char *bytes, char *out, size_t size)
{
    char text[EGRESS_HEAD_MAX + 1];
    const char *line = text + h->fields_at, *fragment = memchr(bytes + h->path_at, '#', h->path_len);
    size_t path_len = fragment ? (size_t)(fragment - bytes) - h->path_at : h->path_len, at;
    struct span name, value;

    if (size < h->size + EGRESS_HEAD_EXTRA)
        return 0;
    memcpy(text, bytes, h->size);
    text[h->size] = '\0';
    at = put(out, 0, text, h->method_len);
    PUT(" ");
    if (path_len == 0 || text[h->path_at] != '/')
        PUT("/");
    at = put(out, at, text + h->path_at, path_len);
    PUT(" HTTP/1.1\r\nHost: ");
    at = put(out, at, text + h->authority_at, h->authority_len);
    PUT("\r\n");
    while (line < text + h->size - 2) {
        struct span whole = next_line(&line);

        if (!split(whole, &name, &value) || is_ours(name))
            continue;
        at = put(out, at, whole.at, whole.len);
        PUT("\r\n");
    }
    PUT("Connection: close\r\n\r\n");
    return at;
}
