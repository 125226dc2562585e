/* probe - rows that lead to the leaves of a forest; see prove.h. */
#ifndef COMPILER_PROBE_H
#define COMPILER_PROBE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct forest_image;
struct probe;

/* 'image' must outlive it. */
PL_MUST_CHECK enum pl_code probe_new(struct probe **out, const struct forest_image *image, struct pl_err *err);
void probe_free(struct probe *p);
void probe_free_p(struct probe **p);

/* Writes the next row, as wide as the model; false when everything has been seen or tried. The same image gives the
 * same rows. */
bool probe_next(struct probe *p, float *row);
/* Leaves that the rows so far have reached. */
uint32_t probe_reached(const struct probe *p);

#endif
