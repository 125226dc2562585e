/* up_set - one "SERVICE.KEY=VALUE" of the command line put into a service's config. Pure. */
#ifndef CTL_UP_SET_H
#define CTL_UP_SET_H

#include "base/err.h"

#include <jansson.h>

/* KEY is a path with dots, "log.level". A VALUE that starts with '[' or '{' is a YAML list or mapping of texts; any
 * other is a text.
 * '*out_which' is the index of the service. PL_INVALID: not of that form, or no such service. */
PL_MUST_CHECK enum pl_code up_set(const char *text, const char *const *services, json_t *const *configs, size_t count,
                                  size_t *out_which, struct pl_err *err);

#endif
