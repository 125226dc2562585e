#include "tree_order.h"

#include "compiler/source.h"
#include "forest/layout.h"

#include <stdlib.h>

void tree_order_done(struct tree_order *o)
{
    free(o->nodes);
    free(o->children);
}

static enum pl_code room(struct tree_order *o, size_t count, struct pl_err *err)
{
    int32_t *nodes;
    uint32_t *children;

    if (count <= o->cap)
        return PL_OK;
    nodes = realloc(o->nodes, count * sizeof(*nodes));
    o->nodes = nodes ? nodes : o->nodes;
    children = realloc(o->children, count * sizeof(*children));
    o->children = children ? children : o->children;
    if (!nodes || !children)
        return pl_fail(err, PL_EXHAUSTED, NULL, "no memory for a tree of %zu nodes", count);
    o->cap = count;
    return PL_OK;
}

/* Two children for the node at place 'at'. Every node but the root has one parent, so that more than all nodes cannot
 * come. */
static enum pl_code add_children(struct tree_order *o, const struct source_tree *t, size_t at, struct pl_err *err)
{
    int32_t left = t->left[o->nodes[at]], right = t->right[o->nodes[at]];

    if (right != left + 1)
        return pl_fail(err, PL_UNIMPLEMENTED, NULL, "the children of a node do not follow each other");
    if (o->count + 2 > t->count)
        return pl_fail(err, PL_INVALID, NULL, "a node has two parents");
    o->children[at] = (uint32_t)o->count;
    o->nodes[o->count++] = left;
    o->nodes[o->count++] = right;
    return PL_OK;
}

enum pl_code tree_order(struct tree_order *o, const struct source_tree *t, struct pl_err *err)
{
    size_t level_end = 1;

    if (room(o, t->count, err) != PL_OK)
        return err->code;
    o->nodes[0] = 0;
    o->count = 1;
    o->depth = o->leaves = 0;
    for (size_t at = 0; at < o->count; at++) {
        if (at == level_end) {
            o->depth++;
            level_end = o->count;
        }
        o->children[at] = 0;
        if (t->left[o->nodes[at]] == -1)
            o->leaves++;
        else if (add_children(o, t, at, err) != PL_OK)
            return err->code;
    }
    if (o->depth > FOREST_MAX_DEPTH)
        return pl_fail(err, PL_UNIMPLEMENTED, NULL, "a tree is %u levels deep, but the limit is %u", o->depth,
                       FOREST_MAX_DEPTH);
    return PL_OK;
}
