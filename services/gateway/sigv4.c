/* Reading and checking claims, and the arithmetic of signatures. sigv4_canonical.c makes the canonical request. */
#include "sigv4.h"

#include "base/text.h"
#include "sigv4_private.h"
#include "uri.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

/* ---- reading ---- */

static bool all_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)s[i]))
            return false;
    return true;
}

static int two_digits(const char *s)
{
    return (s[0] - '0') * 10 + s[1] - '0';
}

/* "20260211T081530Z" */
static bool read_timestamp(const char *text, struct sigv4_claim *out)
{
    if (!text || strlen(text) != 16 || !all_digits(text, 8) || text[8] != 'T' || !all_digits(text + 9, 6) ||
        text[15] != 'Z')
        return false;
    struct tm tm = { .tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900,
                     .tm_mon = two_digits(text + 4) - 1,
                     .tm_mday = two_digits(text + 6),
                     .tm_hour = two_digits(text + 9),
                     .tm_min = two_digits(text + 11),
                     .tm_sec = two_digits(text + 13) };
    memcpy(out->timestamp, text, 17);
    out->time_s = timegm(&tm);
    return true;
}

/* "Wed, 11 Feb 2026 08:15:30 GMT", for clients that send Date alone. */
static bool read_http_date(const char *text, struct sigv4_claim *out)
{
    struct tm tm = { 0 };
    const char *rest = text ? strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
    if (!rest || *rest)
        return false;
    out->time_s = timegm(&tm);
    return strftime(out->timestamp, sizeof(out->timestamp), "%Y%m%dT%H%M%SZ", &tm) == 16;
}

/* "ID/20260211/us-east-1/s3/aws4_request" */
static bool read_credential(char *text, struct arena *a, struct sigv4_claim *out)
{
    char *part[5], *rest = text;
    char *slash = strchr(text, '/');
    if (!slash)
        return false;
    out->scope = arena_strdup(a, slash + 1);
    for (size_t i = 0; i < PL_COUNT(part); i++) {
        part[i] = strsep(&rest, "/");
        if (!part[i] || !*part[i])
            return false;
    }
    if (rest || strlen(part[1]) != 8 || !all_digits(part[1], 8) || strcmp(part[4], "aws4_request") != 0)
        return false;
    out->access_key = part[0];
    memcpy(out->date, part[1], 9);
    out->region = part[2];
    out->service = part[3];
    return true;
}

