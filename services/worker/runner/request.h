/* request - INVOKE frames: what the runner reads of a WorkerInvokeRequest, without copying it (the bytes are the
 * caller's own plus the router's), and how it says no. */
#ifndef RUNNER_REQUEST_H
#define RUNNER_REQUEST_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct request {
    const char *content_type, *accept, *body; /* not terminated, these and the next */
    const char *custom_attributes, *inference_id;
    size_t content_type_len, accept_len, body_len, custom_attributes_len, inference_id_len;
    uint64_t request_id; /* for logs */
};

/* Points into 'payload'. PL_MODEL 400: not a protobuf message, or a field of another type. */
PL_MUST_CHECK enum pl_code request_read(struct request *out, const uint8_t *payload, size_t n, struct pl_err *err);

/* ERROR: a WorkerInvokeResponse whose body is the message. */
void refusal_write(struct pl_buf *out, const struct pl_err *err);

#endif
