#include "s3_chunk.h"

#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum state {
    AT_SIZE,    /* a line with a chunk's size                      */
    IN_DATA,    /* 'left' bytes of it to come                      */
    AFTER_DATA, /* the CRLF behind them                            */
    AT_TRAILER, /* lines, until an empty one                       */
    AT_END,     /* nothing more may come                           */
};

struct s3_chunks {
    struct s3_chunk_options options;
    enum state state;
    char line[S3_CHUNK_LINE + 1];
    size_t line_len;
    uint64_t left;
    bool last; /* the chunk of size 0 */
    char previous[SHA256_HEX], claimed[SHA256_HEX];
    EVP_MD_CTX *hash;
    char *trailers[S3_CHUNK_TRAILERS]; /* "name:value" */
    size_t trailer_count;
};

struct s3_chunks *s3_chunks_new(const struct s3_chunk_options *o)
{
    struct s3_chunks *c = PL_NEW(struct s3_chunks);
    c->options = *o;
    if (o->is_signed) {
        memcpy(c->previous, o->claim->signature, SHA256_HEX - 1);
        c->hash = EVP_MD_CTX_new();
        if (!c->hash)
            pl_die("out of memory");
    }
    return c;
}

void s3_chunks_free(struct s3_chunks *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->trailer_count; i++)
        free(c->trailers[i]);
    EVP_MD_CTX_free(c->hash);
    explicit_bzero(c->options.key, sizeof(c->options.key));
    free(c);
}

/* ---- signatures ---- */

/* The signature of 'what' (AWS4-HMAC-SHA256-PAYLOAD or -TRAILER) over 'rest', chained to the one before. */
static bool verify(struct s3_chunks *c, const char *what, const char *rest)
{
    unsigned char raw[SHA256_BYTES];
    char hex[SHA256_HEX];
    pl_cleanup(pl_free_p) char *text =
        pl_format("%s\n%s\n%s\n%s\n%s", what, c->options.claim->timestamp, c->options.claim->scope, c->previous, rest);
    digest_hmac(c->options.key, SHA256_BYTES, text, strlen(text), raw);
    pl_hex(raw, sizeof(raw), hex);
    if (!digest_equal(hex, c->claimed, SHA256_HEX - 1))
        return false;
    memcpy(c->previous, hex, SHA256_HEX);
    return true;
}

static bool verify_chunk(struct s3_chunks *c)
{
    unsigned char raw[SHA256_BYTES];
    char rest[2 * SHA256_HEX];
    if (!c->options.is_signed)
        return true;
    if (EVP_DigestFinal_ex(c->hash, raw, NULL) != 1)
        pl_die("SHA-256 failed");
    memcpy(rest, EMPTY_SHA256 "\n", SHA256_HEX);
    pl_hex(raw, sizeof(raw), rest + SHA256_HEX);
    return verify(c, "AWS4-HMAC-SHA256-PAYLOAD", rest);
}

static bool verify_trailer(struct s3_chunks *c)
{
    static const char name[] = "x-amz-trailer-signature";
    const char *signature = s3_chunks_trailer(c, name);
    char hash[SHA256_HEX];
    size_t len = 0;
    if (!c->options.is_signed)
        return true;
    if (!signature || strlen(signature) != SHA256_HEX - 1)
        return false;
    memcpy(c->claimed, signature, SHA256_HEX);
    pl_cleanup(pl_free_p) char *all = pl_new0(S3_CHUNK_TRAILERS, S3_CHUNK_LINE + 2);
    for (size_t i = 0; i < c->trailer_count; i++)
        if (strncmp(c->trailers[i], name, sizeof(name) - 1) != 0)
            len += (size_t)sprintf(all + len, "%s\n", c->trailers[i]);
    digest_sha256_hex(all, len, hash);
    return verify(c, "AWS4-HMAC-SHA256-TRAILER", hash);
}

/* ---- lines ---- */

/* Collects up to CRLF. -1: too long or a bare LF; 0: not complete; 1: 'line' has it, without CRLF. */
static int take_line(struct s3_chunks *c, const char *bytes, size_t n, size_t *out_taken)
{
    for (size_t i = 0; i < n; i++) {
        *out_taken = i + 1;
        if (bytes[i] == '\n') {
            if (c->line_len == 0 || c->line[c->line_len - 1] != '\r')
                return -1;
            c->line[--c->line_len] = '\0';
            c->line_len = 0;
            return strchr(c->line, '\r') ? -1 : 1;
        }
        if (c->line_len == S3_CHUNK_LINE || bytes[i] == '\0')
            return -1;
        c->line[c->line_len++] = bytes[i];
    }
    return 0;
}

