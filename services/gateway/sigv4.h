/* sigv4 - AWS Signature Version 4: who signed this request, and did they?
 *
 * Steps, in the order of a request: sigv4_read() takes the claim apart (Authorization header or presigned query);
 * sigv4_check_time() holds it against the clock; the caller finds the secret of claim.access_key; sigv4_sign() computes
 * what the signature must be; sigv4_same() compares in constant time. The signing key of a day can be kept
 * (sigv4_key()). Nothing here knows services, statuses or error names.
 *
 * Pure: reads its arguments, allocates in the arena. Source: AWS Signature Version 4 documentation; contract 2.3. */
#ifndef GATEWAY_SIGV4_H
#define GATEWAY_SIGV4_H

#include "arena.h"
#include "digest.h"
#include "http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define SIGV4_HEADERS_MAX      100
#define SIGV4_PRESIGNED_MAX_S  604800 /* seven days, AWS's limit */

/* A request as it was received. */
struct sigv4_request {
    const char *method, *path, *query; /* path and query undecoded; query without '?' */
    const struct http_header *headers;
    size_t header_count;
};

struct sigv4_claim {
    const char *access_key;
    char date[9]; /* "20260211", of the scope */
    const char *region, *service;
    const char *scope;          /* "20260211/us-east-1/s3/aws4_request" */
    char timestamp[17];         /* "20260211T081530Z" */
    int64_t time_s;             /* the same, since 1970 */
    const char *signed_headers; /* "host;x-amz-date" */
    const char *signature;      /* 64 hex digits as sent */
    bool presigned;
    int64_t expires_s; /* presigned: valid this long from 'time_s' */
};

enum sigv4_result {
    SIGV4_OK,
    SIGV4_MISSING,    /* nothing is signed                                        */
    SIGV4_INCOMPLETE, /* something is, but not so that it could be verified       */
    SIGV4_SKEWED,     /* the clocks differ by more than is allowed                */
    SIGV4_EXPIRED,    /* presigned, and over                                      */
};

/* '*out_why' says what is wrong, for people. */
enum sigv4_result sigv4_read(const struct sigv4_request *r, struct arena *a, struct sigv4_claim *out,
                             const char **out_why);
enum sigv4_result sigv4_check_time(const struct sigv4_claim *c, int64_t now_s, int64_t max_skew_s, struct arena *a,
                                   const char **out_why);

/* The key that signs for one date, region and service. */
void sigv4_key(const char *secret, const struct sigv4_claim *c, unsigned char out[SHA256_BYTES]);

/* The signature as hex digits. 'payload_hash' is what stands for the body: hex SHA-256, UNSIGNED-PAYLOAD, ...
 * 'path_once': the path is encoded once (S3), not twice. */
void sigv4_sign(const struct sigv4_claim *c, const struct sigv4_request *r, const char *payload_hash, bool path_once,
                const unsigned char key[SHA256_BYTES], struct arena *a, char out[SHA256_HEX]);
bool sigv4_same(const struct sigv4_claim *c, const char signature[SHA256_HEX]);

/* For tests, and for errors that show it: what is hashed into the string to sign. */
char *sigv4_canonical_request(const struct sigv4_claim *c, const struct sigv4_request *r, const char *payload_hash,
                              bool path_once, struct arena *a);

#endif
