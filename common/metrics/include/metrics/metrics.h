/* metrics - counters, gauges and histograms that cost one relaxed atomic on the hot path.
 *
 * A metric is registered once, at set-up, with its fixed labels; the handle is then used without look-ups, locks or
 * allocation. Exposition is Prometheus text format 0.0.4. Per-endpoint series are registered when the endpoint appears
 * and dropped when it goes; a registry holds at most METRICS_MAX_SERIES series, beyond which new ones share one
 * overflow handle.
 *
 * Threads: registration and exposition take the registry's lock; updates are atomic.  Memory: the registry owns
 * everything; handles stay valid until metrics_drop() or metrics_free(). */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "base/buf.h"

#include <stdatomic.h>
#include <stdint.h>

#define METRICS_MAX_SERIES 20000

struct metrics;
struct metrics_counter {
    _Atomic uint64_t value;
};
struct metrics_gauge {
    _Atomic int64_t value;
};
struct metrics_histogram; /* base-2 sub-bucketed from 1 us to 1000 s, sums in microseconds; exposed in seconds */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* 'labels' is "endpoint=\"fraud\",variant=\"v1\"" or NULL; build it with metrics_label() when a value came from
 * outside. The same name and labels give the same handle. Names end in their unit: _total, _seconds, _bytes. */
struct metrics_counter *metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help);
struct metrics_gauge *metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help);
struct metrics_histogram *metrics_histogram(struct metrics *m, const char *name, const char *labels, const char *help);
/* Removes every series whose labels contain exactly 'label' (one key="value" pair). */
void metrics_drop(struct metrics *m, const char *label);

/* Appends key="value" to 'out' with Prometheus escapes, after a comma when 'out' is not empty. */
void metrics_label(struct pl_buf *out, const char *key, const char *value);

static inline void metrics_add(struct metrics_counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}
static inline void metrics_set(struct metrics_gauge *g, int64_t v)
{
    atomic_store_explicit(&g->value, v, memory_order_relaxed);
}
static inline void metrics_move(struct metrics_gauge *g, int64_t by)
{
    atomic_fetch_add_explicit(&g->value, by, memory_order_relaxed);
}
void metrics_observe_us(struct metrics_histogram *h, int64_t us);
/* The value below which a share 'q' (0..1) of the observations lies, in microseconds, within 7 %; 0 when empty. */
int64_t metrics_quantile_us(const struct metrics_histogram *h, double q);

/* Process-wide basics: process_resident_memory_bytes, process_cpu_seconds_total, process_open_fds,
 * process_start_time_seconds. */
void metrics_add_process(struct metrics *m);

/* The whole registry as Prometheus text. */
void metrics_expose(struct metrics *m, struct pl_buf *out);

#endif
