/* usage - what requests cost: the one place that hears of every request that has ended, with all that is known of it.
 *
 * It keeps the numbers of /metrics, and tells report.c, which tells control. Series belong to an endpoint's variant
 * name, whatever its generation: they come with the first and are dropped with the last. Threads: with the turn.  Cost:
 * usage_ended() is some relaxed atomics; it allocates nothing. */
#ifndef ROUTER_USAGE_H
#define ROUTER_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core_variant;
struct metrics;
struct report;
struct usage;
struct usage_series;

struct usage *usage_new(struct metrics *m, struct report *r); /* 'r' may be NULL */
void usage_free(struct usage *u);                             /* NULL is fine */

struct usage_series *usage_series_ref(struct usage *u, const char *endpoint, const char *variant);
void usage_series_unref(struct usage *u, struct usage_series *s);

enum usage_outcome {
    USAGE_ANSWERED,
    USAGE_MODEL_ERROR, /* the model refused the payload or failed                        */
    USAGE_FAILED,      /* no instance could be had, or it died or took too long          */
    USAGE_CANCELLED,   /* the caller left                                                */
    USAGE_THROTTLED,   /* over max concurrency: never in, all times are 0, billed is 0   */
    USAGE_OUTCOMES
};

/* Everything that is known of a request when it has ended. Texts live during the call. */
struct usage_facts {
    const char *endpoint, *variant;
    int64_t generation;
    int32_t memory_mb;
    enum usage_outcome outcome;
    bool cold;
    /* As in pilotlight.v1.Timings; 0 for what it did not get to. */
    int64_t queue_us, start_us, sandbox_us, load_us, first_predict_us, model_us, overhead_us, total_us;
    int64_t billed_ms;          /* time in the instance, rounded up to a millisecond */
    bool reached;               /* an instance had it */
    bool provisioned;           /* within the provisioned concurrency when it was dispatched */
    int model_status;           /* what the model answered, as HTTP says it; 0 = nothing */
    size_t bytes_in, bytes_out; /* of the messages */
};
void usage_ended(struct usage *u, struct usage_series *s, const struct usage_facts *f);

/* How many instances and requests the variant has now. */
void usage_gauges(struct usage_series *s, const struct core_variant *v);
/* What one of its instances uses, as its host has just measured it. */
void usage_memory(struct usage_series *s, const struct core_variant *v, int64_t used_bytes);
void usage_instance_started(struct usage_series *s, int64_t start_us);
void usage_instance_failed(struct usage_series *s);

#endif