/* "400" or "400;chunk-signature=HEX" */
static enum s3_chunk_result start_chunk(struct s3_chunks *c)
{
    static const char name[] = "chunk-signature=";
    char *semicolon = strchr(c->line, ';'), *end;
    if (semicolon)
        *semicolon = '\0';
    size_t digits = strlen(c->line);
    if (digits == 0 || digits > 15 || strspn(c->line, "0123456789abcdefABCDEF") != digits)
        return S3_CHUNK_MALFORMED;
    c->left = strtoull(c->line, &end, 16);
    c->last = c->left == 0;
    if (c->options.is_signed) {
        if (!semicolon || strncmp(semicolon + 1, name, sizeof(name) - 1) != 0 ||
            strlen(semicolon + sizeof(name)) != SHA256_HEX - 1)
            return S3_CHUNK_UNSIGNED;
        memcpy(c->claimed, semicolon + sizeof(name), SHA256_HEX);
        if (EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) != 1)
            pl_die("SHA-256 failed");
    }
    c->state = IN_DATA;
    return S3_CHUNK_OK;
}

static enum s3_chunk_result end_data(struct s3_chunks *c)
{
    if (!verify_chunk(c))
        return S3_CHUNK_UNSIGNED;
    /* Behind the last chunk come trailers, or at least their empty line. */
    c->state = c->last ? AT_TRAILER : AFTER_DATA;
    return S3_CHUNK_OK;
}

static enum s3_chunk_result take_trailer(struct s3_chunks *c)
{
    char *colon = strchr(c->line, ':');
    if (!*c->line) {
        c->state = AT_END;
        return !c->options.has_trailer || verify_trailer(c) ? S3_CHUNK_OK : S3_CHUNK_UNSIGNED;
    }
    if (!colon || c->trailer_count == S3_CHUNK_TRAILERS || !c->options.has_trailer)
        return S3_CHUNK_MALFORMED;
    for (char *p = c->line; p < colon; p++)
        *p = (char)tolower((unsigned char)*p);
    char *value = colon + 1 + strspn(colon + 1, " \t");
    c->trailers[c->trailer_count++] = pl_format("%.*s:%s", (int)(colon - c->line), c->line, value);
    return S3_CHUNK_OK;
}

static enum s3_chunk_result take_lines(struct s3_chunks *c, const char *bytes, size_t n, size_t *out_taken)
{
    int got = take_line(c, bytes, n, out_taken);
    if (got <= 0)
        return got < 0 ? S3_CHUNK_MALFORMED : S3_CHUNK_OK;
    if (c->state == AT_TRAILER)
        return take_trailer(c);
    if (c->state == AT_SIZE) {
        enum s3_chunk_result result = start_chunk(c);
        return result == S3_CHUNK_OK && c->last ? end_data(c) : result;
    }
    if (*c->line)
        return S3_CHUNK_MALFORMED; /* longer than its size said */
    c->state = AT_SIZE;
    return S3_CHUNK_OK;
}

enum s3_chunk_result s3_chunks_read(struct s3_chunks *c, const char *bytes, size_t n, size_t *out_taken,
                                    const char **out_data, size_t *out_len)
{
    *out_taken = *out_len = 0;
    if (n == 0)
        return S3_CHUNK_OK;
    if (c->state == AT_END)
        return S3_CHUNK_MALFORMED;
    if (c->state != IN_DATA)
        return take_lines(c, bytes, n, out_taken);
    *out_len = *out_taken = n < c->left ? n : (size_t)c->left;
    *out_data = bytes;
    c->left -= *out_len;
    if (c->hash && EVP_DigestUpdate(c->hash, bytes, *out_len) != 1)
        pl_die("SHA-256 failed");
    return c->left == 0 ? end_data(c) : S3_CHUNK_OK;
}

bool s3_chunks_complete(const struct s3_chunks *c)
{
    return c->state == AT_END;
}

const char *s3_chunks_trailer(const struct s3_chunks *c, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < c->trailer_count; i++)
        if (strncmp(c->trailers[i], name, n) == 0 && c->trailers[i][n] == ':')
            return c->trailers[i] + n + 1;
    return NULL;
}
