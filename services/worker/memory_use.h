/* memory_use - how much memory instances use: measured from outside, a few at a time, on a job thread.
 *
 * The figure is the proportional share (PSS): a page that n processes map counts one n-th to each, so that the sum over
 * all is what they take together. An instance is measured soon after its start, again when it has served since, and
 * every minute; one that idles costs next to nothing.
 *
 * Threads: with the turn; reading /proc is a loop_job.  Cost: 0.1 ms of a processor a measurement, at most 64 a second.
 */
#ifndef WORKER_MEMORY_USE_H
#define WORKER_MEMORY_USE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct instance;
struct instances;
struct loop;
struct memory_use;

struct memory_use *memory_use_new(struct loop *l, struct instances *all);
void memory_use_free(struct memory_use *m); /* NULL is fine; waits for no job: one that runs ends with the loop's */
bool memory_use_busy(const struct memory_use *m);

/* There is an instance that may have to be measured. */
void memory_use_wake(struct memory_use *m);
/* Now, in the turn: for one that is about to go. */
void memory_use_measure(struct instance *in);

struct memory_sample {
    int64_t used_bytes, own_bytes;
};
/* The text of /proc/PID/smaps_rollup. False: it is none. */
bool memory_use_parse(const char *text, struct memory_sample *out);

#endif
