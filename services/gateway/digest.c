#include "digest.h"

#include "base/err.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#define BLOCK_BYTES 64

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

/* SHA-256 of a block, which is the key with 'pad' over it, and of 'bytes' behind it. */
static void padded(const unsigned char key[BLOCK_BYTES], unsigned char pad, const void *bytes, size_t n,
                   unsigned char out[SHA256_BYTES])
{
    unsigned char block[BLOCK_BYTES];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ pad;
    if (!c || EVP_DigestInit_ex2(c, sha256, NULL) != 1 || EVP_DigestUpdate(c, block, BLOCK_BYTES) != 1 ||
        EVP_DigestUpdate(c, bytes, n) != 1 || EVP_DigestFinal_ex(c, out, NULL) != 1)
        pl_die("SHA-256 failed");
    EVP_MD_CTX_free(c);
    OPENSSL_cleanse(block, sizeof(block));
}

/* RFC 2104. OpenSSL 3's HMAC() looks its algorithm up each time, four times as long as the hashing takes. */
void digest_hmac(const void *key, size_t key_len, const void *bytes, size_t n, unsigned char out[SHA256_BYTES])
{
    unsigned char block[BLOCK_BYTES] = { 0 }, inner[SHA256_BYTES];
    (void)pthread_once(&once, fetch);
    if (key_len > BLOCK_BYTES)
        digest_sha256(key, key_len, block);
    else
        memcpy(block, key, key_len);
    padded(block, 0x36, bytes, n, inner);
    padded(block, 0x5c, inner, sizeof(inner), out);
    OPENSSL_cleanse(block, sizeof(block));
}

bool digest_equal(const char *a, const char *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
