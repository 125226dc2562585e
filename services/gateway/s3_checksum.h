/* s3_checksum - what a client may have sent along to prove that its bytes arrived: MD5, SHA-256 of the signature, and
 * the x-amz-checksum-* family. Threads: one at a time. */
#ifndef GATEWAY_S3_CHECKSUM_H
#define GATEWAY_S3_CHECKSUM_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum s3_checksum_kind {
    S3_CHECKSUM_NONE,
    S3_CHECKSUM_CRC32,
    S3_CHECKSUM_CRC32C,
    S3_CHECKSUM_CRC64NVME,
    S3_CHECKSUM_SHA1,
    S3_CHECKSUM_SHA256,
};

/* By header name, "x-amz-checksum-crc32"; NONE for others. */
enum s3_checksum_kind s3_checksum_of(const char *header);
const char *s3_checksum_header(enum s3_checksum_kind kind);

struct s3_checksum {
    enum s3_checksum_kind kind;
    uint64_t crc;
    EVP_MD_CTX *hash;
};
void s3_checksum_start(struct s3_checksum *c, enum s3_checksum_kind kind);
void s3_checksum_add(struct s3_checksum *c, const void *bytes, size_t n);
/* Base64 into 'out'. */
void s3_checksum_finish(struct s3_checksum *c, char out[64]);
void s3_checksum_done(struct s3_checksum *c);

void s3_base64(const unsigned char *bytes, size_t n, char *out); /* 4 * ((n + 2) / 3) + 1 */

#endif
