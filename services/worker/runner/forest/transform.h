/* transform - from a row's sums to its answer, as the objective has it. Equal to XGBoost's own to the last bit where
 * both use one libm. */
#ifndef FOREST_TRANSFORM_H
#define FOREST_TRANSFORM_H

#include "forest/layout.h"

#include <stddef.h>

/* 'values' holds rows * groups margins and leaves with rows * (LARGEST: 1, else groups) answers, in its first part. */
void forest_transform(enum forest_transform how, float *values, size_t rows, size_t groups);

#endif
