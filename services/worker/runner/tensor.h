/* tensor - the Open Inference Protocol (v2): a ModelInferRequest to rows, predictions to a ModelInferResponse.
 *
 * The request has one input of shape [rows, features] and datatype FP32, FP64, INT32 or INT64, either in its typed
 * contents or in raw_input_contents (little endian); the answer has one FP32 output in the same form, named as the
 * first output asked for. Wire format only: nothing is unpacked, nothing recurses. Errors: PL_MODEL 415, as for any
 * body that is not of its type. */
#ifndef RUNNER_TENSOR_H
#define RUNNER_TENSOR_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct matrix;
struct pl_buf;
struct prediction;

struct tensor_text {
    const char *s;
    size_t n;
};

/* What the answer repeats of its request; points into the request's body. */
struct tensor_request {
    struct tensor_text model_name, model_version, id, output_name;
    bool raw;
};

PL_MUST_CHECK enum pl_code decode_tensor(struct matrix *m, struct tensor_request *out, const char *body, size_t n,
                                         struct pl_err *err);
void encode_tensor(struct pl_buf *out, const struct tensor_request *request, const struct prediction *p);

#endif
