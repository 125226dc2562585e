#include "forest/sections.h"

static uint64_t place(uint64_t *end, uint64_t count, uint64_t size)
{
    uint64_t at = (*end + FOREST_ALIGNMENT - 1) & ~(uint64_t)(FOREST_ALIGNMENT - 1);

    *end = at + count * size;
    return at;
}

/* Counts are 32 bits and sizes small: nothing here overflows 64 bits. */
bool forest_sections(const struct forest_header *h, struct forest_sections *out)
{
    uint64_t end = sizeof(*h);

    out->groups = place(&end, h->groups, sizeof(struct forest_group));
    out->trees = place(&end, h->trees, sizeof(struct forest_tree));
    out->features = place(&end, h->slots, sizeof(uint32_t));
    out->absent = place(&end, h->slots, sizeof(uint32_t));
    out->nodes = place(&end, h->nodes, sizeof(struct forest_node));
    out->sets = place(&end, h->set_words, sizeof(uint32_t));
    out->end = end;
    return end <= FOREST_MAX_BYTES;
}
