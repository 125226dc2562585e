/* matrix - the rows of one request: dense, or sparse by rows (CSR). NaN is a missing value.
 *
 * Memory: one matrix lives as long as the instance and is filled again for each request, so that a small request
 * allocates nothing. It grows with the body it is decoded from and is bounded by MATRIX_MAX_CELLS; matrix_trim() gives
 * a large one back. */
#ifndef RUNNER_MATRIX_H
#define RUNNER_MATRIX_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than a body of FRAME_MAX_PAYLOAD can hold at one byte a cell. */
#define MATRIX_MAX_CELLS ((size_t)8 << 20)

struct matrix {
    size_t rows;
    size_t cols; /* of each row; sparse: the highest index, plus one */
    bool sparse;
    float *values; /* dense: rows * cols of them; sparse: the stored ones */
    size_t count;
    uint32_t *columns; /* sparse: of each value; as many as values */
    uint64_t *starts;  /* sparse: where each row starts in 'values', and the end: rows + 1 of them */
    size_t value_cap, column_cap, start_cap;
};

void matrix_done(struct matrix *m);
/* Empty again; keeps the memory. */
void matrix_clear(struct matrix *m, bool sparse);
/* Frees what a large request left behind. */
void matrix_trim(struct matrix *m);

/* Room for 'n' more values (and columns, when sparse). PL_MODEL 413: over MATRIX_MAX_CELLS, or no memory. */
PL_MUST_CHECK enum pl_code matrix_reserve(struct matrix *m, size_t n, struct pl_err *err);
PL_MUST_CHECK enum pl_code matrix_add(struct matrix *m, float value, struct pl_err *err);
PL_MUST_CHECK enum pl_code matrix_add_sparse(struct matrix *m, uint32_t column, float value, struct pl_err *err);

/* Closes a row. Dense: it must have as many cells as the first one (PL_MODEL 415). */
PL_MUST_CHECK enum pl_code matrix_end_row(struct matrix *m, struct pl_err *err);

#endif
