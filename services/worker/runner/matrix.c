#include "matrix.h"

#include "refuse.h"

#include <stdlib.h>

#define FIRST_CELLS 256u
#define KEEP_CELLS  ((size_t)64 << 10)

void matrix_done(struct matrix *m)
{
    free(m->values);
    free(m->columns);
    free(m->starts);
    *m = (struct matrix){ 0 };
}

void matrix_clear(struct matrix *m, bool sparse)
{
    m->rows = m->cols = m->count = 0;
    m->sparse = sparse;
}

void matrix_trim(struct matrix *m)
{
    if (m->value_cap > KEEP_CELLS || m->start_cap > KEEP_CELLS)
        matrix_done(m);
}

/* Makes '*array' hold 'need' elements. */
static enum pl_code grow(void **array, size_t *cap, size_t need, size_t size, struct pl_err *err)
{
    size_t next = *cap ? *cap : FIRST_CELLS;
    void *bigger;

    if (need <= *cap)
        return PL_OK;
    if (need > MATRIX_MAX_CELLS)
        return refuse(err, STATUS_TOO_LARGE, "the body has more than %zu values", MATRIX_MAX_CELLS);
    while (next < need)
        next *= 2;
    bigger = realloc(*array, next * size);
    if (!bigger)
        return refuse(err, STATUS_FAILED, "no memory for %zu values", next);
    *array = bigger;
    *cap = next;
    return PL_OK;
}

enum pl_code matrix_reserve(struct matrix *m, size_t n, struct pl_err *err)
{
    size_t need = n > MATRIX_MAX_CELLS ? n : m->count + n;
    enum pl_code code = grow((void **)&m->values, &m->value_cap, need, sizeof(*m->values), err);

    if (code == PL_OK && m->sparse)
        code = grow((void **)&m->columns, &m->column_cap, need, sizeof(*m->columns), err);
    return code;
}

enum pl_code matrix_add(struct matrix *m, float value, struct pl_err *err)
{
    if (m->count == m->value_cap && matrix_reserve(m, 1, err) != PL_OK)
        return PL_MODEL;
    m->values[m->count++] = value;
    return PL_OK;
}

enum pl_code matrix_add_sparse(struct matrix *m, uint32_t column, float value, struct pl_err *err)
{
    if (matrix_reserve(m, 1, err) != PL_OK)
        return PL_MODEL;
    m->values[m->count] = value;
    m->columns[m->count++] = column;
    if (m->cols <= column)
        m->cols = (size_t)column + 1;
    return PL_OK;
}

static enum pl_code end_sparse_row(struct matrix *m, struct pl_err *err)
{
    if (grow((void **)&m->starts, &m->start_cap, m->rows + 2, sizeof(*m->starts), err) != PL_OK)
        return PL_MODEL;
    m->starts[0] = 0;
    m->starts[++m->rows] = m->count;
    return PL_OK;
}

enum pl_code matrix_end_row(struct matrix *m, struct pl_err *err)
{
    size_t cells;

    if (m->sparse)
        return end_sparse_row(m, err);
    cells = m->count - m->rows * m->cols;
    if (m->rows == 0)
        m->cols = cells;
    else if (cells != m->cols)
        return refuse(err, STATUS_UNSUPPORTED, "row %zu has %zu values, but the first row has %zu", m->rows + 1, cells,
                      m->cols);
    m->rows++;
    return PL_OK;
}
