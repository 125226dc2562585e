/* time - two clocks that must not be mixed.
 *
 * Monotonic time orders and measures inside one process: timers, timings, keep-alive. Wall time is what people and
 * other machines see: created_at, log lines, leases in the database. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

int64_t pl_now_ms(void);  /* CLOCK_MONOTONIC */
int64_t pl_now_us(void);  /* CLOCK_MONOTONIC */
int64_t pl_wall_ms(void); /* CLOCK_REALTIME, since 1970-01-01 UTC */

/* "2026-02-11T08:15:30.123Z" into 'out' (at least 25 bytes); returns 'out'. */
char *pl_wall_text(int64_t wall_ms, char out[25]);

/* "250ms", "10s", "5m", "2h", "1d" or a plain count of milliseconds -> ms. False: not a duration, negative or too
 * large. */
_Bool pl_duration_parse(const char *text, int64_t *out_ms);
/* The form with the largest unit that means exactly 'ms': "90s", "2m", "1500ms"; zero is "0s". */
char *pl_duration_text(int64_t ms, char out[24]);

#endif
