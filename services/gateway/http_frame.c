#include "http_frame.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

/* What a character may stand in: every one of every request is looked at. */
enum { TOKEN = 1, VALUE = 2 };
static const unsigned char kinds[256] = {
    /* RFC 9110, 5.6.2 */
    ['0' ... '9'] = TOKEN | VALUE,
    ['A' ... 'Z'] = TOKEN | VALUE,
    ['a' ... 'z'] = TOKEN | VALUE,
    ['!'] = TOKEN | VALUE,
    ['#' ... '\''] = TOKEN | VALUE,
    ['*' ... '+'] = TOKEN | VALUE,
    ['-' ... '.'] = TOKEN | VALUE,
    ['^' ... '`'] = TOKEN | VALUE,
    ['|'] = TOKEN | VALUE,
    ['~'] = TOKEN | VALUE,
    /* No control characters but tab: a bare CR or LF here is a header line to somebody else. */
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['"'] = VALUE,
    ['(' ... ')'] = VALUE,
    [','] = VALUE,
    ['/'] = VALUE,
    [':' ... '@'] = VALUE,
    ['[' ... ']'] = VALUE,
    ['{'] = VALUE,
    ['}'] = VALUE,
    [0x80 ... 0xff] = VALUE,
};

static bool all_are(const char *s, unsigned char kind)
{
    for (; *s; s++)
        if (!(kinds[(unsigned char)*s] & kind))
            return false;
    return true;
}

static bool is_token(const char *s)
{
    return *s && all_are(s, TOKEN);
}

static bool is_field_value(const char *s)
{
    return all_are(s, VALUE);
}

static enum pl_code check_length(const char *value, struct http_frame *out, struct pl_err *err)
{
    size_t n = strlen(value);
    if (n == 0 || strspn(value, "0123456789") != n || !pl_parse_i64(value, 0, INT64_MAX, &out->content_length))
        return pl_fail(err, PL_INVALID, "Content-Length", "Content-Length \"%.40s\" is not a length", value);
    return PL_OK;
}

enum pl_code http_frame_check(const char *version, const struct http_header *headers, size_t count,
                              struct http_frame *out, struct pl_err *err)
{
    unsigned lengths = 0, codings = 0, hosts = 0;
    *out = (struct http_frame){ 0 };
    bool http11 = strcmp(version, "HTTP/1.1") == 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = headers[i].name, *value = headers[i].value;
        if (!is_token(name))
            return pl_fail(err, PL_INVALID, NULL, "a header's name is \"%.40s\"", name);
        if (!is_field_value(value))
            return pl_fail(err, PL_INVALID, name, "the header %.40s has a control character", name);
        if (strcasecmp(name, "Content-Length") == 0) {
            if (lengths++ > 0)
                return pl_fail(err, PL_INVALID, name, "more than one Content-Length");
            if (check_length(value, out, err) != PL_OK)
                return err->code;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
            if (codings++ > 0 || strcasecmp(value, "chunked") != 0)
                return pl_fail(err, PL_UNIMPLEMENTED, name, "Transfer-Encoding \"%.40s\": only chunked is known, once",
                               value);
        } else if (strcasecmp(name, "Host") == 0 && hosts++ > 0) {
            return pl_fail(err, PL_INVALID, name, "more than one Host");
        } else if (strcasecmp(name, "Expect") == 0 && strcasecmp(value, "100-continue") == 0) {
            out->expects_continue = true;
        }
    }
    if (lengths && codings)
        return pl_fail(err, PL_INVALID, "Transfer-Encoding", "both Content-Length and Transfer-Encoding");
    if (codings && !http11)
        return pl_fail(err, PL_INVALID, "Transfer-Encoding", "Transfer-Encoding in %.10s", version);
    if (http11 && hosts == 0)
        return pl_fail(err, PL_INVALID, "Host", "no Host");
    if (codings)
        out->content_length = -1;
    return PL_OK;
}
