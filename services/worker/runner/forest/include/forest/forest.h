/* forest - a compiled forest file, mapped read-only and evaluated.
 *
 * The file's pages belong to the page cache: all instances of a model share them, and the kernel may take them back.
 * What an instance has of its own is room for the slots of a few rows (layout.h).
 *
 * Sums are made in the order in which XGBoost makes them (base score, then tree by tree), in float32, so that they are
 * equal bit for bit. Threads: one per forest.  Memory: predictions go into the caller's array. */
#ifndef FOREST_FOREST_H
#define FOREST_FOREST_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct forest;
struct forest_header;

/* Rows as they came: dense when 'starts' is NULL, row i at values + i * cols; else sparse by rows (CSR), the values of
 * row i at [starts[i], starts[i + 1]) with their columns. NaN is missing; columns that are not there are missing, those
 * past the model's are not looked at. */
struct forest_rows {
    size_t count, cols;
    const float *values;
    const uint64_t *starts;
    const uint32_t *columns;
};

/* PL_DATA_LOSS: not a forest file, of another version, truncated, or changed since it was written; the message says
 * which. Cost: one pass over the file. 'fd' stays the caller's and may be closed. */
PL_MUST_CHECK enum pl_code forest_open(struct forest **out, int fd, struct pl_err *err);
/* The same on bytes in memory, aligned to FOREST_ALIGNMENT, that stay the caller's and must outlive the forest. */
PL_MUST_CHECK enum pl_code forest_view(struct forest **out, const void *bytes, size_t n, struct pl_err *err);
void forest_close(struct forest *f); /* NULL is fine */

const struct forest_header *forest_header(const struct forest *f);

/* 'out' has room for rows->count * header->outputs values. PL_EXHAUSTED: no memory for the rows' slots. */
PL_MUST_CHECK enum pl_code forest_predict(struct forest *f, const struct forest_rows *rows, float *out,
                                          struct pl_err *err);
/* Before the objective's transformation: rows->count * header->groups values. */
PL_MUST_CHECK enum pl_code forest_margins(struct forest *f, const struct forest_rows *rows, float *out,
                                          struct pl_err *err);

/* "x86-64-v3": the kernel that this CPU gets. */
const char *forest_kernel_name(void);
/* For tests and benchmarks: another one of those that run on this CPU, by name; false when there is none. */
bool forest_use_kernel(struct forest *f, const char *name);

#endif
