/* metric_key - a metric's identity as one text, and the checks of what it is made of.
 *
 * The key of a set of dimensions is "name=value" pairs, sorted by name and joined: "EndpointName\x1f" "fraud\x1e" ...;
 * names and values are printable, so that the separators cannot be part of them.
 * Errors: PL_INVALID naming field, value and limit. Threads: any. */
#ifndef CONTROL_METRIC_KEY_H
#define CONTROL_METRIC_KEY_H

#include "base/buf.h"
#include "base/err.h"

#include "pilotlight/v1/metrics.pb-c.h"

#include <stdbool.h>

struct limits;

/* 'm' NULL is invalid. 'field' is put in front of the member's name: "data[3].metric". */
PL_MUST_CHECK enum pl_code metric_check(const struct limits *l, const char *field, const Pilotlight__V1__Metric *m,
                                        struct pl_err *err);
PL_MUST_CHECK enum pl_code metric_check_dimensions(const struct limits *l, const char *field,
                                                   Pilotlight__V1__Dimension *const *dimensions, size_t count,
                                                   struct pl_err *err);

/* NUL-terminated; to be freed. */
char *metric_key(Pilotlight__V1__Dimension *const *dimensions, size_t count);
/* The key of EndpointName and VariantName. */
char *metric_key_of_variant(const char *endpoint, const char *variant);
/* Goes through a key; 'at' starts as the key and is NULL after the last pair. Writes over the separators. */
bool metric_key_next(char **at, char **out_name, char **out_value);
/* A message on the heap (record_free()). */
Pilotlight__V1__Metric *metric_message(const char *name_space, const char *name, const char *key);

/* Number of a unit's name, which rows carry; "" is None. -1: unknown. Numbers never change. */
int metric_unit(const char *name);
/* "None" for what is no unit. */
const char *metric_unit_name(int unit);
PL_MUST_CHECK enum pl_code metric_check_unit(const char *field, const char *name, struct pl_err *err);

#endif
