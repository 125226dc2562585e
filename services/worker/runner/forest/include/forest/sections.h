/* sections - where a forest file's sections lie: follows from the counts in its header. */
#ifndef FOREST_SECTIONS_H
#define FOREST_SECTIONS_H

#include "forest/layout.h"

#include <stdbool.h>

/* Offsets from the start of the file. */
struct forest_sections {
    uint64_t groups, trees, features, absent, nodes, sets, end;
};

/* False: the counts are beyond what a file may hold. */
bool forest_sections(const struct forest_header *h, struct forest_sections *out);

#endif
