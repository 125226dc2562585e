/* objective - what XGBoost's objectives do to sums, and to the base score before them. */
#ifndef COMPILER_OBJECTIVE_H
#define COMPILER_OBJECTIVE_H

#include "base/cleanup.h"
#include "base/err.h"
#include "forest/layout.h"

struct source;

struct objective {
    enum forest_transform transform;
    float (*margin)(float base_score);
};

/* Of the version of XGBoost that saved the model, where versions differ. PL_UNIMPLEMENTED: none that we know. */
PL_MUST_CHECK enum pl_code objective_of(const struct source *s, uint32_t groups, struct objective *out,
                                        struct pl_err *err);

#endif
