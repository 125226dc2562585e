/* node_writer - the nodes and sets of a file that is being made. */
#ifndef COMPILER_NODE_WRITER_H
#define COMPILER_NODE_WRITER_H

#include "base/cleanup.h"
#include "base/err.h"
#include "forest/layout.h"

#include <stddef.h>

struct slot_table;
struct source_tree;
struct tree_order;

struct node_writer {
    const struct slot_table *slots;
    unsigned slot_bits;
    struct forest_node *nodes;
    size_t node_count, node_cap;
    uint32_t *sets;
    size_t set_words, set_cap;
};

void node_writer_init(struct node_writer *w, const struct slot_table *slots);
void node_writer_done(struct node_writer *w);

/* Appends a tree whose leaves count 'weight' times; '*out' is its row in the file's table. PL_UNIMPLEMENTED: too large
 * for the format. PL_EXHAUSTED. */
PL_MUST_CHECK enum pl_code node_writer_tree(struct node_writer *w, const struct source_tree *t,
                                            const struct tree_order *order, float weight, struct forest_tree *out,
                                            struct pl_err *err);

#endif
