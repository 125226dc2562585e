/* invoke - one request on a loaded model: body in, answer's body out. Knows no frames and no sockets. */
#ifndef RUNNER_INVOKE_H
#define RUNNER_INVOKE_H

#include "base/cleanup.h"
#include "base/err.h"
#include "matrix.h"

struct model;
struct pl_buf;
struct request;
struct settings;

/* Serverless inference's payload limit, each way. */
#define INVOKE_MAX_ANSWER ((size_t)6 << 20)

struct answer {
    int status;               /* 200, or 204 without a body */
    const char *content_type; /* static text */
};

/* Appends the answer's body to 'body'. 'rows' is the caller's scratch, kept between requests.
 * PL_MODEL: with the status and words that the model's container would answer; 'body' may then hold half an answer. */
PL_MUST_CHECK enum pl_code invoke(struct model *model, const struct settings *settings, const struct request *request,
                                  struct matrix *rows, struct pl_buf *body, struct answer *out, struct pl_err *err);

#endif
