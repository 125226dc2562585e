/* compile - a source becomes a compiled forest in memory, ready to be written to a file.
 *
 * What a forest cannot express is refused with a plain reason, and is no fault of the model: PL_UNIMPLEMENTED. A model
 * whose parts contradict each other is PL_INVALID. The forest that comes out says "not proven": comparing it with
 * XGBoost is for somebody who has XGBoost. */
#ifndef COMPILER_COMPILE_H
#define COMPILER_COMPILE_H

#include "base/cleanup.h"
#include "base/err.h"
#include "forest/layout.h"

#include <stddef.h>

struct source;

/* A whole file: starts with its header, aligned to FOREST_ALIGNMENT. */
struct forest_image {
    void *bytes;
    size_t n;
};

PL_MUST_CHECK enum pl_code forest_compile(const struct source *s, struct forest_image *out, struct pl_err *err);
void forest_image_done(struct forest_image *image);

/* The header may be changed until this is called: makes the checksum fit. */
void forest_image_seal(struct forest_image *image);

#endif
