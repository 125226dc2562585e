/* latency - what many calls took: percentiles, cold starts, failures by kind.
 * Memory: 4 bytes a call, up to the number that was announced.  Threads: one at a time. */
#ifndef CTL_LATENCY_H
#define CTL_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LATENCY_KINDS 16 /* kinds of failure told apart; more are counted together */

struct latency {
    uint32_t *micros; /* of the answered calls */
    size_t answered, room;
    size_t cold, failed;
    struct {
        char label[48];
        size_t count;
    } kinds[LATENCY_KINDS];
    size_t kind_count;
    bool sorted;
};

void latency_init(struct latency *l, size_t calls);
void latency_done(struct latency *l);
void latency_answered(struct latency *l, int64_t us, bool cold);
void latency_failed(struct latency *l, const char *label);
/* The smallest time that at least 'percent' of the answered calls did not exceed (nearest rank); 0 when there is none.
 */
int64_t latency_percentile(struct latency *l, double percent);
void latency_print(struct latency *l, int64_t elapsed_us, unsigned concurrency, FILE *out);

#endif
