/* reply - the answer to the caller, made of the worker host's bytes and what only the router knows.
 *
 * Nothing is unpacked: to a WorkerInvokeResponse the variant and the router's timings are appended, and the result is
 * the caller's InvokeResponse; of a tensor answer only the body goes on. Threads: any.  Memory: the results are the
 * caller's. */
#ifndef ROUTER_REPLY_H
#define ROUTER_REPLY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct rpc_bytes;

/* pilotlight.v1.Timings */
struct reply_timings {
    bool cold;
    int64_t queue_us, start_us, sandbox_us, load_us, first_predict_us, model_us, overhead_us, total_us;
};

/* What the router wants to know of a WorkerInvokeResponse. */
struct reply_facts {
    int64_t model_us; /* what the worker host measured */
    int model_status; /* 400..599: an error of the model's own; else it is none */
};
/* False: it is not such a message. */
bool reply_read(const struct rpc_bytes *answer, struct reply_facts *out);
/* The model's own error as a status, which holds the beginning of what it said. */
void reply_error(const struct rpc_bytes *answer, struct pl_err *out);
/* NULL: not a WorkerInvokeResponse. */
struct rpc_bytes *reply_invoke(const struct rpc_bytes *answer, const char *variant, const struct reply_timings *t);
/* The body alone; NULL: there is none. */
struct rpc_bytes *reply_tensor(const struct rpc_bytes *answer);

#endif
