/* runtime - what api_runtime.c (calls) and runtime_error.c (what can go wrong) share. */
#ifndef GATEWAY_RUNTIME_H
#define GATEWAY_RUNTIME_H

#include "aws_call.h"
#include "base/err.h"

enum runtime_operation { RUNTIME_INVOKE, RUNTIME_STREAM, RUNTIME_ASYNC };

struct rpc_bytes;

struct runtime_call {
    enum runtime_operation operation;
    const char *endpoint;
};

/* A router's refusal in the runtime's names and AWS's sentences. */
void runtime_fail(struct aws_call *c, const struct pl_err *err);
void runtime_answer_too_large(struct aws_call *c, size_t bytes);
/* An error of the model's own, and all that it said. */
void runtime_fail_model(struct aws_call *c, int status, const struct rpc_bytes *said);
/* The bytes in one piece, to free(). */
char *runtime_flat(const struct rpc_bytes *b);

#endif