static bool is_signature(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* Lower-case names, each once, host among them. */
static bool are_signed_headers(const char *text)
{
    size_t count = 1;
    if (!*text)
        return false;
    for (const char *p = text; *p; p++) {
        if (*p == ';' && (p == text || p[1] == ';' || p[1] == '\0'))
            return false;
        if (isupper((unsigned char)*p) || isspace((unsigned char)*p))
            return false;
        count += *p == ';';
    }
    return count <= SIGV4_HEADERS_MAX && sigv4_is_signed(text, "host");
}

static const char *header(const struct sigv4_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

#define INCOMPLETE(text) (*out_why = (text), SIGV4_INCOMPLETE)

/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..." */
static enum sigv4_result read_authorization(const struct sigv4_request *r, const char *value, struct arena *a,
                                            struct sigv4_claim *out, const char **out_why)
{
    static const char *const names[] = { "Credential=", "SignedHeaders=", "Signature=" };
    char *found[PL_COUNT(names)] = { 0 };
    if (strncmp(value, ALGORITHM " ", sizeof(ALGORITHM)) != 0)
        return INCOMPLETE("Authorization header requires the algorithm 'AWS4-HMAC-SHA256'.");
    char *rest = arena_strdup(a, value + sizeof(ALGORITHM)), *part;
    while ((part = strsep(&rest, ","))) {
        part += strspn(part, " \t");
        part[strcspn(part, " \t")] = '\0';
        for (size_t i = 0; i < PL_COUNT(names); i++)
            if (strncmp(part, names[i], strlen(names[i])) == 0) {
                if (found[i])
                    return INCOMPLETE("Authorization header has a parameter twice.");
                found[i] = part + strlen(names[i]);
            }
    }
    if (!found[0])
        return INCOMPLETE("Authorization header requires 'Credential' parameter.");
    if (!found[1])
        return INCOMPLETE("Authorization header requires 'SignedHeaders' parameter.");
    if (!found[2])
        return INCOMPLETE("Authorization header requires 'Signature' parameter.");
    if (!read_credential(found[0], a, out))
        return INCOMPLETE("Credential must be <access-key>/<yyyymmdd>/<region>/<service>/aws4_request.");
    if (!are_signed_headers(found[1]))
        return INCOMPLETE("SignedHeaders must be lower-case names separated by ';', and 'host' must be one of them.");
    if (!is_signature(found[2]))
        return INCOMPLETE("Signature must be 64 lower-case hex digits.");
    if (header(r, "X-Amz-Date") ? !read_timestamp(header(r, "X-Amz-Date"), out)
                                : !read_http_date(header(r, "Date"), out))
        return INCOMPLETE("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    out->signed_headers = found[1];
    out->signature = found[2];
    return SIGV4_OK;
}

static enum sigv4_result read_presigned(const struct sigv4_request *r, struct arena *a, struct sigv4_claim *out,
                                        const char **out_why)
{
    char *algorithm = uri_query_value(r->query, "X-Amz-Algorithm", a);
    char *credential = uri_query_value(r->query, "X-Amz-Credential", a);
    char *date = uri_query_value(r->query, "X-Amz-Date", a);
    char *expires = uri_query_value(r->query, "X-Amz-Expires", a);
    char *names = uri_query_value(r->query, "X-Amz-SignedHeaders", a);
    char *signature = uri_query_value(r->query, "X-Amz-Signature", a);
    if (!algorithm || !credential || !date || !expires || !names || !signature)
        return INCOMPLETE("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                          "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
    if (strcmp(algorithm, ALGORITHM) != 0)
        return INCOMPLETE("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\".");
    if (!read_credential(credential, a, out))
        return INCOMPLETE("X-Amz-Credential must be <access-key>/<yyyymmdd>/<region>/<service>/aws4_request.");
    if (!read_timestamp(date, out))
        return INCOMPLETE("X-Amz-Date must be formatted as yyyymmddThhmmssZ.");
    if (!pl_parse_i64(expires, 1, SIGV4_PRESIGNED_MAX_S, &out->expires_s))
        return INCOMPLETE("X-Amz-Expires must be 1 to 604800 seconds.");
    if (!are_signed_headers(names) || !is_signature(signature))
        return INCOMPLETE("X-Amz-SignedHeaders or X-Amz-Signature is malformed.");
    out->signed_headers = names;
    out->signature = signature;
    out->presigned = true;
    return SIGV4_OK;
}

/* What says how a request is to be understood must have been signed too. */
static const char *unsigned_header(const struct sigv4_request *r, const struct sigv4_claim *c)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strncasecmp(r->headers[i].name, "x-amz-", 6) == 0 &&
            !sigv4_is_signed(c->signed_headers, r->headers[i].name))
            return r->headers[i].name;
    return NULL;
}

enum sigv4_result sigv4_read(const struct sigv4_request *r, struct arena *a, struct sigv4_claim *out,
                             const char **out_why)
{
    const char *authorization = header(r, "Authorization");
    *out = (struct sigv4_claim){ 0 };
    *out_why = "Missing Authentication Token";
    enum sigv4_result result;
    if (authorization)
        result = read_authorization(r, authorization, a, out, out_why);
    else if (uri_query_value(r->query, "X-Amz-Signature", a) || uri_query_value(r->query, "X-Amz-Algorithm", a))
        result = read_presigned(r, a, out, out_why);
    else if (uri_query_value(r->query, "AWSAccessKeyId", a))
        return INCOMPLETE(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.");
    else
        return SIGV4_MISSING;
    if (result != SIGV4_OK)
        return result;
    const char *name = unsigned_header(r, out);
    if (name)
        return INCOMPLETE(arena_format(a, "The header %.64s is there but was not signed.", name));
    if (strncmp(out->timestamp, out->date, 8) != 0)
        return INCOMPLETE(arena_format(a,
                                       "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                                       "date from HTTP: '%s' != '%.8s', from '%s'.",
                                       out->date, out->timestamp, out->timestamp));
    return SIGV4_OK;
}

/* ---- time ---- */

static char *stamp(int64_t time_s, struct arena *a)
{
    struct tm tm;
    time_t t = (time_t)time_s;
    char *out = arena_get(a, 17);
    (void)strftime(out, 17, "%Y%m%dT%H%M%SZ", gmtime_r(&t, &tm));
    return out;
}

enum sigv4_result sigv4_check_time(const struct sigv4_claim *c, int64_t now_s, int64_t max_skew_s, struct arena *a,
                                   const char **out_why)
{
    long long minutes = (long long)max_skew_s / 60;
    if (c->time_s > now_s + max_skew_s) {
        *out_why = arena_format(a, "Signature not yet current: %s is still later than %s (%s + %lld min.)",
                                c->timestamp, stamp(now_s + max_skew_s, a), stamp(now_s, a), minutes);
        return SIGV4_SKEWED;
    }
    if (c->presigned) {
        if (now_s <= c->time_s + c->expires_s)
            return SIGV4_OK;
        *out_why = "Request has expired";
        return SIGV4_EXPIRED;
    }
    if (c->time_s < now_s - max_skew_s) {
        *out_why = arena_format(a, "Signature expired: %s is now earlier than %s (%s - %lld min.)", c->timestamp,
                                stamp(now_s - max_skew_s, a), stamp(now_s, a), minutes);
        return SIGV4_SKEWED;
    }
    return SIGV4_OK;
}

/* ---- signing ---- */

void sigv4_key(const char *secret, const struct sigv4_claim *c, unsigned char out[SHA256_BYTES])
{
    char first[4 + 256];
    int n = snprintf(first, sizeof(first), "AWS4%s", secret);
    digest_hmac(first, (size_t)n < sizeof(first) ? (size_t)n : sizeof(first) - 1, c->date, 8, out);
    digest_hmac(out, SHA256_BYTES, c->region, strlen(c->region), out);
    digest_hmac(out, SHA256_BYTES, c->service, strlen(c->service), out);
    digest_hmac(out, SHA256_BYTES, "aws4_request", 12, out);
    explicit_bzero(first, sizeof(first));
}

void sigv4_sign(const struct sigv4_claim *c, const struct sigv4_request *r, const char *payload_hash, bool path_once,
                const unsigned char key[SHA256_BYTES], struct arena *a, char out[SHA256_HEX])
{
    char hash[SHA256_HEX];
    unsigned char signature[SHA256_BYTES];
    char *canonical = sigv4_canonical_request(c, r, payload_hash, path_once, a);
    digest_sha256_hex(canonical, strlen(canonical), hash);
    char *to_sign = arena_format(a, ALGORITHM "\n%s\n%s\n%s", c->timestamp, c->scope, hash);
    digest_hmac(key, SHA256_BYTES, to_sign, strlen(to_sign), signature);
    pl_hex(signature, sizeof(signature), out);
}

bool sigv4_same(const struct sigv4_claim *c, const char signature[SHA256_HEX])
{
    return digest_equal(c->signature, signature, SHA256_HEX - 1);
}
