#include "compiler/compile.h"

#include "base/mem.h"
#include "compiler/source.h"
#include "forest/checksum.h"
#include "forest/sections.h"
#include "node_writer.h"
#include "objective.h"
#include "slot_table.h"
#include "tree_order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A compilation under way. */
struct work {
    const struct source *source;
    struct objective objective;
    uint32_t groups;
    size_t trees; /* the first ones of the source's: up to the best iteration */
    struct slot_table slots;
    struct node_writer writer;
    struct tree_order order;
    struct forest_group *group_rows;
    struct forest_tree *tree_rows;
    uint32_t leaves;
};

static void work_done(struct work *w)
{
    slot_table_done(&w->slots);
    node_writer_done(&w->writer);
    tree_order_done(&w->order);
    free(w->group_rows);
    free(w->tree_rows);
}

/* ---- what the source says as a whole ---- */

static enum pl_code unsupported(struct pl_err *err, const char *what)
{
    return pl_fail(err, PL_UNIMPLEMENTED, NULL, "%s", what);
}

static enum pl_code contradiction(struct pl_err *err, const char *what)
{
    return pl_fail(err, PL_INVALID, NULL, "the model contradicts itself: %s", what);
}

static enum pl_code check_booster(const struct source *s, struct pl_err *err)
{
    bool dart = strcmp(s->booster, "dart") == 0;

    if (!dart && strcmp(s->booster, "gbtree") != 0)
        return pl_fail(err, PL_UNIMPLEMENTED, NULL, "booster %s has no trees that could be compiled", s->booster);
    if (s->group_count != s->tree_count)
        return contradiction(err, "not every tree has a group");
    if ((dart || s->weight_count > 0) && s->weight_count != s->tree_count)
        return contradiction(err, "not every tree has a weight");
    return PL_OK;
}

static enum pl_code count_groups(struct work *w, struct pl_err *err)
{
    const struct source *s = w->source;

    if (s->classes > 1 && s->targets > 1)
        return unsupported(err, "several targets of several classes each are not supported");
    w->groups = s->classes > s->targets ? s->classes : s->targets;
    w->groups = w->groups ? w->groups : 1;
    if (s->base_score_count != 1 && s->base_score_count != w->groups)
        return contradiction(err, "base_score has another length than the output");
    for (size_t i = 0; i < s->group_count; i++)
        if (s->groups[i] < 0 || (uint32_t)s->groups[i] >= w->groups)
            return contradiction(err, "a tree belongs to no group");
    return PL_OK;
}

/* XGBoost's rule for early stopping, with the trees of a round as the file states them, or as they must be. */
static enum pl_code count_trees(struct work *w, struct pl_err *err)
{
    const struct source *s = w->source;
    uint64_t per_round = (uint64_t)w->groups * s->parallel_trees, end;
    uint64_t rounds = s->round_count > 0 ? s->round_count - 1 : per_round ? s->tree_count / per_round : 0;

    w->trees = s->tree_count;
    if (s->best_iteration < 0 || (uint64_t)s->best_iteration + 1 >= rounds)
        return PL_OK;
    end =
        s->round_count > 0 ? (uint64_t)s->rounds[s->best_iteration + 1] : (uint64_t)(s->best_iteration + 1) * per_round;
    if (end > s->tree_count)
        return contradiction(err, "rounds end after the last tree");
    w->trees = (size_t)end;
    return PL_OK;
}

static enum pl_code check_trees(const struct work *w, struct pl_err *err)
{
    for (size_t i = 0; i < w->trees; i++)
        if (w->source->trees[i].leaf_width > 1)
            return unsupported(err, "trees with several targets in a leaf (multi_output_tree) are not supported");
    return PL_OK;
}

/* ---- the parts of the file ---- */

static enum pl_code make_slots(struct work *w, struct pl_err *err)
{
    if (slot_table_init(&w->slots, w->source->features, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < w->trees; i++)
        if (slot_table_note(&w->slots, &w->source->trees[i], err) != PL_OK)
            return err->code;
    return slot_table_number(&w->slots, err);
}

static enum pl_code make_tree(struct work *w, size_t i, struct forest_tree *out, struct pl_err *err)
{
    const struct source_tree *t = &w->source->trees[i];

    if (tree_order(&w->order, t, err) != PL_OK ||
        node_writer_tree(&w->writer, t, &w->order, w->source->weights ? w->source->weights[i] : 1, out, err) != PL_OK)
        return pl_err_prefix(err, "tree %zu", i);
    w->leaves += w->order.leaves;
    return PL_OK;
}

/* Trees of one group lie together, in their order, so that its sum is made in one go. */
static enum pl_code make_trees(struct work *w, struct pl_err *err)
{
    size_t next = 0;

