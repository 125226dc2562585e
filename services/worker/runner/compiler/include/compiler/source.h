/* source - an XGBoost model as it was saved in JSON or UBJSON, by any version from 1.0 to 3.x, read by ourselves.
 *
 * Two uses: what the compiler makes a forest of; and, without its trees, what tells whether the installed library would
 * understand the file. Nothing is interpreted here: structure and ranges are checked, meaning is compile.c's.
 *
 * Threads: one.  Memory: a few times the document's trees at most; the document itself may be unmapped after
 * source_read(). */
#ifndef COMPILER_SOURCE_H
#define COMPILER_SOURCE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parallel arrays over 'count' nodes, as XGBoost has them; node 0 is the root. */
struct source_tree {
    size_t count;
    int32_t *left, *right; /* -1, -1 = a leaf */
    int32_t *features;     /* of the split */
    float *conditions;     /* a leaf's value */
    int32_t *default_left; /* 0 or 1 */
    int32_t *split_types;  /* 1 = categorical; NULL = none is */
    size_t set_count;      /* categorical nodes */
    int32_t *set_nodes;    /* ascending */
    int32_t *set_starts;   /* in 'categories' */
    int32_t *set_sizes;
    size_t category_count;
    int32_t *categories;
    int32_t leaf_width; /* tree_param.size_leaf_vector: above 1 a leaf has one value for each target */
};

struct source {
    int32_t version[3]; /* what saved it; 0.0.0 = not said */
    char objective[64];
    char booster[16]; /* "gbtree", "dart", "gblinear" */
    uint32_t features, classes, targets, parallel_trees;
    float *base_scores; /* as the objective has them, before they become margins */
    size_t base_score_count;
    bool base_scores_are_list; /* "[5E-1]": since 3.1 */
    int64_t best_iteration;    /* -1 = not noted */
    struct source_tree *trees;
    size_t tree_count; /* also when they were not read */
    int32_t *groups;   /* of each tree */
    size_t group_count;
    float *weights; /* of each tree, when dropout weighs them; beside booster "dart", or "gbtree" since 3.3 */
    size_t weight_count;
    bool weights_inside; /* in the tree model, without a booster "dart": since 3.4 */
    int32_t *rounds;     /* where each round's trees start, and the end; since 2.0 */
    size_t round_count;
};

/* 'with_trees' false: trees are passed over. PL_INVALID: this is not such a document; the message says what is wrong
 * and where. */
PL_MUST_CHECK enum pl_code source_read(struct source **out, const void *bytes, size_t n, bool with_trees,
                                       struct pl_err *err);
void source_free(struct source *s); /* NULL is fine */
void source_free_p(struct source **s);

/* Saved by major.minor or later? */
bool source_since(const struct source *s, int32_t major, int32_t minor);

#endif
