/* fetch - an artifact from its URI into a file.
 *
 *     fetch()        parses the URI, picks the source, repeats what may pass: connection errors, 429 and 5xx
 *       fetch_file   file://, only inside the operator's roots, whatever links say
 *       fetch_http   https:// (http:// when allowed) and s3://, by libcurl; S3 requests signed with Signature Version 4
 *         sink       limit, digest, disk
 *
 * Everything here blocks: call it in a loop_job.
 * Threads: any, one fetch per call; nothing is shared but 'cancelled'.  Errors, all with field artifact_uri and the URI
 * (its query left out, which may be a signature) in the message:
 *   PL_INVALID       not a URI of ours
 *   PL_PRECONDITION  ARTIFACT_MISSING, ARTIFACT_DENIED, ARTIFACT_TOO_LARGE, ARTIFACT_REFUSED: repeating does not help
 *   PL_UNAVAILABLE   ARTIFACT_SOURCE: the source did not answer, or not well, at any attempt
 *   PL_CANCELLED, PL_INTERNAL */
#ifndef WORKER_FETCH_H
#define WORKER_FETCH_H

#include "base/err.h"
#include "sink.h"

#include <stdatomic.h>
#include <stdint.h>

struct worker_config;

struct fetch_options {
    int64_t limit_bytes;
    int64_t timeout_ms;         /* of all attempts together                                   */
    int64_t connect_timeout_ms; /* of one attempt                                             */
    int64_t stall_timeout_ms;   /* less than 1 KiB/s for this long ends an attempt            */
    int64_t backoff_ms;         /* before the second attempt; doubles                         */
    int attempts;
    bool allow_http;
    const char *ca_file;      /* beside this system's; "" = none, never NULL */
    const char *const *roots; /* of file:// */
    size_t root_count;
    const char *s3_endpoint, *s3_region, *s3_access_key_id, *s3_secret_access_key, *s3_session_token; /* never NULL */
    bool s3_path_style;
};

/* From the config, and for S3 from AWS's environment variables; points into both.
 * PL_INVALID: fetch_ca_file cannot be read, or no certificate is in it. It is read again at each fetch. */
PL_MUST_CHECK enum pl_code fetch_options_init(struct fetch_options *o, const struct worker_config *c,
                                              struct pl_err *err);

struct fetch_result {
    char sha256[SHA256_HEX];
    int64_t bytes;
};

/* Once per process, before anything is fetched. */
PL_MUST_CHECK enum pl_code fetch_global_init(struct pl_err *err);

/* Writes to 'out_fd' from its start, and syncs it. '*cancelled' may be set at any time from any thread. */
PL_MUST_CHECK enum pl_code fetch(const struct fetch_options *o, const char *uri, int out_fd,
                                 const atomic_bool *cancelled, struct fetch_result *out, struct pl_err *err);

/* ---- for fetch.c only ---- */
struct artifact_uri;
struct fetch_attempt {
    const struct fetch_options *options;
    const struct artifact_uri *uri;
    const atomic_bool *cancelled;
    int64_t deadline_ms; /* monotonic */
    struct sink *sink;
};
PL_MUST_CHECK enum pl_code fetch_file(const struct fetch_attempt *a, struct pl_err *err);
PL_MUST_CHECK enum pl_code fetch_http(const struct fetch_attempt *a, struct pl_err *err);

#endif
