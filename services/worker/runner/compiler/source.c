#include "compiler/source.h"

#include "base/mem.h"
#include "base/text.h"
#include "doc.h"
#include "forest/layout.h"
#include "source_tree.h"
#include "text_number.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PARALLEL (1 << 20)

static void take_name(struct doc *d, char *out, size_t size)
{
    struct doc_text text = doc_text(d);

    if (text.n >= size || memchr(text.s, '\0', text.n)) {
        doc_fail(d, "a name is too long");
        return;
    }
    memcpy(out, text.s, text.n);
    out[text.n] = '\0';
}

/* ---- the parts of a document, from the inside out ---- */

static void read_trees(struct doc *d, struct source *s, bool with_trees)
{
    size_t cap = 0;

    doc_enter(d, DOC_ARRAY);
    while (doc_item(d)) {
        if (!with_trees) {
            doc_skip(d);
        } else {
            if (s->tree_count == cap)
                s->trees = pl_grow(s->trees, cap = cap ? cap * 2 : 64, sizeof(*s->trees));
            source_tree_read(d, (int64_t)s->tree_count, &s->trees[s->tree_count]);
        }
        s->tree_count++;
    }
}

static void read_weights(struct doc *d, struct source *s)
{
    free(pl_take(s->weights));
    s->weight_count = doc_floats(d, &s->weights);
}

static void read_tree_parameters(struct doc *d, struct source *s)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "num_parallel_tree"))
            s->parallel_trees = (uint32_t)text_integer(d, 0, MAX_PARALLEL);
        else
            doc_skip(d);
    }
}

/* "model": of trees, or of gblinear, whose parts are passed over. */
static void read_model(struct doc *d, struct source *s, bool with_trees)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "trees") && s->tree_count == 0) {
            read_trees(d, s, with_trees);
        } else if (doc_is(key, "tree_info")) {
            free(pl_take(s->groups));
            s->group_count = doc_integers(d, &s->groups);
        } else if (doc_is(key, "iteration_indptr")) {
            free(pl_take(s->rounds));
            s->round_count = doc_integers(d, &s->rounds);
        } else if (doc_is(key, "weight_drop")) {
            s->weights_inside = true;
            read_weights(d, s);
        } else if (doc_is(key, "gbtree_model_param")) {
            read_tree_parameters(d, s);
        } else {
            doc_skip(d);
        }
    }
}

/* {"model": ..., "name": "gbtree"}, or {"gbtree": {the same}, "name": "dart", "weight_drop": [...]} */
static void read_booster(struct doc *d, struct source *s, bool with_trees, bool inside)
{
    char inner[sizeof(s->booster)];
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "name"))
            take_name(d, inside ? inner : s->booster, sizeof(s->booster));
        else if (doc_is(key, "model"))
            read_model(d, s, with_trees);
        else if (doc_is(key, "gbtree") && !inside)
            read_booster(d, s, with_trees, true);
        else if (doc_is(key, "weight_drop") && !inside)
            read_weights(d, s);
        else
            doc_skip(d);
    }
}

static void read_parameters(struct doc *d, struct source *s)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "base_score")) {
            free(pl_take(s->base_scores));
            s->base_score_count = text_floats(d, &s->base_scores, &s->base_scores_are_list);
        } else if (doc_is(key, "num_feature")) {
            s->features = (uint32_t)text_integer(d, 0, FOREST_MAX_FEATURES);
        } else if (doc_is(key, "num_class")) {
            s->classes = (uint32_t)text_integer(d, 0, FOREST_MAX_GROUPS);
        } else if (doc_is(key, "num_target")) {
            s->targets = (uint32_t)text_integer(d, 0, FOREST_MAX_GROUPS);
        } else {
            doc_skip(d);
        }
    }
}

static void read_objective(struct doc *d, struct source *s)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "name"))
            take_name(d, s->objective, sizeof(s->objective));
        else
            doc_skip(d);
    }
}

/* What is no number is as if it were not there: any string may be an attribute's value. */
static void read_attributes(struct doc *d, struct source *s)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        struct doc_text value;
        char copy[24];
        uint64_t best;

        if (!doc_is(key, "best_iteration") || doc_peek(d) != DOC_TEXT) {
            doc_skip(d);
            continue;
        }
        value = doc_text(d);
        if (d->wrong || value.n >= sizeof(copy))
            continue;
        memcpy(copy, value.s, value.n);
        copy[value.n] = '\0';
        if (pl_parse_u64(copy, INT32_MAX - 1, &best))
            s->best_iteration = (int64_t)best;
    }
}

static void read_learner(struct doc *d, struct source *s, bool with_trees)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "gradient_booster"))
            read_booster(d, s, with_trees, false);
        else if (doc_is(key, "learner_model_param"))
            read_parameters(d, s);
        else if (doc_is(key, "objective"))
            read_objective(d, s);
        else if (doc_is(key, "attributes"))
            read_attributes(d, s);
        else
            doc_skip(d);
    }
}

static void read_version(struct doc *d, struct source *s)
{
    size_t i = 0;

    doc_enter(d, DOC_ARRAY);
    for (; doc_item(d); i++) {
        if (i < PL_COUNT(s->version))
            s->version[i] = (int32_t)doc_integer(d, -1, INT32_MAX);
        else
            doc_skip(d);
    }
}

static void read_document(struct doc *d, struct source *s, bool with_trees)
{
    struct doc_text key;

    doc_enter(d, DOC_OBJECT);
    while (doc_key(d, &key)) {
        if (doc_is(key, "learner"))
            read_learner(d, s, with_trees);
        else if (doc_is(key, "version"))
            read_version(d, s);
        else
            doc_skip(d);
    }
}

static void check_complete(struct doc *d, const struct source *s)
{
    if (s->booster[0] == '\0' || s->objective[0] == '\0' || !s->base_scores || s->features == 0)
        doc_fail(d,
                 "it lacks a booster, an objective, a base score or its number of features: this is no XGBoost model");
}

enum pl_code source_read(struct source **out, const void *bytes, size_t n, bool with_trees, struct pl_err *err)
{
    pl_cleanup(source_free_p) struct source *s = PL_NEW(struct source);
    struct doc d;

    s->best_iteration = -1;
    s->parallel_trees = s->targets = 1;
    doc_open(&d, bytes, n);
    read_document(&d, s, with_trees);
    if (!doc_failed(&d))
        check_complete(&d, s);
    if (d.wrong)
        return pl_fail_reason(err, PL_INVALID, "MODEL_UNREADABLE", NULL, "%s at byte %zu: %s",
                              d.ubjson ? "UBJSON" : "JSON", d.wrong_at, d.wrong);
    *out = pl_take(s);
    return PL_OK;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->trees && i < s->tree_count; i++)
        source_tree_done(&s->trees[i]);
    free(s->trees);
    free(s->groups);
    free(s->weights);
    free(s->rounds);
    free(s->base_scores);
    free(s);
}

void source_free_p(struct source **s)
{
    source_free(*s);
}

bool source_since(const struct source *s, int32_t major, int32_t minor)
{
    return s->version[0] > major || (s->version[0] == major && s->version[1] >= minor);
}
