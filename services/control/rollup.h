/* rollup - what gets old becomes coarser, and then goes: rows (retention.h), metrics without any, usage, reporters.
 *
 * Done in steps of bounded work, each one transaction that moves whole rows: a value is counted once at any instant,
 * whenever the process ends. Threads: with the store. */
#ifndef CONTROL_ROLLUP_H
#define CONTROL_ROLLUP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

struct rollup {
    int64_t after; /* the metric that was done last; 0 = from the start */
    int64_t usage_keep_days;
};

/* The next few metrics. '*out_more' false: all have been seen, and the next step starts over. */
PL_MUST_CHECK enum pl_code rollup_step(struct rollup *r, struct store *s, int64_t wall_ms, bool *out_more,
                                       struct pl_err *err);

#endif
