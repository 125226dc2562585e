/* capacity - may this host take another instance?
 *
 * Memory size is a limit, not a reservation: what counts is measured use. An instance that has not been measured yet
 * counts with an estimate from the size of its unpacked model (a JSON model takes about 7.5 times its size while it
 * loads); so a burst of starts cannot outrun the measuring. A share of the memory stays free as headroom.
 *
 *     used  = sum of (private resident memory, or the estimate)       free = min(offered - used, what the machine has
 * left)
 *
 * Threads: with the turn.  Cost: one /proc file per instance every 2 seconds, nothing while there is no instance. */
#ifndef WORKER_CAPACITY_H
#define WORKER_CAPACITY_H

#include "base/err.h"

#include <stdint.h>

struct capacity;
struct instances;
struct loop;

/* 'memory_bytes' offered, 0 = the machine's (its cgroup's, when that is less). */
struct capacity *capacity_new(struct loop *l, struct instances *all, int64_t memory_bytes, int64_t instance_limit);
void capacity_free(struct capacity *c);

/* What an instance of this model is expected to take until it is measured. */
int64_t capacity_estimate(int memory_size_mb, int64_t unpacked_bytes);

/* PL_EXHAUSTED (NO_CAPACITY), naming the need and what there is. */
PL_MUST_CHECK enum pl_code capacity_admit(struct capacity *c, int64_t estimate_bytes, struct pl_err *err);

struct capacity_load {
    int64_t memory_mb, memory_free_mb;
    int32_t instances, instance_limit;
};
void capacity_load(struct capacity *c, struct capacity_load *out);

/* Private resident memory of a process, from the text of /proc/PID/statm; -1: not such a text. */
int64_t capacity_parse_statm(const char *text);

#endif
