/* history - what was measured and served, kept: prices for it, its counters, and the timer that makes old rows coarser.
 *
 * The timer is set while there is anything to get old; an empty history costs nothing. Threads: with the turn. */
#ifndef CONTROL_HISTORY_H
#define CONTROL_HISTORY_H

#include "base/err.h"
#include "cost/cost.h"

struct control;
struct control_config;
struct history;
struct ingested;
struct metrics;

/* 'm' may be NULL. */
struct history *history_new(struct control *c, const struct control_config *config, struct metrics *m);
void history_free(struct history *h); /* NULL is fine */
const struct cost_rates *history_rates(const struct history *h);
/* A report was applied; data was put (NULL). */
void history_grew(struct history *h, const struct ingested *in);

#endif
