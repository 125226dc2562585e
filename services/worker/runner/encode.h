/* encode - predictions to an answer's body. All append to 'out', whose limit is the largest answer; overrunning it
 * marks 'out' failed. */
#ifndef RUNNER_ENCODE_H
#define RUNNER_ENCODE_H

#include "selectable.h"

#include <stddef.h>

struct pl_buf;
struct prediction;

/* One line per row: "0.49\n"; a list is separated by commas. */
void encode_csv(struct pl_buf *out, const struct prediction *p);
/* {"predictions": [{"score": 0.49}, {"score": 0.45}]} */
void encode_json(struct pl_buf *out, const struct prediction *p);

/* The same two with the keys of 's', and one JSON object per line. CSV rows are joined by "\n" without a final one. */
void encode_selected_csv(struct pl_buf *out, const struct selection *s, const struct prediction *p);
void encode_selected_json(struct pl_buf *out, const struct selection *s, const struct prediction *p);
void encode_selected_jsonlines(struct pl_buf *out, const struct selection *s, const struct prediction *p);

enum number_style { NUMBER_CSV, NUMBER_JSON }; /* how nan and inf are spelt: nan, inf; NaN, Infinity */
void encode_float(struct pl_buf *out, float value, enum number_style style);

#endif
