#include "sketch/point.h"

#include <math.h>

/* Largest count that a double holds exactly. */
#define EXACT_MAX 9007199254740992.0

void point_done(struct point *p)
{
    sketch_done(&p->sketch);
    *p = (struct point){ 0 };
}

static bool whole(double count)
{
    return count >= 1 && count <= EXACT_MAX && floor(count) == count;
}

static void add_numbers(struct point *p, double count, double sum, double min, double max)
{
    p->min = p->count > 0 ? fmin(p->min, min) : min;
    p->max = p->count > 0 ? fmax(p->max, max) : max;
    p->count += count;
    p->sum += sum;
}

void point_add(struct point *p, double value, double count)
{
    add_numbers(p, count, value * count, value, value);
    if (whole(count))
        sketch_add(&p->sketch, value, (uint64_t)count);
}

void point_add_set(struct point *p, double count, double sum, double min, double max)
{
    add_numbers(p, count, sum, min, max);
    if (min == max && whole(count)) /* NOLINT: exactly the same */
        sketch_add(&p->sketch, min, (uint64_t)count);
}

void point_merge(struct point *into, const struct point *from)
{
    if (from->count <= 0)
        return;
    add_numbers(into, from->count, from->sum, from->min, from->max);
    sketch_merge(&into->sketch, &from->sketch);
}

bool point_distribution_known(const struct point *p)
{
    return whole(p->count) && sketch_total(&p->sketch) == (uint64_t)p->count;
}

bool point_encode_sketch(const struct point *p, struct pl_buf *out)
{
    if (p->sketch.len == 0 || (p->min == p->max && point_distribution_known(p)))
        return true;
    return sketch_encode(&p->sketch, out);
}

bool point_decode(struct point *out, double count, double sum, double min, double max, const void *sketch, size_t len)
{
    *out = (struct point){ .count = count, .sum = sum, .min = min, .max = max };
    if (len == 0 && min == max && min >= 0 && whole(count))
        sketch_add(&out->sketch, min, (uint64_t)count);
    if (sketch_decode(len ? &out->sketch : &(struct sketch){ 0 }, sketch, len) &&
        (double)sketch_total(&out->sketch) <= count)
        return true;
    point_done(out);
    return false;
}
