/* Forests of random trees, compiled, and what they predict by the plainest walk there is, over the trees as they were
 * before they were compiled. */
#ifndef FOREST_RANDOM_FOREST_H
#define FOREST_RANDOM_FOREST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "compiler/compile.h"
#include "compiler/source.h"
#include "forest/layout.h"

#include <math.h>
#include <stdbool.h>

struct random_spec {
    uint32_t trees, features, groups;
    uint32_t splits;    /* of each tree */
    bool chains;        /* each split on the leaf that the last one made: as deep as it goes */
    bool sets, missing; /* some splits are by categories; some values are missing */
    uint64_t seed;
};

static inline uint32_t random_draw(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % below);
}

/* Numbers on a coarse grid, so that rows hit thresholds; now and then an odd one. */
static inline float random_number(uint64_t *state)
{
    static const float odd[] = { 0.0f, -0.0f, 1e-45f, -1e-45f, 3.4e38f, -3.4e38f, INFINITY, -INFINITY };

    if (random_draw(state, 12) == 0)
        return odd[random_draw(state, PL_COUNT(odd))];
    return ((float)random_draw(state, 64) - 32) / 4;
}

static inline void random_split(struct source_tree *t, int32_t node, const struct random_spec *s, uint64_t *state)
{
    int32_t left = (int32_t)t->count;

    t->left[node] = left;
    t->right[node] = left + 1;
    t->features[node] = (int32_t)random_draw(state, s->features);
    t->default_left[node] = (int32_t)random_draw(state, 2);
    t->conditions[node] = random_draw(state, 40) == 0 ? NAN : random_number(state);
    for (int32_t child = left; child < left + 2; child++) {
        t->left[child] = t->right[child] = -1;
        t->conditions[child] = ((float)random_draw(state, 2000) - 1000) / 128;
    }
    t->count += 2;
}

static inline void random_sets(struct source_tree *t, const struct random_spec *s, uint64_t *state)
{
    for (int32_t node = 0; node < (int32_t)t->count; node++) {
        if (t->left[node] == -1 || !s->sets || random_draw(state, 3) > 0)
            continue;
        t->split_types[node] = 1;
        t->set_nodes[t->set_count] = node;
        t->set_starts[t->set_count] = (int32_t)t->category_count;
        t->set_sizes[t->set_count] = 1 + (int32_t)random_draw(state, 5);
        for (int32_t i = 0; i < t->set_sizes[t->set_count]; i++)
            t->categories[t->category_count++] = (int32_t)random_draw(state, random_draw(state, 9) ? 8 : 100);
        t->set_count++;
    }
}

static inline void random_tree(struct source_tree *t, const struct random_spec *s, uint64_t *state)
{
    size_t most = 2 * s->splits + 1;
    int32_t **arrays[] = { &t->left,      &t->right,      &t->features,  &t->default_left, &t->split_types,
                           &t->set_nodes, &t->set_starts, &t->set_sizes, &t->categories };

    for (size_t i = 0; i < PL_COUNT(arrays); i++)
        *arrays[i] = calloc(most * 5, sizeof(int32_t));
    t->conditions = calloc(most, sizeof(float));
    t->count = 1;
    t->left[0] = t->right[0] = -1;
    t->conditions[0] = 1;
    for (uint32_t i = 0; i < s->splits; i++) {
        int32_t node = s->chains && t->count > 1 ? (int32_t)t->count - 1 - (int32_t)random_draw(state, 2)
                                                 : (int32_t)random_draw(state, (uint32_t)t->count);
        while (t->left[node] != -1)
            node = t->left[node] + (int32_t)random_draw(state, 2);
        random_split(t, node, s, state);
    }
    random_sets(t, s, state);
}

static inline struct source *random_source(const struct random_spec *spec)
{
    struct source *s = calloc(1, sizeof(*s));
    uint64_t state = spec->seed;

    strcpy(s->objective, "reg:squarederror");
    strcpy(s->booster, "gbtree");
    s->features = spec->features;
    s->targets = spec->groups;
    s->parallel_trees = 1;
    s->best_iteration = -1;
    s->base_scores = calloc(1, sizeof(float));
    s->base_scores[0] = 0.25f;
    s->base_score_count = 1;
    s->tree_count = s->group_count = spec->trees;
    s->trees = calloc(spec->trees + 1, sizeof(*s->trees));
    s->groups = calloc(spec->trees + 1, sizeof(*s->groups));
    for (uint32_t i = 0; i < spec->trees; i++) {
        random_tree(&s->trees[i], spec, &state);
        s->groups[i] = (int32_t)random_draw(&state, spec->groups);
    }
    return s;
}

static inline struct forest_image random_image(const struct source *s)
{
    struct forest_image image;
    struct pl_err err = { 0 };

    if (forest_compile(s, &image, &err) != PL_OK)
        fail_msg("%s", err.message);
    return image;
}

static inline float *random_rows(const struct random_spec *s, size_t rows, uint64_t seed)
{
    float *cells = calloc(rows * s->features + 1, sizeof(*cells));

    for (size_t i = 0; i < rows * s->features; i++)
        cells[i] = s->missing && random_draw(&seed, 4) == 0 ? NAN : random_number(&seed);
    return cells;
}

/* ---- the plain walk ---- */

static inline bool plain_in_set(const struct source_tree *t, int32_t node, float value)
{
    if (value < 0 || value >= 16777216)
        return false;
    for (size_t i = 0; i < t->set_count; i++)
        for (int32_t k = 0; t->set_nodes[i] == node && k < t->set_sizes[i]; k++)
            if (t->categories[t->set_starts[i] + k] == (int32_t)value)
                return true;
    return false;
}

static inline float plain_leaf(const struct source_tree *t, const float *row, size_t cols)
{
    int32_t node = 0;

    while (t->left[node] != -1) {
        size_t column = (size_t)t->features[node];
        float value = column < cols ? row[column] : NAN;
        bool right;

        if (isnan(value))
            right = t->default_left[node] == 0;
        else if (t->set_count > 0 && t->split_types[node] == 1)
            right = plain_in_set(t, node, value);
        else
            right = !(value < t->conditions[node]);
        node = right ? t->right[node] : t->left[node];
    }
    return t->conditions[node];
}

/* 'out' has a value for each group. */
static inline void plain_sums(const struct source *s, const float *row, size_t cols, float *out)
{
    for (uint32_t g = 0; g < s->targets; g++)
        out[g] = s->base_scores[0];
    for (size_t i = 0; i < s->tree_count; i++)
        out[s->groups[i]] += plain_leaf(&s->trees[i], row, cols);
}

#endif
