/* probe_value - values that try a node: exactly on its threshold or next to it, in its set and outside, missing. */
#ifndef COMPILER_PROBE_VALUE_H
#define COMPILER_PROBE_VALUE_H

#include "forest/view.h"

#include <stdbool.h>

#define PROBE_VALUES 7u

/* Value number 'which' (below PROBE_VALUES) of 'node'; never infinite, which XGBoost refuses in some of its ways. */
float probe_value(const struct forest_view *v, const struct forest_node *node, unsigned which);
/* Does a row with this value in the node's feature go right? */
bool probe_goes_right(const struct forest_view *v, const struct forest_node *node, float value);
/* The ordinal of the number below: that of -0 is nobody's, so that 0's neighbour is the smallest negative number. */
uint32_t probe_below(uint32_t ordinal);
uint32_t probe_slot(const struct forest_view *v, const struct forest_node *node);

#endif
