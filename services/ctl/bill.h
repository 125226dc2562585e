/* bill - usage added up as somebody asked for it, and what one persistent instance per endpoint would have cost
 * instead.
 *
 * The instance is counted from the first day on which its endpoint was used, to the end of the range or now.
 * Pure.  Memory: bill_done() frees. */
#ifndef CTL_BILL_H
#define CTL_BILL_H

#include "cost/cost.h"

#include "pilotlight/v1/usage.pb-c.h"

#include <stddef.h>
#include <stdint.h>

enum bill_by { BILL_BY_DAY, BILL_BY_ENDPOINT, BILL_BY_VARIANT };

struct bill_line {
    char *day, *endpoint, *variant; /* "" where lines go over several */
    int32_t memory_mb;              /* 0: several */
    int64_t invocations, billed_ms, provisioned_ms, cold_starts, cold_start_ms, bytes;
    int64_t cost_nano;
};
struct bill {
    enum bill_by by;
    struct bill_line *lines; /* in the order of the usage: by day, endpoint, variant */
    size_t line_count;
    struct bill_line total;
    int64_t instance_nano; /* of persistent instances, one per endpoint */
    /* Inside. */
    struct bill_first *firsts; /* by endpoint */
    struct bill_place *places; /* where each line is */
};
void bill_init(struct bill *b, enum bill_by by);
void bill_done(struct bill *b);
/* Usage comes oldest day first. */
void bill_add(struct bill *b, const Pilotlight__V1__Usage *u);
/* After all: 'until_unix_ms' is the end of the range, or now. */
void bill_compare(struct bill *b, const struct cost_rates *rates, int64_t until_unix_ms);

/* "2026-02-11" -> its start; 0: it is no day. */
int64_t bill_day_ms(const char *day);
/* What control said, as cost.h has it. */
void bill_rates(const Pilotlight__V1__Rates *m, struct cost_rates *out);

#endif
