#include "probe_value.h"

#include "forest/ordinal.h"

#include <float.h>
#include <math.h>

uint32_t probe_slot(const struct forest_view *v, const struct forest_node *node)
{
    return node->next & ((UINT32_C(1) << v->header->slot_bits) - 1);
}

/* The number whose ordinal this is, or the nearest finite one. */
static float number_of(uint32_t ordinal)
{
    uint32_t bits = ordinal ^ (ordinal >> 31 ? UINT32_C(1) << 31 : UINT32_MAX);
    float value;

    if (ordinal <= forest_ordinal(-FLT_MAX))
        return -FLT_MAX;
    if (ordinal >= forest_ordinal(FLT_MAX))
        return FLT_MAX;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

uint32_t probe_below(uint32_t ordinal)
{
    return ordinal == forest_ordinal(0) ? ordinal - 2 : ordinal - 1;
}

/* A category whose bit is 'on': the last one of the set, or the first one. -1: there is none in it. */
static float category(const uint32_t *set, bool on, bool last)
{
    uint32_t bits = set[0];

    for (uint32_t i = 1; i < bits; i++) {
        uint32_t bit = last ? bits - i : i;

        if ((set[1 + bit / 32] >> (bit % 32) & 1) == on)
            return (float)(bit - 1);
    }
    return -1;
}

static float category_value(const uint32_t *set, unsigned which)
{
    switch (which) {
    case 0:
        return category(set, true, false);
    case 1:
        return category(set, true, true);
    case 2:
        return category(set, false, false);
    case 3:
        return category(set, true, true) + 0.5f;
    case 4:
        return (float)(set[0] - 1); /* past the last one */
    case 5:
        return (float)FOREST_CATEGORIES;
    default:
        return NAN;
    }
}

float probe_value(const struct forest_view *v, const struct forest_node *node, unsigned which)
{
    uint32_t at = node->threshold;

    if (probe_slot(v, node) >= v->header->first_set_slot)
        return category_value(v->sets + at, which);
    switch (which) {
    case 0:
    case 1:
        return number_of(at);
    case 2:
    case 3:
        return number_of(probe_below(at));
    case 4:
        return number_of(at < forest_ordinal(FLT_MAX) ? at + 1 : at);
    case 5:
        return 0;
    default:
        return NAN;
    }
}

bool probe_goes_right(const struct forest_view *v, const struct forest_node *node, float value)
{
    uint32_t slot = probe_slot(v, node), held;
    const uint32_t *set = v->sets + node->threshold;

    if (slot < v->header->first_set_slot) {
        held = value == value ? forest_ordinal(value) : v->absent[slot];
        return held >= node->threshold;
    }
    held = value == value ? forest_category(value) : v->absent[slot];
    return held < set[0] && set[1 + held / 32] >> (held % 32) & 1;
}
