/* metric_math - CloudWatch's metric math, the simple part: time series, numbers, + - * / and a few functions.
 *
 *     errors / calls * 100          by timestamp; where one of the two has nothing there is nothing
 *     SUM([m1, m2]), SUM(METRICS())  by timestamp over what is there;  AVG, MIN, MAX alike
 *     m1 / SUM(m1)                  of one series: one number
 *     FILL(m1, 0)                   a number for the timestamps that others have
 *     ABS, CEIL, FLOOR
 *
 * What does not come out as a number (1 / 0) is left out. Pure.  Memory: of the arena.
 * Limits: MATH_TEXT_MAX bytes, MATH_DEPTH_MAX brackets inside each other, and MATH_POINTS_MAX points that all
 * expressions of one scope may make on their ways: a text of 2 KB could otherwise ask for gigabytes. */
#ifndef GATEWAY_METRIC_MATH_H
#define GATEWAY_METRIC_MATH_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MATH_TEXT_MAX   2048
#define MATH_DEPTH_MAX  32
#define MATH_POINTS_MAX 2000000

struct math_series {
    size_t count;
    int64_t *times; /* rising */
    double *values;
};

struct math_named {
    const char *id;
    bool is_metric; /* METRICS() has it */
    bool known;     /* an expression that has been evaluated, or a metric */
    struct math_series series;
};

/* What expressions can see, and what they may still use. */
struct math_scope {
    struct math_named *named;
    size_t count;
    struct arena *arena;
    int64_t points_left; /* begins with MATH_POINTS_MAX */
};

enum math_outcome {
    MATH_OK,
    MATH_WAITS, /* it needs '*out_waits_for', which is not known yet */
    MATH_WRONG, /* '*out_why' says what */
};
enum math_outcome math_evaluate(const char *text, struct math_scope *scope, struct math_series *out,
                                size_t *out_waits_for, const char **out_why);

#endif
