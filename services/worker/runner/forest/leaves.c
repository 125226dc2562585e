#include "leaves.h"

#include "forest/view.h"

static uint32_t goes_right(const struct forest_view *v, const struct forest_node *node, uint32_t slot, uint32_t value)
{
    const uint32_t *set = v->sets + node->threshold;

    if (slot < v->header->first_set_slot)
        return value >= node->threshold;
    return value < set[0] ? set[1 + value / 32] >> (value % 32) & 1 : 0;
}

void forest_walk_leaves(const struct forest_view *v, const uint32_t *slots, uint32_t *out)
{
    uint32_t mask = (UINT32_C(1) << v->header->slot_bits) - 1;

    for (uint32_t i = 0; i < v->header->trees; i++) {
        uint32_t at = v->trees[i].first_node;

        for (uint32_t left = v->trees[i].depth; left > 0; left--) {
            const struct forest_node *node = &v->nodes[at];
            uint32_t slot = node->next & mask;

            at = at + (node->next >> v->header->slot_bits) - 1 + goes_right(v, node, slot, slots[slot]);
        }
        out[i] = at;
    }
}
