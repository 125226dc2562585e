/* invoke_request - the few fields of a request that the router needs, read from its bytes and checked.
 *
 * Nothing is unpacked or copied but two names: the bytes themselves go on to the worker host. As everywhere in protobuf
 * the last of a repeated field counts.
 * Errors: PL_INVALID "request: malformed protobuf", or naming the field, its value and its limit; PL_EXHAUSTED
 * (PAYLOAD_TOO_LARGE). Threads: any.  Cost: no allocation for messages of up to 64 spans. */
#ifndef ROUTER_INVOKE_REQUEST_H
#define ROUTER_INVOKE_REQUEST_H

#include "base/err.h"
#include "name.h"

#include <stdbool.h>
#include <stddef.h>

struct rpc_bytes;

#define INVOKE_BODY_MAX ((size_t)6 << 20) /* SageMaker: 6 MB (here MiB) of payload, each way */

struct invoke_request {
    char endpoint[NAME_LENGTH_MAX + 1];
    char variant[NAME_LENGTH_MAX + 1]; /* "" = by weight */
    bool error_as_response;            /* the model's own errors are answers */
};

/* pilotlight.v1.InvokeRequest */
PL_MUST_CHECK enum pl_code invoke_request_read(struct invoke_request *out, const struct rpc_bytes *bytes,
                                               struct pl_err *err);
/* inference.ModelInferRequest: model_name is the endpoint, model_version the variant. Its tensors are the model's
 * business. */
PL_MUST_CHECK enum pl_code tensor_request_read(struct invoke_request *out, const struct rpc_bytes *bytes,
                                               struct pl_err *err);

#endif
