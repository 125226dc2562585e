/* histogram - eight equal buckets to every power of two, so that a value is known within an eighth of itself.
 *
 * A bucket holds low < us <= high; powers of two are always a 'high', which makes the coarser buckets of the exposition
 * exact. 1.9 KB each: with the registry's limit of 20,000 series that is 38 MB at the very worst. */
#include "private.h"

#include "base/mem.h"

#define SUB_BITS 3
#define SUB      (1u << SUB_BITS)
#define LAST     30 /* 2^30 us = 1074 s; what is longer is in the last bucket */
#define BUCKETS  ((LAST - SUB_BITS + 1) * SUB + 1)

struct metrics_histogram {
    _Atomic uint64_t buckets[BUCKETS];
    _Atomic uint64_t sum_us;
};

/* Of the value 'n' + 1. Up to SUB each value has its own bucket. */
static unsigned bucket_of(uint64_t n)
{
    if (n < SUB)
        return (unsigned)n;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(n);
    if (exponent >= LAST)
        return BUCKETS - 1;
    return (exponent - SUB_BITS) * SUB + (unsigned)(n >> (exponent - SUB_BITS));
}

/* The largest value in a bucket, in us. */
static uint64_t bucket_high(unsigned b)
{
    if (b < SUB)
        return b + 1;
    unsigned shift = b / SUB - 1;
    return (uint64_t)(b % SUB + SUB + 1) << shift;
}

static uint64_t bucket_width(unsigned b)
{
    return b < SUB ? 1 : (uint64_t)1 << (b / SUB - 1);
}

struct metrics_histogram *histogram_new(void)
{
    return PL_NEW(struct metrics_histogram);
}

void metrics_observe_us(struct metrics_histogram *h, int64_t us)
{
    uint64_t v = us > 0 ? (uint64_t)us : 0;
    atomic_fetch_add_explicit(&h->buckets[bucket_of(v > 0 ? v - 1 : 0)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, v, memory_order_relaxed);
}

static uint64_t count_in(const struct metrics_histogram *h, unsigned b)
{
    return atomic_load_explicit(&h->buckets[b], memory_order_relaxed);
}

int64_t metrics_quantile_us(const struct metrics_histogram *h, double q)
{
    uint64_t total = 0, below = 0;
    for (unsigned b = 0; b < BUCKETS; b++)
        total += count_in(h, b);
    if (total == 0)
        return 0;
    double rank = q * (double)total;
    for (unsigned b = 0; b < BUCKETS - 1; b++) {
        below += count_in(h, b);
        if (below > 0 && (double)below >= rank)
            return (int64_t)(bucket_high(b) - (bucket_width(b) - 1) / 2); /* its middle */
    }
    return (int64_t)bucket_high(BUCKETS - 2);
}

uint64_t histogram_cumulative(const struct metrics_histogram *h, uint64_t out[HISTOGRAM_SHOWN])
{
    uint64_t sum = 0;
    unsigned b = 0;
    for (unsigned i = 0; i < HISTOGRAM_SHOWN; i++) {
        for (; b < BUCKETS - 1 && bucket_high(b) <= (uint64_t)1 << (HISTOGRAM_SHOWN_FIRST + i); b++)
            sum += count_in(h, b);
        out[i] = sum;
    }
    for (; b < BUCKETS; b++)
        sum += count_in(h, b);
    return sum;
}

uint64_t histogram_sum_us(const struct metrics_histogram *h)
{
    return atomic_load_explicit(&h->sum_us, memory_order_relaxed);
}
