/* sketch - how values are distributed, in little memory: a count per bucket, sorted; sketches of parts add up to the
 * sketch of the whole.
 *
 * Buckets are log-linear: 64 of equal width between one power of two and the next, so that a value read back is within
 * SKETCH_ERROR of the one put in, from 2^-1022 to the largest double; smaller values count as 0. The index of a bucket
 * is the upper 17 bits (sign 0, exponent, 6 of the mantissa) of its values' IEEE 754 form, which sorts as they do.
 * There are no buckets for negative values: who needs percentiles of them compares sketch_total() with his own count.
 *
 * At most SKETCH_MAX_BUCKETS; beyond that the two lowest become one, so that high percentiles keep their precision.
 * Ranks: of n values the one of rank r (0 <= r < n) is the r-th smallest.  Threads: none of this is shared.
 * Cost: sketch_add() of a value near the last one is a few instructions, else a binary search and a move. */
#ifndef SKETCH_SKETCH_H
#define SKETCH_SKETCH_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKETCH_ERROR       (1.0 / 128)
#define SKETCH_MAX_BUCKETS 2048
/* Of an encoded sketch: two varints a bucket. */
#define SKETCH_MAX_BYTES ((size_t)SKETCH_MAX_BUCKETS * 13 + 1)

struct sketch_bucket {
    uint32_t index;
    uint64_t count; /* > 0 */
};

/* All zero is an empty one. */
struct sketch {
    struct sketch_bucket *buckets; /* by index */
    uint32_t len, cap;
    uint32_t last;  /* where the newest value went */
    uint64_t total; /* of all counts */
};

void sketch_done(struct sketch *s);  /* for pl_cleanup too; may be used again */
void sketch_clear(struct sketch *s); /* keeps the memory */

/* 'value' must be finite and not negative (else nothing happens). */
void sketch_add(struct sketch *s, double value, uint64_t count);
void sketch_merge(struct sketch *into, const struct sketch *from);

static inline uint64_t sketch_total(const struct sketch *s)
{
    return s->total;
}

/* Of a bucket: its middle; 0 for the lowest. */
double sketch_value(uint32_t index);
/* The value of that rank; 0 when there is none. */
double sketch_at(const struct sketch *s, uint64_t rank);

/* ---- as bytes: for messages and databases ----
 * A version byte (1), then for each bucket two varints: its index less the one before it, and its count. */

/* Appends; false when 'out' is full. */
bool sketch_encode(const struct sketch *s, struct pl_buf *out);
/* Replaces '*s' by what the bytes say; empty bytes are an empty sketch. False: malformed, '*s' is empty then. */
bool sketch_decode(struct sketch *s, const void *bytes, size_t len);

#endif
