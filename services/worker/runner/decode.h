/* decode - bodies to rows, one function per format. The bytes come from anybody.
 *
 * All have one shape: they fill 'm' (which the caller cleared) from 'n' bytes that need not be terminated, and keep
 * nothing. None recurses; memory is bounded by the body's length (matrix.h). Errors: PL_MODEL 415 naming row, column
 * and value, counted from 1; 413 when there are too many values. */
#ifndef RUNNER_DECODE_H
#define RUNNER_DECODE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>

struct matrix;

/* Rows end at "\n" or "\r\n"; the delimiter (comma, semicolon, tab, bar or space) is guessed from the first line; an
 * empty cell is a missing value. There is no header row and no label column. */
PL_MUST_CHECK enum pl_code decode_csv(struct matrix *m, const char *body, size_t n, struct pl_err *err);

/* Rows of "index:value", indexes from 0; a token without ":" is a label and ignored. */
PL_MUST_CHECK enum pl_code decode_libsvm(struct matrix *m, const char *body, size_t n, struct pl_err *err);

/* [1, 2], [[1, 2], [3, null]], or {"instances": either of these}; other keys beside it are skipped. */
PL_MUST_CHECK enum pl_code decode_json(struct matrix *m, const char *body, size_t n, struct pl_err *err);

/* RecordIO of protobuf records, as SageMaker's algorithms exchange them: the feature "values" of each is a row, dense,
 * or sparse when it has keys. Labels and other features are ignored. Makes 'm' sparse when the first record is. */
PL_MUST_CHECK enum pl_code decode_recordio(struct matrix *m, const char *body, size_t n, struct pl_err *err);

#endif
