/* answer - reads what an instance answered, field by field, and believes nothing: unknown fields, wrong types, sizes
 * and statuses out of range are lies. Reads with wire.h: nothing recurses, nothing is allocated. Pure; any thread. */
#ifndef CHANNEL_ANSWER_H
#define CHANNEL_ANSWER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The contract's payload, reference aws-contract: 6 MiB each way. */
#define ANSWER_MAX_BODY ((size_t)6 << 20)
#define ANSWER_MAX_TEXT 1024 /* content type, custom attributes, messages */

enum answer_verdict { ANSWER_GOOD, ANSWER_TOO_LARGE, ANSWER_LIE };

/* A RESULT's payload: WorkerInvokeResponse with fields 1, 2, 4, 5 only. TOO_LARGE: its body is above ANSWER_MAX_BODY.
 * '*out_why' is a static text for LIE. */
enum answer_verdict answer_check_result(const uint8_t *payload, size_t len, const char **out_why);

/* An ERROR's payload: the same message with a status of 400..599, and a body of at most FRAME_MAX_ERROR, which is the text
 * for the caller. False: a lie. */
bool answer_check_error(const uint8_t *payload, size_t len, const char **out_why);

/* FAILED: a RunnerError as PL_MODEL with its status and text, and the reason ANSWER_FOREST_DAMAGED when it says so. False: a
 * lie. */
#define ANSWER_FOREST_DAMAGED "FOREST_DAMAGED"
bool answer_read_error(const uint8_t *payload, size_t len, struct pl_err *out, const char **out_why);

struct model_facts {
    char runtime_version[65];
    char objective[65];
    int32_t features, outputs, model_files;
    int32_t forests; /* of the files: served by a compiled forest */
    char forest_note[257];
    bool forest_damaged;
    int64_t load_us, warm_us;
};
/* A LoadResponse. False: a lie. */
bool answer_read_loaded(const uint8_t *payload, size_t len, struct model_facts *out, const char **out_why);

#endif
