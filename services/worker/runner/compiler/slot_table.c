#include "slot_table.h"

#include "compiler/source.h"
#include "forest/layout.h"

#include <assert.h>
#include <stdlib.h>

/* Kinds of slots, in the order of their numbers for one feature. */
enum { SET = 2, LEFT = 1, KINDS = 4 };

enum pl_code slot_table_init(struct slot_table *t, uint32_t features, struct pl_err *err)
{
    *t = (struct slot_table){ .features = features, .needs = calloc(features, 1) };
    if (!t->needs)
        return pl_fail(err, PL_EXHAUSTED, NULL, "no memory for %u features", features);
    return PL_OK;
}

void slot_table_done(struct slot_table *t)
{
    free(t->needs);
    free(t->columns);
    free(t->absent);
}

bool slot_is_set(const struct source_tree *tree, size_t node)
{
    return tree->set_count > 0 && tree->split_types && tree->split_types[node] == 1;
}

static unsigned kind_of(bool set, bool default_left)
{
    return (set ? SET : 0) | (default_left ? LEFT : 0);
}

enum pl_code slot_table_note(struct slot_table *t, const struct source_tree *tree, struct pl_err *err)
{
    for (size_t i = 0; i < tree->count; i++) {
        uint32_t feature = (uint32_t)tree->features[i];

        if (tree->left[i] == -1)
            continue;
        if (feature >= t->features)
            return pl_fail(err, PL_INVALID, NULL, "a tree asks for feature %u, but the model has %u", feature,
                           t->features);
        t->needs[feature] |= (uint8_t)(1u << kind_of(slot_is_set(tree, i), tree->default_left[i] == 1));
    }
    return PL_OK;
}

static void number(struct slot_table *t, bool set)
{
    for (uint32_t f = 0; f < t->features; f++) {
        for (unsigned left = 0; left < 2; left++) {
            if (!(t->needs[f] & 1u << kind_of(set, left)))
                continue;
            t->columns[t->count] = f;
            t->absent[t->count++] = set ? (left ? FOREST_LEFT_CATEGORY : 0) : (left ? FOREST_LEFT : FOREST_RIGHT);
        }
    }
}

enum pl_code slot_table_number(struct slot_table *t, struct pl_err *err)
{
    size_t count = 1;

    for (uint32_t f = 0; f < t->features; f++)
        count += (size_t)__builtin_popcount(t->needs[f]);
    t->columns = calloc(count, sizeof(*t->columns));
    t->absent = calloc(count, sizeof(*t->absent));
    if (!t->columns || !t->absent)
        return pl_fail(err, PL_EXHAUSTED, NULL, "no memory for %zu slots", count);
    t->absent[0] = FOREST_RIGHT;
    t->count = 1;
    number(t, false);
    t->first_set = t->count;
    number(t, true);
    assert(t->count == count);
    return PL_OK;
}

uint32_t slot_table_find(const struct slot_table *t, uint32_t feature, bool set, bool default_left)
{
    uint32_t low = set ? t->first_set : 1, high = set ? t->count : t->first_set;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (t->columns[middle] < feature)
            low = middle + 1;
        else
            high = middle;
    }
    /* The one that goes left is second when a feature has both. */
    return low + (default_left && t->needs[feature] & 1u << kind_of(set, false));
}
