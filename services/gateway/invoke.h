/* invoke - pilotlight.v1.InvokeRequest and InvokeResponse as bytes. The body is neither packed nor unpacked: it is put
 * behind a head, and found again in what comes back. */
#ifndef GATEWAY_INVOKE_H
#define GATEWAY_INVOKE_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc_bytes;

/* NULL members are left out. */
struct invoke_call {
    const char *endpoint, *content_type, *accept, *custom_attributes, *inference_id, *target_variant;
    char *body; /* consumed: free()d in the end */
    size_t body_len;
};

struct invoke_timings {
    bool cold;
    int64_t queue_us, start_us, load_us, model_us, overhead_us, total_us, sandbox_us, first_predict_us;
};

struct invoke_answer {
    struct rpc_bytes *body;                                 /* the caller's reference */
    const char *content_type, *variant, *custom_attributes; /* "" when absent; in the arena */
    int64_t model_status;
    struct invoke_timings timings;
};

struct rpc_bytes *invoke_request(const struct invoke_call *call);
/* False: not such a message. */
bool invoke_response(struct rpc_bytes *bytes, struct arena *a, struct invoke_answer *out);

#endif
