/* selectable - which outputs a model was asked for (SAGEMAKER_INFERENCE_OUTPUT), as the built-in container names them.
 * A key that the model's objective does not have gives NaN. */
#ifndef RUNNER_SELECTABLE_H
#define RUNNER_SELECTABLE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_buf;
struct prediction;

enum output_key {
    OUTPUT_PREDICTED_LABEL,
    OUTPUT_LABELS,
    OUTPUT_PROBABILITY,
    OUTPUT_PROBABILITIES,
    OUTPUT_RAW_SCORE,
    OUTPUT_RAW_SCORES,
    OUTPUT_PREDICTED_SCORE,
    OUTPUT_KEY_COUNT
};

#define SELECTION_MAX 16

struct selection {
    enum output_key keys[SELECTION_MAX]; /* in the order asked for */
    unsigned count;                      /* 0 = no selection: plain predictions */
};

/* "predicted_label, probability". PL_MODEL 500 naming the unknown key. */
PL_MUST_CHECK enum pl_code selection_parse(struct selection *s, const char *text, struct pl_err *err);

/* {"predicted_label": 1, "probability": 0.9} */
void selectable_json_row(struct pl_buf *out, const struct selection *s, const struct prediction *p, size_t row);
/* 1,0.9,"[0.1, 0.9]" */
void selectable_csv_row(struct pl_buf *out, const struct selection *s, const struct prediction *p, size_t row);

#endif
