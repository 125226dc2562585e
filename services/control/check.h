/* check - single values against their row of the limits table.
 *
 * Each returns PL_OK, or PL_INVALID with 'err' naming the field (as given), the value (cut when long) and the limit.
 * Threads: any. */
#ifndef CONTROL_CHECK_H
#define CONTROL_CHECK_H

#include "base/err.h"
#include "limit.h"

#include <stddef.h>

PL_MUST_CHECK enum pl_code check_number(const struct limits *l, enum limit_id id, const char *field, int64_t value,
                                        struct pl_err *err);
/* How many entries a list or map has. */
PL_MUST_CHECK enum pl_code check_count(const struct limits *l, enum limit_id id, const char *field, size_t count,
                                       struct pl_err *err);
/* Length in the row's unit: "bytes", or "characters" (code points). */
PL_MUST_CHECK enum pl_code check_length(const struct limits *l, enum limit_id id, const char *field, const char *value,
                                        struct pl_err *err);
/* Letters, digits and inner hyphens. */
PL_MUST_CHECK enum pl_code check_name(const struct limits *l, enum limit_id id, const char *field, const char *value,
                                      struct pl_err *err);
/* Letters, digits, spaces (of any script) and _ . : / = + - @ */
PL_MUST_CHECK enum pl_code check_tag_text(const struct limits *l, enum limit_id id, const char *field,
                                          const char *value, struct pl_err *err);
PL_MUST_CHECK enum pl_code check_identifier(const struct limits *l, enum limit_id id, const char *field,
                                            const char *value, struct pl_err *err);
/* ASCII 0x20..0x7e. */
PL_MUST_CHECK enum pl_code check_printable(const struct limits *l, enum limit_id id, const char *field,
                                           const char *value, struct pl_err *err);
/* Empty, or 64 lower-case hex digits. */
PL_MUST_CHECK enum pl_code check_sha256(const char *field, const char *value, struct pl_err *err);
/* file:///path, https://host/path or s3://bucket/key. */
PL_MUST_CHECK enum pl_code check_artifact_uri(const struct limits *l, const char *field, const char *value,
                                              struct pl_err *err);
/* PL_INVALID when two of the 'count' strings are the same; they are given by 'at(list, i)'. */
PL_MUST_CHECK enum pl_code check_unique(const char *field, const char *(*at)(const void *list, size_t i),
                                        const void *list, size_t count, struct pl_err *err);

#endif
