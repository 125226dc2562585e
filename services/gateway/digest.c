#include "digest.h"

#include "base/err.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>

/* Fetched once: to look an algorithm up by name costs OpenSSL 3 more than to hash a short text. */
static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256)
        pl_die("OpenSSL has no SHA-256");
}

void digest_sha256(const void *bytes, size_t n, unsigned char out[SHA256_BYTES])
{
    (void)pthread_once(&once, fetch);
    if (EVP_Digest(bytes, n, out, NULL, sha256, NULL) != 1)
        pl_die("SHA-256 failed");
}

void digest_sha256_hex(const void *bytes, size_t n, char out[SHA256_HEX])
{
    unsigned char raw[SHA256_BYTES];
    digest_sha256(bytes, n, raw);
    pl_hex(raw, sizeof(raw), out);
}

void digest_hmac(const void *key, size_t key_len, const void *bytes, size_t n, unsigned char out[SHA256_BYTES])
{
    (void)pthread_once(&once, fetch);
    if (!HMAC(sha256, key, (int)key_len, bytes, n, out, NULL))
        pl_die("HMAC-SHA-256 failed");
}

bool digest_equal(const char *a, const char *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
