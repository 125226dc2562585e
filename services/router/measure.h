/* measure - what one variant did within one minute, added up: the numbers that control keeps as metrics and usage.
 *
 * Values go in as requests end and instances come and go; measure_pack() turns what has come together into one
 * VariantReport and starts again from nothing. Which numbers there are, under which names and units, is one table in
 * measure.c: SageMaker's, for whoever has code or dashboards for those, and our own in the namespace "Pilotlight".
 *
 * Pure: time comes in.  Memory: names are copied.  Cost of a request: some additions and a few sketch_add(). */
#ifndef ROUTER_MEASURE_H
#define ROUTER_MEASURE_H

#include "base/list.h"
#include "sketch/point.h"
#include "usage.h"

#include <stdbool.h>
#include <stdint.h>

/* Of one minute. */
struct measure_minute {
    int64_t start_ms; /* wall; 0: nothing has come in */
    int32_t memory_mb;
    /* Requests that were let in, and how many of them ... */
    int64_t requests, errors_4xx, errors_5xx, model_errors, failures, cancelled, cold, reached;
    int64_t provisioned, spillover; /* of a variant with provisioned concurrency, that reached an instance */
    int64_t throttled;              /* requests that were not let in */
    struct point model_us, overhead_us, setup_us, queue_us, start_us, sandbox_us, load_us, first_predict_us, billed_ms;
    struct point utilization, provisioned_executions, provisioned_utilization;
    struct point warm, memory;
};

/* For the bill; may go over several minutes of a day. */
struct measure_usage {
    int64_t invocations, billed_ms, provisioned_billed_ms, cold_starts, cold_start_us, bytes_in, bytes_out;
    int64_t provisioned_us;
};

struct measure {
    struct list dirty, live; /* of report.c: has something to tell; has instances */
    char *endpoint, *variant;
    struct measure_minute minute;
    struct measure_usage usage;
    int64_t usage_day; /* since 1970; of 'usage' */
    /* Now. */
    unsigned busy, warm, provisioned;
    int64_t provisioned_since_us; /* up to here it is in 'usage' */
    double memory_percent;        /* as last measured of an instance; 0 = never */
};

struct measure *measure_new(const char *endpoint, const char *variant);
void measure_free(struct measure *m); /* NULL is fine */

/* What has come together belongs to another minute, or to another memory size: it must be packed first. */
bool measure_must_pack(const struct measure *m, int64_t wall_ms, int32_t memory_mb);
bool measure_empty(const struct measure *m);

void measure_ended(struct measure *m, int64_t wall_ms, const struct usage_facts *f);
struct measure_gauges {
    unsigned busy, warm; /* warm: idle ones and busy ones */
    unsigned provisioned, max_concurrency;
    int32_t memory_mb;
};
/* True: there is something new to tell. */
bool measure_gauges(struct measure *m, int64_t wall_ms, int64_t now_us, const struct measure_gauges *g);
void measure_memory(struct measure *m, int64_t wall_ms, int32_t memory_mb, double percent);
/* Nothing changed, but time has passed: how many instances there were in this minute, and what that cost. */
void measure_sample(struct measure *m, int64_t wall_ms, int64_t now_us);

/* Appends a field 'variants' of ReportBatch and starts from nothing; without 'metrics' only what is to be billed.
 * False: 'out' is full, and everything is as it was. */
bool measure_pack(struct measure *m, bool metrics, struct pl_buf *out);

#endif
