/* store_persistent - the SQL function mark_persistent(kind, body), for schema step 4 alone: the body of an endpoint
 * config or an endpoint in which variants that stand for instances say so. A body that is no message stays as it is. */
#ifndef CONTROL_STORE_PERSISTENT_H
#define CONTROL_STORE_PERSISTENT_H

#include "base/err.h"

struct store;

PL_MUST_CHECK enum pl_code store_persistent_init(struct store *s, struct pl_err *err);

#endif
