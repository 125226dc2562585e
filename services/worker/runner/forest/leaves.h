/* leaves - which leaf, not which value: for the rows that prove a compiled forest, where nothing hurries. */
#ifndef FOREST_LEAVES_H
#define FOREST_LEAVES_H

#include <stdint.h>

struct forest_view;

/* The node that each tree ends in. */
void forest_walk_leaves(const struct forest_view *v, const uint32_t *slots, uint32_t *out);

#endif
