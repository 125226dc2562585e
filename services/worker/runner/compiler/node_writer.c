#include "node_writer.h"

#include "compiler/source.h"
#include "forest/ordinal.h"
#include "slot_table.h"
#include "tree_order.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The threshold of a comparison with NaN, which no number passes: below all numbers, above FOREST_LEFT. */
#define NEVER_LESS 1u
#define FIRST_CAP  1024
/* Sets hold a bit for each category below their largest, so that a few numbers in a document may become megabytes. */
#define MAX_SET_WORDS ((size_t)64 << 20)

void node_writer_init(struct node_writer *w, const struct slot_table *slots)
{
    *w = (struct node_writer){ .slots = slots, .slot_bits = 1 };
    while (slots->count > UINT32_C(1) << w->slot_bits)
        w->slot_bits++;
}

void node_writer_done(struct node_writer *w)
{
    free(w->nodes);
    free(w->sets);
}

/* Room for 'more' items after 'count'; never above 'most'. */
static enum pl_code room(void *array, size_t count, size_t more, size_t size, size_t most, size_t *cap,
                         struct pl_err *err)
{
    void **items = array;
    size_t wanted = *cap ? *cap : FIRST_CAP;
    void *bigger;

    if (count + more > most)
        return pl_fail(err, PL_UNIMPLEMENTED, NULL, "the model is too large to be compiled");
    while (wanted < count + more)
        wanted *= 2;
    if (wanted == *cap)
        return PL_OK;
    bigger = realloc(*items, wanted * size);
    if (!bigger)
        return pl_fail(err, PL_EXHAUSTED, NULL, "no memory to compile the model");
    *items = bigger;
    *cap = wanted;
    return PL_OK;
}

/* ---- sets ---- */

/* The place of 'node' among the tree's sets; set_count when it has none. */
static size_t set_of(const struct source_tree *t, int32_t node)
{
    size_t low = 0, high = t->set_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->set_nodes[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->set_count && t->set_nodes[low] == node ? low : t->set_count;
}

/* Appends the set of 'node'; a node without one has the set that holds nothing. */
static enum pl_code add_set(struct node_writer *w, const struct source_tree *t, int32_t node, uint32_t *out_place,
                            struct pl_err *err)
{
    size_t which = set_of(t, node), size = which < t->set_count ? (size_t)t->set_sizes[which] : 0, words;
    const int32_t *categories = size ? t->categories + t->set_starts[which] : NULL;
    uint32_t bits = 1, *set;

    for (size_t i = 0; i < size; i++)
        bits = (uint32_t)categories[i] + 2 > bits ? (uint32_t)categories[i] + 2 : bits;
    words = 1 + (bits + 31) / 32;
    if (room(&w->sets, w->set_words, words, sizeof(*w->sets), MAX_SET_WORDS, &w->set_cap, err) != PL_OK)
        return err->code;
    set = w->sets + w->set_words;
    memset(set, 0, words * sizeof(*set));
    set[0] = bits;
    set[1] = 1; /* the missing value that goes right */
    for (size_t i = 0; i < size; i++) {
        uint32_t bit = (uint32_t)categories[i] + 1;
        set[1 + bit / 32] |= UINT32_C(1) << (bit % 32);
    }
    *out_place = (uint32_t)w->set_words;
    w->set_words += words;
    return PL_OK;
}

/* ---- nodes ---- */

static struct forest_node leaf(float value)
{
    struct forest_node node = { 0, 0 };

    memcpy(&node.threshold, &value, sizeof(value));
    return node;
}

static enum pl_code inner(struct node_writer *w, const struct source_tree *t, int32_t node, uint32_t distance,
                          struct forest_node *out, struct pl_err *err)
{
    bool set = slot_is_set(t, (size_t)node);
    float condition = t->conditions[node];
    uint32_t slot = slot_table_find(w->slots, (uint32_t)t->features[node], set, t->default_left[node] == 1);

    if (distance >= UINT32_C(1) << (32 - w->slot_bits))
        return pl_fail(err, PL_UNIMPLEMENTED, NULL,
                       "a tree is too wide: a model of %u slots may have %u nodes in a level", w->slots->count,
                       UINT32_C(1) << (32 - w->slot_bits));
    out->next = distance << w->slot_bits | slot;
    if (set)
        return add_set(w, t, node, &out->threshold, err);
    out->threshold = condition == condition ? forest_ordinal(condition) : NEVER_LESS;
    return PL_OK;
}

enum pl_code node_writer_tree(struct node_writer *w, const struct source_tree *t, const struct tree_order *order,
                              float weight, struct forest_tree *out, struct pl_err *err)
{
    size_t sets_before = w->set_words;
    struct forest_node *nodes;

    if (room(&w->nodes, w->node_count, order->count, sizeof(*w->nodes), FOREST_MAX_BYTES / sizeof(*w->nodes),
             &w->node_cap, err) != PL_OK)
        return err->code;
    nodes = w->nodes + w->node_count;
    for (size_t at = 0; at < order->count; at++) {
        int32_t node = order->nodes[at];

        if (order->children[at] == 0)
            nodes[at] = leaf(t->conditions[node] * weight);
        else if (inner(w, t, node, (uint32_t)(order->children[at] + 1 - at), &nodes[at], err) != PL_OK)
            return err->code;
    }
    *out = (struct forest_tree){ .first_node = (uint32_t)w->node_count,
                                 .nodes = (uint32_t)order->count,
                                 .depth = (uint16_t)order->depth,
                                 .has_set = w->set_words > sets_before };
    w->node_count += order->count;
    return PL_OK;
}
