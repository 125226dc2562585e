/* capacity - may this host take another instance?
 *
 * Memory size is a limit, not a reservation: what counts is measured use (memory_use.h). An instance that has not been
 * measured yet counts with what others of its model have been seen to use, or with a guess from the size of its
 * unpacked model; so a burst of starts cannot outrun the measuring. A share of the memory stays free as headroom. An
 * operator who wants promises kept sets 'overcommit': a bound on the memory sizes together.
 *
 *     used = sum of (measured, or the estimate)       free = min(offered - used, what the machine has left)
 *
 * Threads: with the turn.  Cost: a few sums; with 'overcommit', one step per instance. */
#ifndef WORKER_CAPACITY_H
#define WORKER_CAPACITY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct capacity;
struct instances;
struct cache_item;
struct loop;

struct capacity_options {
    int64_t memory_bytes; /* offered; 0 = the machine's (its cgroup's, when that is less) */
    double overcommit;    /* memory sizes together, as a multiple of that; 0 = no bound */
    int64_t instance_limit;
};

struct capacity *capacity_new(struct loop *l, struct instances *all, const struct capacity_options *o);
void capacity_free(struct capacity *c);

/* What an instance of this model, with 'code' from an archive of its own or NULL, is expected to take until it is
 * measured. */
int64_t capacity_estimate(int memory_size_mb, struct cache_item *model, const struct cache_item *code);

/* PL_EXHAUSTED (NO_CAPACITY), naming the need and what there is. */
PL_MUST_CHECK enum pl_code capacity_admit(struct capacity *c, int memory_size_mb, int64_t estimate_bytes,
                                          struct pl_err *err);

struct capacity_load {
    int64_t memory_mb, memory_free_mb, memory_used_mb;
    int32_t instances, instance_limit;
};
void capacity_load(struct capacity *c, struct capacity_load *out);

/* A measurement is under way: not yet to be freed. */
bool capacity_busy(const struct capacity *c);

#endif
