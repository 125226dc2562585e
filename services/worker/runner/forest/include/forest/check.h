/* check - is this a forest file that can be walked without reading outside of it?
 *
 * Trusted: nothing that is used as an index or as a number of steps. Not looked at: whether the trees make sense (they
 * are right when the checksum is, because our compiler wrote them and compared them with XGBoost; a forged file gives
 * wrong numbers inside its own instance, as its model could have done anyway). Cost: two passes over the file at memory
 * speed. */
#ifndef FOREST_CHECK_H
#define FOREST_CHECK_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>

struct forest_view;

/* 'bytes' are aligned to FOREST_ALIGNMENT. PL_DATA_LOSS with the reason; '*out' is filled only when all is well. */
PL_MUST_CHECK enum pl_code forest_check(const void *bytes, size_t n, struct forest_view *out, struct pl_err *err);

#endif
