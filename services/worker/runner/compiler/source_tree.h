/* source_tree - one tree of a document. */
#ifndef COMPILER_SOURCE_TREE_H
#define COMPILER_SOURCE_TREE_H

#include "compiler/source.h"
#include "doc.h"

/* The next value of 'd', which is tree number 'id'. Errors are d's. '*out' is source_tree_done()'s in any case. */
void source_tree_read(struct doc *d, int64_t id, struct source_tree *out);
void source_tree_done(struct source_tree *t);

#endif
