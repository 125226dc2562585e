/* What went wrong last, for assert_ok() in fixtures.h. */
#include "base/err.h"

extern struct pl_err err;
struct pl_err err;
