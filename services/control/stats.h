/* stats - control's own figures for /metrics, counted from the database a moment after something changed. */
#ifndef CONTROL_STATS_H
#define CONTROL_STATS_H

struct control;
struct metrics;
struct stats;

struct stats *stats_new(struct control *c, struct metrics *m); /* 'm' may be NULL: no figures */
void stats_free(struct stats *s);                              /* NULL is fine */
/* Something changed: counted soon. */
void stats_touch(struct stats *s);

#endif
