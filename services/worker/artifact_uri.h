/* artifact_uri - where an artifact is: file:///path, https://host/path, http://host/path, s3://bucket/key.
 * Pure.  Memory: the struct owns its strings; artifact_uri_done() frees them. */
#ifndef WORKER_ARTIFACT_URI_H
#define WORKER_ARTIFACT_URI_H

#include "base/err.h"

enum artifact_scheme { ARTIFACT_FILE, ARTIFACT_HTTPS, ARTIFACT_HTTP, ARTIFACT_S3 };

struct artifact_uri {
    enum artifact_scheme scheme;
    char *path;         /* FILE: absolute, percent-decoded */
    char *url;          /* HTTPS, HTTP: as given           */
    char *bucket, *key; /* S3: as given, nothing encoded   */
    char *shown;        /* for messages and logs: without user, password and query, which may be secrets */
};

#define ARTIFACT_URI_MAX 2048

/* PL_INVALID: not such a URI; field artifact_uri. */
PL_MUST_CHECK enum pl_code artifact_uri_parse(struct artifact_uri *out, const char *text, struct pl_err *err);
void artifact_uri_done(struct artifact_uri *u);

/* The request for an S3 object. 'endpoint' "" = AWS in 'region'. The caller frees it. */
char *artifact_s3_url(const struct artifact_uri *u, const char *endpoint, const char *region, bool path_style);

#endif
