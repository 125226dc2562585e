#include "s3_checksum.h"

#include "base/err.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

static const char *const headers[] = {
    [S3_CHECKSUM_CRC32] = "x-amz-checksum-crc32",         [S3_CHECKSUM_CRC32C] = "x-amz-checksum-crc32c",
    [S3_CHECKSUM_CRC64NVME] = "x-amz-checksum-crc64nvme", [S3_CHECKSUM_SHA1] = "x-amz-checksum-sha1",
    [S3_CHECKSUM_SHA256] = "x-amz-checksum-sha256",
};

enum s3_checksum_kind s3_checksum_of(const char *header)
{
    for (size_t i = 1; i < PL_COUNT(headers); i++)
        if (strcasecmp(headers[i], header) == 0)
            return (enum s3_checksum_kind)i;
    return S3_CHECKSUM_NONE;
}

const char *s3_checksum_header(enum s3_checksum_kind kind)
{
    return headers[kind];
}

/* Reflected polynomials: zlib's, Castagnoli's, and that of NVMe. */
static const uint64_t polynomials[] = { UINT64_C(0xEDB88320), UINT64_C(0x82F63B78), UINT64_C(0x9A6C9329AC4BC9B5) };
static uint64_t tables[PL_COUNT(polynomials)][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (size_t t = 0; t < PL_COUNT(polynomials); t++)
        for (uint64_t i = 0; i < 256; i++) {
            uint64_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? polynomials[t] ^ c >> 1 : c >> 1;
            tables[t][i] = c;
        }
}

static bool is_crc(enum s3_checksum_kind kind)
{
    return kind >= S3_CHECKSUM_CRC32 && kind <= S3_CHECKSUM_CRC64NVME;
}

void s3_checksum_start(struct s3_checksum *c, enum s3_checksum_kind kind)
{
    *c = (struct s3_checksum){ .kind = kind, .crc = ~UINT64_C(0) };
    (void)pthread_once(&once, make_tables);
    if (kind == S3_CHECKSUM_CRC32 || kind == S3_CHECKSUM_CRC32C)
        c->crc = UINT32_MAX;
    if (kind != S3_CHECKSUM_SHA1 && kind != S3_CHECKSUM_SHA256)
        return;
    c->hash = EVP_MD_CTX_new();
    if (!c->hash || EVP_DigestInit_ex(c->hash, kind == S3_CHECKSUM_SHA1 ? EVP_sha1() : EVP_sha256(), NULL) != 1)
        pl_die("no SHA");
}

void s3_checksum_add(struct s3_checksum *c, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    if (is_crc(c->kind)) {
        const uint64_t *table = tables[c->kind - S3_CHECKSUM_CRC32];
        for (size_t i = 0; i < n; i++)
            c->crc = table[(c->crc ^ p[i]) & 0xff] ^ c->crc >> 8;
    } else if (c->hash && EVP_DigestUpdate(c->hash, bytes, n) != 1) {
        pl_die("SHA failed");
    }
}

void s3_base64(const unsigned char *bytes, size_t n, char *out)
{
    (void)EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
}

void s3_checksum_finish(struct s3_checksum *c, char out[64])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = c->kind == S3_CHECKSUM_CRC64NVME ? 8 : 4;
    out[0] = '\0';
    if (is_crc(c->kind)) {
        uint64_t crc = n == 8 ? ~c->crc : ~c->crc & UINT32_MAX;
        for (unsigned i = 0; i < n; i++)
            raw[i] = (unsigned char)(crc >> 8 * (n - 1 - i));
    } else if (!c->hash) {
        return;
    } else if (EVP_DigestFinal_ex(c->hash, raw, &n) != 1) {
        pl_die("SHA failed");
    }
    s3_base64(raw, n, out);
}

void s3_checksum_done(struct s3_checksum *c)
{
    EVP_MD_CTX_free(c->hash);
    *c = (struct s3_checksum){ 0 };
}
