/* usage_list - pages of usage with what it cost. Errors: PL_INVALID naming the field; those of store.h. */
#ifndef CONTROL_USAGE_LIST_H
#define CONTROL_USAGE_LIST_H

#include "base/err.h"

#include "pilotlight/v1/usage.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct cost_rates;
struct limits;
struct store;

/* '*out' is on the heap (record_free()). */
PL_MUST_CHECK enum pl_code usage_list(struct store *s, const struct limits *l, const struct cost_rates *rates,
                                      const Pilotlight__V1__ListUsageRequest *r, int64_t wall_ms,
                                      Pilotlight__V1__ListUsageResponse **out, struct pl_err *err);
/* On the heap. */
Pilotlight__V1__Rates *usage_rates(const struct cost_rates *rates);

/* "2026-02-11" <-> days since 1970 UTC. */
bool usage_day_parse(const char *text, int64_t *out_day);
char *usage_day_text(int64_t day, char out[16]);

#endif
