/* math_value - what expressions of metric_math.h work with: numbers, time series, and lists of series.
 *
 * A value is made only while nothing has gone wrong: 'struct math' then says so, and what is returned is not to be
 * used. */
#ifndef GATEWAY_MATH_VALUE_H
#define GATEWAY_MATH_VALUE_H

#include "metric_math.h"

struct math_value {
    enum { MATH_SCALAR, MATH_SERIES, MATH_LIST } kind;
    double scalar;
    struct math_series series;
    struct math_value *items; /* all of them series */
    size_t item_count;
};

struct math {
    struct math_scope *scope;
    enum math_outcome outcome;
    const char *why;
    size_t waits_for;
};

struct math_value math_scalar(double v);
/* The first failure counts. */
struct math_value math_wrong(struct math *m, const char *fmt, ...) PL_PRINTF(2, 3);
/* Takes 'points' from what the scope has left; false: it has gone wrong. */
bool math_charge(struct math *m, size_t points);
/* 'op' is one of + - * / */
struct math_value math_combine(struct math *m, char op, const struct math_value *a, const struct math_value *b);
bool math_is_function(const char *name);
/* 'function' is one. */
struct math_value math_call(struct math *m, const char *function, const struct math_value *args, size_t count);
/* The number at every time that a metric has. */
struct math_value math_spread(struct math *m, double number);

#endif
