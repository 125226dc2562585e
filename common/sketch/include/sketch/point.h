/* point - what is known of some values: how many, their sum and bounds, and how they are distributed.
 *
 * The unit of everything measured: a report carries it, a row keeps it, and rows of a minute add up to those of an hour
 * or a query's bucket in any order. When all values are the same, the distribution follows from the bounds and is not
 * kept. Threads: none.  Memory: point_done() frees the distribution. */
#ifndef SKETCH_POINT_H
#define SKETCH_POINT_H

#include "sketch/sketch.h"

#include <stdbool.h>

struct point {
    double count; /* 0: nothing is known, and the rest is 0 */
    double sum;
    double min, max;
    struct sketch sketch; /* holds 'count' values, or the distribution is not known */
};

void point_done(struct point *p); /* for pl_cleanup too */
/* 'count' > 0 values of 'value'. */
void point_add(struct point *p, double value, double count);
/* Values summed up by somebody else; their distribution is known when they are all the same. */
void point_add_set(struct point *p, double count, double sum, double min, double max);
void point_merge(struct point *into, const struct point *from);
/* Every value is in the sketch: there are no negative ones and no sums of others. */
bool point_distribution_known(const struct point *p);

/* The distribution as bytes, appended; nothing when it follows from the bounds. */
bool point_encode_sketch(const struct point *p, struct pl_buf *out);
/* A point from its numbers and those bytes. False: the bytes are malformed, or hold more values than there are. */
bool point_decode(struct point *out, double count, double sum, double min, double max, const void *sketch, size_t len);

#endif
