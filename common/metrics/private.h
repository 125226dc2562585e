/* The parts of common/metrics:
 *
 *   metrics.c    the registry: families, series, the limit, drop
 *   histogram.c  buckets and quantiles
 *   labels.c     label texts: escapes, and which pairs one holds
 *   expose.c     the registry as text
 *   process.c    figures that the kernel keeps about this process */
#ifndef METRICS_PRIVATE_H
#define METRICS_PRIVATE_H

#include "metrics/metrics.h"

#include "base/list.h"

#include <pthread.h>
#include <stdbool.h>
#include <uthash.h>

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* All series of one name. Stays when its series are dropped: names are ours, so there are few. */
struct family {
    char *name, *help;
    enum metrics_type type;
    struct list series; /* in order of registration */
    struct list link;   /* in metrics.families      */
    struct series *by_labels;
    UT_hash_handle hh;
};

struct series {
    char *labels; /* "" for none */
    union {
        struct metrics_counter counter;
        struct metrics_gauge gauge;
        struct metrics_histogram *histogram;
    };
    struct list link; /* in family.series */
    UT_hash_handle hh;
};

struct metrics {
    pthread_mutex_t lock;
    struct family *by_name;
    struct list families;
    size_t series_count;
    uint64_t refused; /* registrations beyond the limit */
    /* What is counted beyond the limit goes here, and nowhere else: never exposed. */
    struct metrics_counter spare_counter;
    struct metrics_gauge spare_gauge;
    struct metrics_histogram *spare_histogram;
    bool process; /* metrics_add_process() was called */
};

struct metrics_histogram *histogram_new(void);
/* Counts of observations at or below 2^exponent microseconds, for each exponent of HISTOGRAM_SHOWN_*; returns all of
 * them. */
#define HISTOGRAM_SHOWN_FIRST 5  /* 32 us */
#define HISTOGRAM_SHOWN_LAST  28 /* 268 s */
#define HISTOGRAM_SHOWN       (HISTOGRAM_SHOWN_LAST - HISTOGRAM_SHOWN_FIRST + 1)
uint64_t histogram_cumulative(const struct metrics_histogram *h, uint64_t out[HISTOGRAM_SHOWN]);
uint64_t histogram_sum_us(const struct metrics_histogram *h);

bool labels_hold(const char *labels, const char *pair);

void process_expose(struct pl_buf *out);

#endif
