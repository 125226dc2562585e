/* media_type - what a request says about its body and wants for an answer.
 * Media types are case-insensitive; parameters follow after ";". Nothing is allocated; the text need not be terminated.
 */
#ifndef RUNNER_MEDIA_TYPE_H
#define RUNNER_MEDIA_TYPE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>

enum body_kind { BODY_UNSTATED, BODY_CSV, BODY_LIBSVM, BODY_JSON, BODY_RECORDIO, BODY_TENSOR, BODY_KIND_COUNT };
enum answer_kind { ANSWER_CSV, ANSWER_JSON, ANSWER_JSONLINES, ANSWER_TENSOR, ANSWER_KIND_COUNT };

/* Empty = BODY_UNSTATED: see body_kind_guess().
 * PL_MODEL 415: not one we read, label_size other than 1, or a charset other than UTF-8 (or ASCII). */
PL_MUST_CHECK enum pl_code body_kind_parse(const char *text, size_t n, enum body_kind *out, struct pl_err *err);

/* What a body without a content type is. The built-in container takes it as libsvm; but a body without a single ":"
 * would be rows of labels to libsvm, that is rows without values, and a prediction that means nothing: such a body is
 * CSV. */
enum body_kind body_kind_guess(const char *body, size_t n);

/* The first type of the list that we write; "*" stands for 'otherwise', and so does an empty text. PL_MODEL 406: none
 * of them. */
PL_MUST_CHECK enum pl_code answer_kind_parse(const char *text, size_t n, enum answer_kind otherwise,
                                             enum answer_kind *out, struct pl_err *err);

/* "text/csv", for the answer's content type. */
const char *answer_kind_type(enum answer_kind kind);

#endif
