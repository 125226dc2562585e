#include "artifact_uri.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *prefix;
    enum artifact_scheme scheme;
} schemes[] = {
    { "file://", ARTIFACT_FILE },
    { "https://", ARTIFACT_HTTPS },
    { "http://", ARTIFACT_HTTP },
    { "s3://", ARTIFACT_S3 },
};

static enum pl_code wrong(struct pl_err *err, const char *shown, const char *why)
{
    return pl_fail(err, PL_INVALID, "artifact_uri", "artifact_uri: '%.300s' %s", shown, why);
}

void artifact_uri_done(struct artifact_uri *u)
{
    free(u->path);
    free(u->url);
    free(u->bucket);
    free(u->key);
    free(u->shown);
    *u = (struct artifact_uri){ 0 };
}

/* "https://user:secret@host/path?signature" -> "https://host/path". */
static char *without_secrets(const char *text)
{
    const char *rest = strstr(text, "://");
    const char *slash, *at = NULL;

    rest = rest ? rest + 3 : text;
    slash = rest + strcspn(rest, "/?#");
    for (const char *p = rest; p < slash; p++)
        if (*p == '@')
            at = p + 1;
    if (!at)
        at = rest;
    return pl_format("%.*s%.*s", (int)(rest - text), text, (int)strcspn(at, "?#"), at);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: a NUL in disguise. A '%' that starts no pair of digits stands for itself. */
static bool percent_decode(char *s)
{
    char *out = s;

    for (; *s; s++) {
        if (s[0] == '%' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
            char c = (char)(hex_digit(s[1]) * 16 + hex_digit(s[2]));

            if (c == '\0')
                return false;
            *out++ = c;
            s += 2;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
    return true;
}

static enum pl_code parse_file(struct artifact_uri *u, const char *rest, struct pl_err *err)
{
    if (strncmp(rest, "localhost/", 10) == 0)
        rest += 9;
    if (rest[0] != '/')
        return wrong(err, u->shown, "is not file:// and an absolute path");
    u->path = pl_strdup(rest);
    return percent_decode(u->path) ? PL_OK : wrong(err, u->shown, "has a NUL byte in its path");
}

static enum pl_code parse_http(struct artifact_uri *u, const char *text, const char *rest, struct pl_err *err)
{
    if (rest[strcspn(rest, "/")] == '\0' || rest[0] == '/')
        return wrong(err, u->shown, "has no host or no path");
    u->url = pl_strdup(text);
    return PL_OK;
}

/* Names as in the S3 user guide, "Bucket naming rules"; underscores are older than the rule. */
static bool bucket_valid(const char *s, size_t n)
{
    if (n < 3 || n > 63 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.' && s[i] != '_')
            return false;
    return true;
}

static enum pl_code parse_s3(struct artifact_uri *u, const char *text, const char *rest, struct pl_err *err)
{
    size_t n = strcspn(rest, "/");

    free(u->shown);
    u->shown = pl_strdup(text); /* '?' and '@' are ordinary in a key */
    if (!bucket_valid(rest, n))
        return wrong(err, u->shown, "has no bucket name of 3..63 letters, digits, '-', '.' after s3://");
    if (rest[n] != '/' || rest[n + 1] == '\0')
        return wrong(err, u->shown, "has no key after the bucket");
    u->bucket = pl_strndup(rest, n);
    u->key = pl_strdup(rest + n + 1);
    return PL_OK;
}

static enum pl_code parse(struct artifact_uri *u, const char *text, struct pl_err *err)
{
    for (size_t i = 0; i < PL_COUNT(schemes); i++) {
        const char *rest = text + strlen(schemes[i].prefix);

        if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) != 0)
            continue;
        u->scheme = schemes[i].scheme;
        if (u->scheme == ARTIFACT_FILE)
            return parse_file(u, rest, err);
        if (u->scheme == ARTIFACT_S3)
            return parse_s3(u, text, rest, err);
        return parse_http(u, text, rest, err);
    }
    return wrong(err, u->shown, "does not start with file://, https:// or s3://");
}

enum pl_code artifact_uri_parse(struct artifact_uri *out, const char *text, struct pl_err *err)
{
    struct artifact_uri u = { 0 };
    size_t n = strlen(text);

    if (n == 0 || n > ARTIFACT_URI_MAX)
        return pl_fail(err, PL_INVALID, "artifact_uri", "artifact_uri: %zu bytes long; 1 to %d are allowed", n,
                       ARTIFACT_URI_MAX);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return pl_fail(err, PL_INVALID, "artifact_uri", "artifact_uri: control character at byte %zu",
                           (size_t)(p - text));
    u.shown = without_secrets(text);
    if (parse(&u, text, err) != PL_OK) {
        artifact_uri_done(&u);
        return PL_INVALID;
    }
    *out = u;
    return PL_OK;
}

/* S3 wants everything but the unreserved characters and '/' encoded, and signs exactly that text. */
static void add_key(struct pl_buf *b, const char *key)
{
    for (const unsigned char *p = (const unsigned char *)key; *p; p++) {
        if (isalnum(*p) || strchr("-._~/", *p))
            (void)pl_buf_addc(b, (char)*p);
        else
            (void)pl_buf_addf(b, "%%%02X", *p);
    }
}

char *artifact_s3_url(const struct artifact_uri *u, const char *endpoint, const char *region, bool path_style)
{
    struct pl_buf b = PL_BUF_INIT((size_t)64 << 10);
    pl_cleanup(pl_free_p) char *aws = pl_format("https://s3.%s.amazonaws.com", region);
    const char *base = endpoint[0] ? endpoint : aws;
    const char *host = strstr(base, "://") + 3;
    size_t host_len = strlen(host);

    while (host_len > 0 && host[host_len - 1] == '/')
        host_len--;
    (void)pl_buf_add(&b, base, (size_t)(host - base));
    if (!path_style)
        (void)pl_buf_addf(&b, "%s.", u->bucket);
    (void)pl_buf_addf(&b, "%.*s/", (int)host_len, host);
    if (path_style)
        (void)pl_buf_addf(&b, "%s/", u->bucket);
    add_key(&b, u->key);
    return pl_buf_take(&b, NULL);
}