    w->tree_rows = pl_new0(w->trees + 1, sizeof(*w->tree_rows));
    w->group_rows = pl_new0(w->groups, sizeof(*w->group_rows));
    node_writer_init(&w->writer, &w->slots);
    for (uint32_t g = 0; g < w->groups; g++) {
        struct forest_group *group = &w->group_rows[g];

        group->first_tree = (uint32_t)next;
        for (size_t i = 0; i < w->trees; i++)
            if ((uint32_t)w->source->groups[i] == g && make_tree(w, i, &w->tree_rows[next++], err) != PL_OK)
                return err->code;
        group->trees = (uint32_t)next - group->first_tree;
    }
    return PL_OK;
}

static enum pl_code make_bases(struct work *w, struct pl_err *err)
{
    const struct source *s = w->source;

    for (uint32_t g = 0; g < w->groups; g++) {
        float score = s->base_scores[s->base_score_count > 1 ? g : 0], margin = w->objective.margin(score);

        if (!isfinite(margin))
            return pl_fail(err, PL_INVALID, NULL, "base_score %g is out of the range of %s", (double)score,
                           s->objective);
        w->group_rows[g].base = margin;
    }
    return PL_OK;
}

/* ---- the file ---- */

static void write_header(const struct work *w, struct forest_header *h)
{
    const struct source *s = w->source;

    *h = (struct forest_header){ .version = FOREST_VERSION,
                                 .byte_order = FOREST_BYTE_ORDER,
                                 .features = s->features,
                                 .slots = w->slots.count,
                                 .first_set_slot = w->slots.first_set,
                                 .slot_bits = w->writer.slot_bits,
                                 .groups = w->groups,
                                 .trees = (uint32_t)w->trees,
                                 .nodes = (uint32_t)w->writer.node_count,
                                 .set_words = (uint32_t)w->writer.set_words,
                                 .transform = w->objective.transform,
                                 .classes = s->classes,
                                 .leaves = w->leaves };
    memcpy(h->magic, FOREST_MAGIC, sizeof(h->magic));
    h->outputs = w->objective.transform == FOREST_LARGEST ? 1 : w->groups;
    h->list = h->outputs > 1;
    (void)snprintf(h->objective, sizeof(h->objective), "%s", s->objective);
    (void)snprintf(h->runtime, sizeof(h->runtime), "xgboost %d.%d.%d", s->version[0], s->version[1], s->version[2]);
}

static void put(char *file, uint64_t at, const void *items, size_t count, size_t size)
{
    if (count > 0)
        memcpy(file + at, items, count * size);
}

static enum pl_code write_image(const struct work *w, struct forest_image *out, struct pl_err *err)
{
    struct forest_sections at;
    struct forest_header h;
    void *bytes;

    write_header(w, &h);
    if (!forest_sections(&h, &at))
        return unsupported(err, "the model is too large to be compiled");
    h.file_bytes = at.end;
    if (posix_memalign(&bytes, FOREST_ALIGNMENT, at.end) != 0)
        return pl_fail(err, PL_EXHAUSTED, NULL, "no memory to compile the model");
    memset(bytes, 0, at.end);
    put(bytes, 0, &h, 1, sizeof(h));
    put(bytes, at.groups, w->group_rows, w->groups, sizeof(*w->group_rows));
    put(bytes, at.trees, w->tree_rows, w->trees, sizeof(*w->tree_rows));
    put(bytes, at.features, w->slots.columns, w->slots.count, sizeof(*w->slots.columns));
    put(bytes, at.absent, w->slots.absent, w->slots.count, sizeof(*w->slots.absent));
    put(bytes, at.nodes, w->writer.nodes, w->writer.node_count, sizeof(*w->writer.nodes));
    put(bytes, at.sets, w->writer.sets, w->writer.set_words, sizeof(*w->writer.sets));
    *out = (struct forest_image){ .bytes = bytes, .n = at.end };
    forest_image_seal(out);
    return PL_OK;
}

enum pl_code forest_compile(const struct source *s, struct forest_image *out, struct pl_err *err)
{
    pl_cleanup(work_done) struct work w = { .source = s };

    if (check_booster(s, err) != PL_OK || count_groups(&w, err) != PL_OK || count_trees(&w, err) != PL_OK ||
        check_trees(&w, err) != PL_OK || objective_of(s, w.groups, &w.objective, err) != PL_OK ||
        make_slots(&w, err) != PL_OK || make_trees(&w, err) != PL_OK || make_bases(&w, err) != PL_OK)
        return err->code;
    return write_image(&w, out, err);
}

void forest_image_done(struct forest_image *image)
{
    free(image->bytes);
    *image = (struct forest_image){ 0 };
}

void forest_image_seal(struct forest_image *image)
{
    struct forest_header *h = image->bytes;
    size_t summed = offsetof(struct forest_header, checksum) + sizeof(h->checksum);

    h->checksum = forest_checksum((const char *)image->bytes + summed, image->n - summed);
}
