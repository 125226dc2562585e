/* cost - what usage costs: integer arithmetic on prices in billionths ("nano") of a currency, and their text.
 *
 * A request costs its milliseconds x the price of a second for its memory size; a second of 1024 MB times the size
 * where no price is set for a size by itself. Provisioned concurrency costs for being there, and has its own price for
 * the requests within it. Data costs by 2^30 bytes either way. Sums are made in integers; one rounding, to the nearest,
 * ends each. The defaults are Amazon's public us-east-1 prices as the product's documentation quotes them. Threads:
 * none of this is shared.  Memory: the struct owns nothing. */
#ifndef COST_COST_H
#define COST_COST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COST_NANO      INT64_C(1000000000)
#define COST_RATES_MAX 32

/* Of one memory size, a second. */
struct cost_rate {
    int32_t memory_mb;
    int64_t request_nano;             /* of a request on demand */
    int64_t provisioned_request_nano; /* of a request within provisioned concurrency */
    int64_t provisioned_nano;         /* of one unit of it being there */
};

struct cost_rates {
    char currency[8];
    struct cost_rate gb;                    /* for 1024 MB; sizes without a row of their own follow it in proportion */
    struct cost_rate sizes[COST_RATES_MAX]; /* by memory_mb, rising */
    size_t size_count;
    int64_t data_gb_nano;
    char instance_name[64]; /* of a persistent instance, to compare with */
    int64_t instance_hour_nano;
};
void cost_rates_default(struct cost_rates *out);
/* The prices for that size. */
struct cost_rate cost_rate_of(const struct cost_rates *r, int32_t memory_mb);

struct cost_usage {
    int32_t memory_mb;
    int64_t billed_ms;             /* of all requests */
    int64_t provisioned_billed_ms; /* the part within provisioned concurrency */
    int64_t provisioned_ms;
    int64_t bytes; /* in and out */
};
/* Stays at INT64_MAX when it would be more. */
int64_t cost_of(const struct cost_rates *r, const struct cost_usage *u);
int64_t cost_instance(const struct cost_rates *r, int64_t seconds);

/* "0.0000200" -> 20000; at most nine digits behind the point, no sign. */
bool cost_parse(const char *text, int64_t *out_nano);
/* With 'digits' (0..9) behind the point, rounded: 240000000, 2 -> "0.24". Negative ones have a '-'. */
char *cost_text(int64_t nano, int digits, char out[32]);

#endif
