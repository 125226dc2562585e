/* invoke_run - many calls of one endpoint, several at once, with answers in the order of the calls.
 *
 * Each of 'concurrency' slots sends the next call when its last one has ended. An answer that comes before its turn to
 * be printed waits in a window; calls do not run ahead of the printing by more than the window, so memory is bounded by
 * it. Threads: callbacks run on the pump thread with the turn and print there; invoke_run() waits on the caller's
 * thread. */
#ifndef CTL_INVOKE_RUN_H
#define CTL_INVOKE_RUN_H

#include "base/err.h"
#include "latency.h"

#include <stdint.h>

struct client;

struct invoke_body {
    const void *bytes;
    size_t len;
};

struct invoke_plan {
    const char *endpoint, *content_type, *accept, *target_variant, *custom_attributes,
        *inference_id;                /* NULL = not given */
    const struct invoke_body *bodies; /* call i sends bodies[i % body_count] */
    size_t body_count;
    size_t calls;
    unsigned concurrency;
    int64_t timeout_ms;
    bool quiet;   /* print no answers                                        */
    bool timings; /* a line per call to 'notes', and a heading before them   */
    FILE *answers, *notes;
};

struct invoke_result {
    struct latency latency; /* latency_done() by the caller */
    struct pl_err first;    /* of the calls that failed; code PL_OK when none did */
    char *said; /* when that was the model's own error: all of it, fit for a terminal; free()d by the caller */
    int64_t elapsed_us;
};

void invoke_run(struct client *c, const struct invoke_plan *plan, struct invoke_result *out);

#endif
