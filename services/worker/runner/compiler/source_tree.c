#include "source_tree.h"

#include "base/cleanup.h"
#include "forest/layout.h"
#include "text_number.h"

#include <stddef.h>
#include <stdlib.h>

#define MAX_NODES (1 << 28)
#define MAX_WIDTH (1 << 20)

/* The integer arrays of a tree, with their place; [0, NODE_FIELDS) have one item for each node. Statistics of the
 * training are passed over. */
static const struct {
    const char *name;
    size_t array;
} fields[] = {
    { "left_children", offsetof(struct source_tree, left) },
    { "right_children", offsetof(struct source_tree, right) },
    { "split_indices", offsetof(struct source_tree, features) },
    { "default_left", offsetof(struct source_tree, default_left) },
    { "split_type", offsetof(struct source_tree, split_types) },
    { "categories_nodes", offsetof(struct source_tree, set_nodes) },
    { "categories_segments", offsetof(struct source_tree, set_starts) },
    { "categories_sizes", offsetof(struct source_tree, set_sizes) },
    { "categories", offsetof(struct source_tree, categories) },
};
enum { LEFT, RIGHT, FEATURES, DEFAULT_LEFT, SPLIT_TYPES, NODE_FIELDS };
enum { SET_NODES = NODE_FIELDS, SET_STARTS, SET_SIZES, CATEGORIES, FIELDS };
_Static_assert(PL_COUNT(fields) == FIELDS, "one row for each");

static int32_t **array_of(struct source_tree *t, size_t field)
{
    return (int32_t **)(void *)((char *)t + fields[field].array);
}

static size_t field_of(struct doc_text key)
{
    size_t i = 0;

    while (i < FIELDS && !doc_is(key, fields[i].name))
        i++;
    return i;
}

void source_tree_done(struct source_tree *t)
{
    for (size_t i = 0; i < FIELDS; i++)
        free(*array_of(t, i));
    free(t->conditions);
    *t = (struct source_tree){ 0 };
}

static void read_parameters(struct doc *d, struct source_tree *t)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "size_leaf_vector"))
            t->leaf_width = (int32_t)text_integer(d, 0, MAX_WIDTH);
        else
            doc_skip(d);
    }
}

/* Lengths that must be one length. 'have' counts the items of each array; an absent one may be empty. */
static void check_lengths(struct doc *d, struct source_tree *t, const size_t have[FIELDS], size_t conditions)
{
    t->count = have[LEFT];
    if (t->count == 0 || t->count > MAX_NODES || have[RIGHT] != t->count || have[FEATURES] != t->count ||
        have[DEFAULT_LEFT] != t->count || conditions != t->count || (t->split_types && have[SPLIT_TYPES] != t->count))
        doc_fail(d, "the arrays of a tree differ in length");
    t->set_count = have[SET_NODES];
    t->category_count = have[CATEGORIES];
    if (have[SET_STARTS] != t->set_count || have[SET_SIZES] != t->set_count)
        doc_fail(d, "the categories of a tree differ in length");
}

static bool between(int32_t value, int64_t min, int64_t end)
{
    return value >= min && value < end;
}

/* Indexes that lead somewhere: after this, nothing that reads the tree needs to look again. */
static void check_indexes(struct doc *d, const struct source_tree *t)
{
    int64_t count = (int64_t)t->count, categories = (int64_t)t->category_count;

    for (size_t i = 0; i < t->count; i++) {
        bool leaf = t->left[i] == -1;

        if (!leaf && (!between(t->left[i], 1, count) || !between(t->right[i], 1, count) ||
                      !between(t->features[i], 0, FOREST_MAX_FEATURES)))
            doc_fail(d, "a node of a tree leads nowhere");
        if (!between(t->default_left[i], 0, 2) || (t->split_types && !between(t->split_types[i], 0, 2)))
            doc_fail(d, "a node of a tree is of no known type");
    }
    for (size_t i = 0; i < t->set_count; i++)
        if (!between(t->set_nodes[i], i ? t->set_nodes[i - 1] + (int64_t)1 : 0, count) ||
            !between(t->set_starts[i], 0, categories) ||
            !between(t->set_sizes[i], 1, categories - t->set_starts[i] + 1))
            doc_fail(d, "a set of categories leads nowhere");
    for (size_t i = 0; i < t->category_count; i++)
        if (!between(t->categories[i], 0, FOREST_CATEGORIES))
            doc_fail(d, "a category is out of range");
}

void source_tree_read(struct doc *d, int64_t id, struct source_tree *out)
{
    size_t have[FIELDS] = { 0 }, conditions = 0, field;
    struct doc_text key;

    *out = (struct source_tree){ 0 };
    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if ((field = field_of(key)) < FIELDS) {
            free(pl_take(*array_of(out, field)));
            have[field] = doc_integers(d, array_of(out, field));
        } else if (doc_is(key, "split_conditions")) {
            free(pl_take(out->conditions));
            conditions = doc_floats(d, &out->conditions);
        } else if (doc_is(key, "tree_param")) {
            read_parameters(d, out);
        } else if (doc_is(key, "id")) {
            if (doc_integer(d, 0, INT32_MAX) != id)
                doc_fail(d, "trees are not in order");
        } else {
            doc_skip(d);
        }
    }
    if (!d->wrong)
        check_lengths(d, out, have, conditions);
    if (!d->wrong && out->leaf_width <= 1)
        check_indexes(d, out);
}
