/* packed - numbers as protobuf and raw tensors store them, into a matrix. Little endian, as this machine must be. */
#ifndef RUNNER_PACKED_H
#define RUNNER_PACKED_H

#include "base/cleanup.h"
#include "base/err.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct matrix;

enum packed_type { PACKED_FP32, PACKED_FP64, PACKED_INT32, PACKED_INT64, PACKED_TYPE_COUNT };

const char *packed_type_name(enum packed_type type); /* "FP32" */

/* One varint at '*at'; false: it is cut off or too long. */
bool packed_varint(const uint8_t **at, const uint8_t *end, uint64_t *out);

/* 'n' bytes of values, one after the other. PL_MODEL 415: not a whole number of them; 413: too many. */
PL_MUST_CHECK enum pl_code packed_add_raw(struct matrix *m, enum packed_type type, const uint8_t *bytes, size_t n,
                                          struct pl_err *err);

/* A repeated field's values: packed, or one of them. PL_MODEL 415: of another wire type, or cut off. */
PL_MUST_CHECK enum pl_code packed_add_field(struct matrix *m, enum packed_type type, const struct wire_field *f,
                                            struct pl_err *err);

#endif
