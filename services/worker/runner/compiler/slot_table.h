/* slot_table - which slots the nodes of a model need (forest/layout.h), numbered: 0, then numbers by feature, then
 * categories by feature. */
#ifndef COMPILER_SLOT_TABLE_H
#define COMPILER_SLOT_TABLE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_tree;

struct slot_table {
    uint8_t *needs; /* of each feature: a bit for each kind of slot */
    uint32_t features;
    uint32_t *columns, *absent; /* of each slot; [0] is the leaves' */
    uint32_t count, first_set;
};

PL_MUST_CHECK enum pl_code slot_table_init(struct slot_table *t, uint32_t features, struct pl_err *err);
void slot_table_done(struct slot_table *t);

/* Is this split by a set of categories? Without a set it is not, whatever its type says. */
bool slot_is_set(const struct source_tree *tree, size_t node);
/* What the inner nodes of a tree need. PL_INVALID: a feature that the model does not have. */
PL_MUST_CHECK enum pl_code slot_table_note(struct slot_table *t, const struct source_tree *tree, struct pl_err *err);
/* When all is noted: gives out the numbers. PL_EXHAUSTED: no memory. */
PL_MUST_CHECK enum pl_code slot_table_number(struct slot_table *t, struct pl_err *err);
uint32_t slot_table_find(const struct slot_table *t, uint32_t feature, bool set, bool default_left);

#endif
