/* refuse - how the runner says no: PL_MODEL with the HTTP status that the model's container would answer.
 *
 *     204  not here: an empty body is an answer         413  body larger than MAX_CONTENT_LENGTH
 *     400  the model cannot evaluate these rows         415  not a content type we read, or the body is not of that
 * type 406  no such answer format                        500  the model, or the runner, failed
 *
 * Messages are valid UTF-8 of at most 1023 bytes, on one line: pl_fail() cuts and cleans them. */
#ifndef RUNNER_REFUSE_H
#define RUNNER_REFUSE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>

enum {
    STATUS_OK = 200,
    STATUS_NO_CONTENT = 204,
    STATUS_BAD_REQUEST = 400,
    STATUS_NOT_ACCEPTABLE = 406,
    STATUS_TOO_LARGE = 413,
    STATUS_UNSUPPORTED = 415,
    STATUS_FAILED = 500,
};

/* Fills '*err' and returns PL_MODEL. */
enum pl_code refuse(struct pl_err *err, int status, const char *fmt, ...) PL_PRINTF(3, 4);

/* A few bytes of the caller's for a message: at most REFUSE_QUOTE_CHARS of them, control characters as '?', "..." when
 * cut. */
#define REFUSE_QUOTE_CHARS 40
struct refuse_quote {
    char text[REFUSE_QUOTE_CHARS + 4];
};
struct refuse_quote refuse_quote(const char *s, size_t n);

#endif
