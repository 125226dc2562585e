/* digest - SHA-256 and HMAC-SHA-256 of short texts, and MD5 for S3's ETags, by OpenSSL's libcrypto. Threads: any. */
#ifndef GATEWAY_DIGEST_H
#define GATEWAY_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define SHA256_BYTES 32
#define SHA256_HEX   65 /* with its NUL */
#define MD5_BYTES    16

void digest_sha256(const void *bytes, size_t n, unsigned char out[SHA256_BYTES]);
void digest_sha256_hex(const void *bytes, size_t n, char out[SHA256_HEX]);
void digest_hmac(const void *key, size_t key_len, const void *bytes, size_t n, unsigned char out[SHA256_BYTES]);
/* Takes the same time wherever the texts differ. */
bool digest_equal(const char *a, const char *b, size_t n);

#endif
