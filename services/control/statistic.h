/* statistic - the numbers that can be asked of a point, by name.
 *
 *   sample_count, sum, average, minimum, maximum
 *   p99, p99.9            the value that 99 % of all are not above
 *   tm90, TM(10%:90%)     mean of what is left between two percentiles;  TM(100:2000) between two values
 *   wm90, WM(...)         the same, but what is outside counts as the nearest value inside
 *   tc90, ts90, TC, TS    count and sum of what is left
 *   PR(:300)              percentage of the values within
 *   IQM                   TM(25%:75%)
 *
 * Letters' case does not matter. What needs the distribution is within SKETCH_ERROR of the exact number, and is NaN
 * when the point does not know it. Rank of percentile p of n values: the smallest whole r with r >= p/100 x n. */
#ifndef CONTROL_STATISTIC_H
#define CONTROL_STATISTIC_H

#include "sketch/point.h"

#include <stdbool.h>

struct statistic {
    enum {
        STATISTIC_SAMPLE_COUNT,
        STATISTIC_SUM,
        STATISTIC_AVERAGE,
        STATISTIC_MINIMUM,
        STATISTIC_MAXIMUM,
        STATISTIC_PERCENTILE,
        STATISTIC_TRIMMED_MEAN,
        STATISTIC_WINSORIZED_MEAN,
        STATISTIC_TRIMMED_COUNT,
        STATISTIC_TRIMMED_SUM,
        STATISTIC_PERCENTILE_RANK,
    } kind;
    bool by_value;    /* the limits are values, else percentages */
    double low, high; /* a percentile has 'high' alone */
};

/* False: no such statistic. */
bool statistic_parse(const char *text, struct statistic *out);
bool statistic_is_extended(const struct statistic *s);
/* 'p' has values. */
double statistic_of(const struct statistic *s, const struct point *p);

#endif
