/* view - a checked forest file in memory: its sections as arrays. */
#ifndef FOREST_VIEW_H
#define FOREST_VIEW_H

#include "forest/layout.h"

struct forest_view {
    const struct forest_header *header;
    const struct forest_group *groups;
    const struct forest_tree *trees;
    const uint32_t *features; /* column of each slot, ascending within numbers and within categories; [0] unused */
    const uint32_t *absent;   /* what each slot holds for a missing value; [0] = FOREST_RIGHT */
    const struct forest_node *nodes;
    const uint32_t *sets;
};

#endif
