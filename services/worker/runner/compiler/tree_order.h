/* tree_order - the nodes of a tree from the root down, level by level, siblings side by side: as they will lie in the
 * file. */
#ifndef COMPILER_TREE_ORDER_H
#define COMPILER_TREE_ORDER_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct source_tree;

struct tree_order {
    int32_t *nodes; /* the source's number of each node that the root leads to */
    size_t count, cap;
    uint32_t *children; /* place of the left child of each; 0 = a leaf */
    uint32_t depth, leaves;
};

void tree_order_done(struct tree_order *o);
/* May be called again for another tree. PL_INVALID: not a tree (a node has two parents, or children out of order).
 * PL_UNIMPLEMENTED: too deep. */
PL_MUST_CHECK enum pl_code tree_order(struct tree_order *o, const struct source_tree *t, struct pl_err *err);

#endif
