/* prove - does a compiled forest predict what its model predicts?
 *
 * Rows are made from the forest's own trees: first, for each leaf that no row has reached yet, one that leads there;
 * then, for each node, those that come by with a value exactly on its threshold, with the next one below, and with a
 * missing one, as far as no other row did. Categories are taken from within their sets, from outside, and from where no
 * category is. Values that the way does not ask for are thresholds of other trees, so that each row tries every tree.
 * Only a model so large that all this would take more than PROVE_MAX_WALKS is tried in part; its leaves come first.
 *
 * The reference answers margins and predictions; both must be equal within PROVE_TOLERANCE (they are equal bit for bit
 * where both are compiled for one architecture). */
#ifndef COMPILER_PROVE_H
#define COMPILER_PROVE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct forest_image;

#define PROVE_TOLERANCE 1e-6f
#define PROVE_MAX_WALKS ((size_t)8 << 20) /* rows * trees: about a second */

/* Predictions, or with 'margins' the sums before the objective's transformation, of 'count' dense rows that have all
 * columns.
 * '*out_values' (count * *out_width) live until the next call. */
typedef enum pl_code prove_reference_fn(void *arg, const float *rows, size_t count, bool margins,
                                        const float **out_values, size_t *out_width, bool *out_list,
                                        struct pl_err *err);

/* PL_OK: the header now says so, and the image is sealed again. PL_PRECONDITION: they differ; the message has both
 * values. Others are the reference's. */
PL_MUST_CHECK enum pl_code forest_prove(struct forest_image *image, prove_reference_fn *reference, void *arg,
                                        struct pl_err *err);

#endif
