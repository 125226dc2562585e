/* schedule - when something is to happen, as a text says it: at(...), rate(...) or cron(...), all UTC. Pure.
 *
 *   at(2026-02-11T08:00:00)    once
 *   rate(5 minutes)            every so many minutes, hours or days, counted from a moment of its own
 *   cron(0 8 ? * MON-FRI *)    minute hour day-of-month month day-of-week year; each a star, numbers, names, lists,
 *                              ranges and steps ("0-30/10"); one of the two days is '?'; Sunday is 1, as at AWS
 *
 * What AWS adds to cron (L, W, #) is refused. */
#ifndef CONTROL_SCHEDULE_H
#define CONTROL_SCHEDULE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_FIRST_YEAR 1970
#define SCHEDULE_YEARS      230 /* to 2199 */

struct schedule {
    enum { SCHEDULE_AT, SCHEDULE_RATE, SCHEDULE_CRON } kind;
    int64_t at_s;    /* at */
    int64_t every_s; /* rate */
    /* cron: a bit (or flag) for each value that matches */
    uint64_t minutes;
    uint32_t hours, days, months; /* days and months from bit 1 on */
    uint8_t weekdays;             /* bit 0 is Sunday */
    bool years[SCHEDULE_YEARS];
};

/* PL_INVALID naming 'field' and what is wrong. */
PL_MUST_CHECK enum pl_code schedule_parse(const char *field, const char *text, struct schedule *out,
                                          struct pl_err *err);
/* The first time after 'after_s' (since 1970); 'anchor_s' is where rates are counted from. -1: never again. */
int64_t schedule_next(const struct schedule *s, int64_t anchor_s, int64_t after_s);

#endif
