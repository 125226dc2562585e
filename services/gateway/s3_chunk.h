/* s3_chunk - aws-chunked bodies: data in chunks that may each be signed, and trailers behind them.
 *
 *     400;chunk-signature=HEX CRLF 1024 bytes CRLF 0;chunk-signature=HEX CRLF x-amz-checksum-crc32:B64 CRLF CRLF
 *
 * A reader that is pushed: whatever pieces the body comes in, it takes some and hands out spans of data that lie in the
 * caller's bytes. A chunk's signature is checked when its last byte was seen, so data must not be used for good before
 * the end. Pure. Limits: S3_CHUNK_LINE bytes a line, S3_CHUNK_TRAILERS trailers.
 * Source: S3 documentation of chunked uploads with Signature Version 4. */
#ifndef GATEWAY_S3_CHUNK_H
#define GATEWAY_S3_CHUNK_H

#include "sigv4.h"

#define S3_CHUNK_LINE     512
#define S3_CHUNK_TRAILERS 8

struct s3_chunks;

enum s3_chunk_result {
    S3_CHUNK_OK,
    S3_CHUNK_MALFORMED,
    S3_CHUNK_UNSIGNED, /* a signature is missing or wrong */
};

struct s3_chunk_options {
    bool is_signed;                  /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD... */
    bool has_trailer;                /* ...-TRAILER                           */
    unsigned char key[SHA256_BYTES]; /* is_signed: the signing key */
    const struct sigv4_claim *claim; /* is_signed: for timestamp, scope and the first signature; must outlive it */
};

struct s3_chunks *s3_chunks_new(const struct s3_chunk_options *o);
void s3_chunks_free(struct s3_chunks *c); /* NULL is fine */
/* Takes '*out_taken' of 'n' bytes and yields at most one span of data ('*out_len' 0: none). */
enum s3_chunk_result s3_chunks_read(struct s3_chunks *c, const char *bytes, size_t n, size_t *out_taken,
                                    const char **out_data, size_t *out_len);
/* The body has ended where it should. */
bool s3_chunks_complete(const struct s3_chunks *c);
/* Value of a trailer (lower-case name), or NULL. */
const char *s3_chunks_trailer(const struct s3_chunks *c, const char *name);

#endif
