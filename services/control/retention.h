/* retention - how fine the past is known: the rules for the ages of rows and the ranges of queries. Pure.
 *
 *   rows of   1 s   60 s   300 s   3600 s
 *   kept      3 h   15 d   63 d    455 d      (CloudWatch's retention)
 *
 * As a row gets older than its class is kept it becomes part of a coarser one. A value is in one row at any time. */
#ifndef CONTROL_RETENTION_H
#define CONTROL_RETENTION_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention_class {
    int32_t resolution_s;
    int64_t keep_s;
};
extern const struct retention_class retention_classes[]; /* fine to coarse */
#define RETENTION_CLASSES   4
#define RETENTION_LONGEST_S ((int64_t)455 * 86400)

/* The class for a value of that moment, given how finely its source measures (1 or 60 s). NULL: too old to keep. */
const struct retention_class *retention_class_of(int64_t at_s, int32_t resolution_s, int64_t now_s);
/* Rows of class 'i' that start before this are due to become coarser, or to go: a multiple of the next resolution. */
int64_t retention_due_before(size_t i, int64_t now_s);
int64_t retention_floor(int64_t s, int64_t step);

/* Where a query's buckets start: 'start' rounded down as its age asks for. */
int64_t retention_query_start(int64_t start_ms, int32_t period_s, int64_t now_s);
/* 1, 5, 10, 20, 30 or a multiple of 60 up to a year. */
bool retention_period_valid(int64_t period_s);
/* Whether a range that starts then has data for that period. */
bool retention_has_data(int64_t start_s, int32_t period_s, int64_t now_s);

#endif
