/* Model documents as XGBoost 2.x and 3.x lay them out, written by hand from the schema, because the library that trains
 * our other models is older; and the same documents in UBJSON. */
#ifndef COMPILER_DOCUMENTS_H
#define COMPILER_DOCUMENTS_H

#include "base/buf.h"
#include "doc.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct document {
    const char *version;    /* "[3,1,2]" */
    const char *base_score; /* as it stands, quotes included */
    const char *objective;
    const char *trees;                        /* the objects of the array */
    const char *groups;                       /* tree_info */
    const char *rounds;                       /* iteration_indptr; NULL = not there */
    const char *weights;                      /* weight_drop; NULL = not there */
    bool weights_inside, weights_beside;      /* where 3.4 has them, and 3.3; else where dart has them */
    const char *classes, *targets, *features; /* NULL = 0, 1, 3 */
    const char *best_iteration;
    const char *more; /* further members of the model, with their comma at the end */
};

/* Feature 0 below 1.5: -1, else feature 1 below -2 (missing goes left): 10, else 20. */
#define TREE_NUMBERS(id)                                                                                               \
    "{\"base_weights\":[0,0,0,0,0],\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[],"              \
    "\"categories_sizes\":[],\"default_left\":[0,0,1,0,0],\"id\":" id ",\"left_children\":[1,-1,3,-1,-1],"             \
    "\"loss_changes\":[1,0,1,0,0],\"parents\":[2147483647,0,0,2,2],\"right_children\":[2,-1,4,-1,-1],"                 \
    "\"split_conditions\":[1.5E0,-1E0,-2,1E1,2E1],\"split_indices\":[0,0,1,0,0],\"split_type\":[0,0,0,0,0],"           \
    "\"sum_hessian\":[4,2,2,1,1],\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"3\",\"num_nodes\":\"5\","     \
    "\"size_leaf_vector\":\"1\"}}"
/* Feature 2 in {1, 3, 40} goes right: 5, else 7. */
#define TREE_SETS(id)                                                                                                  \
    "{\"base_weights\":[0,0,0],\"categories\":[1,3,40],\"categories_nodes\":[0],\"categories_segments\":[0],"          \
    "\"categories_sizes\":[3],\"default_left\":[1,0,0],\"id\":" id ",\"left_children\":[1,-1,-1],"                     \
    "\"loss_changes\":[1,0,0],\"parents\":[2147483647,0,0],\"right_children\":[2,-1,-1],"                              \
    "\"split_conditions\":[NaN,7,5],\"split_indices\":[2,0,0],\"split_type\":[1,0,0],\"sum_hessian\":[4,2,2],"         \
    "\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"3\",\"num_nodes\":\"3\",\"size_leaf_vector\":\"1\"}}"
/* A leaf alone. */
#define TREE_LEAF(id, value)                                                                                           \
    "{\"base_weights\":[0],\"default_left\":[0],\"id\":" id ",\"left_children\":[-1],\"loss_changes\":[0],"            \
    "\"parents\":[2147483647],\"right_children\":[-1],\"split_conditions\":[" value "],\"split_indices\":[0],"         \
    "\"sum_hessian\":[1],\"tree_param\":{\"num_nodes\":\"1\",\"size_leaf_vector\":\"1\"}}"

static inline const char *document_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* {"model": ..., "name": "gbtree"} */
static inline void document_model(struct pl_buf *out, const struct document *d)
{
    pl_buf_adds(out, "{\"model\":{");
    if (d->more)
        pl_buf_adds(out, d->more);
    pl_buf_adds(out, "\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"1\"},");
    if (d->rounds)
        pl_buf_addf(out, "\"iteration_indptr\":%s,", d->rounds);
    pl_buf_addf(out, "\"tree_info\":%s,\"trees\":[", d->groups);
    pl_buf_adds(out, d->trees);
    pl_buf_adds(out, "]");
    if (d->weights && d->weights_inside)
        pl_buf_addf(out, ",\"weight_drop\":%s", d->weights);
    pl_buf_adds(out, "},\"name\":\"gbtree\"");
    if (d->weights && d->weights_beside)
        pl_buf_addf(out, ",\"weight_drop\":%s", d->weights);
    pl_buf_adds(out, "}");
}

static inline char *document_json(const struct document *d, size_t *out_n)
{
    struct pl_buf out = PL_BUF_INIT(1 << 20);
    bool dart = d->weights && !d->weights_inside && !d->weights_beside;

    pl_buf_adds(&out, "{\"learner\":{\"attributes\":{\"scikit_learn\":\"{\\\"a\\\": \\\"\\\\\\\\\\\"}\"");
    if (d->best_iteration)
        pl_buf_addf(&out, ",\"best_iteration\":\"%s\"", d->best_iteration);
    pl_buf_adds(&out, "},\"feature_names\":[\"a\",\"b\",\"c\"],\"feature_types\":[],\"gradient_booster\":");
    if (dart)
        pl_buf_adds(&out, "{\"gbtree\":");
    document_model(&out, d);
    if (dart)
        pl_buf_addf(&out, ",\"name\":\"dart\",\"weight_drop\":%s}", d->weights);
    pl_buf_addf(&out,
                ",\"learner_model_param\":{\"base_score\":%s,\"boost_from_average\":\"1\",\"num_class\":\"%s\","
                "\"num_feature\":\"%s\",\"num_target\":\"%s\"},\"objective\":{\"name\":\"%s\",\"reg_loss_param\":"
                "{\"scale_pos_weight\":\"1\"}}},\"version\":%s}",
                d->base_score, document_or(d->classes, "0"), document_or(d->features, "3"),
                document_or(d->targets, "1"), d->objective, d->version);
    return pl_buf_take(&out, out_n);
}

/* ---- the same in UBJSON ---- */

static inline void ubjson_big_endian(struct pl_buf *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        pl_buf_addc(out, (char)(value >> (8 * i)));
}

static inline void ubjson_length(struct pl_buf *out, size_t n)
{
    pl_buf_addc(out, 'L');
    ubjson_big_endian(out, n, 8);
}

static inline void ubjson_text(struct pl_buf *out, struct doc_text text)
{
    ubjson_length(out, text.n);
    pl_buf_add(out, text.s, text.n);
}

/* As XGBoost types them: default_left and split_type are bytes, what is no index is float32. */
static inline char ubjson_type(struct doc_text key)
{
    if (doc_is(key, "default_left") || doc_is(key, "split_type"))
        return 'U';
    if (doc_is(key, "categories_segments") || doc_is(key, "categories_sizes"))
        return 'L';
    if (doc_is(key, "base_weights") || doc_is(key, "loss_changes") || doc_is(key, "split_conditions") ||
        doc_is(key, "sum_hessian"))
        return 'd';
    if (doc_is(key, "left_children") || doc_is(key, "right_children") || doc_is(key, "parents") ||
        doc_is(key, "split_indices") || doc_is(key, "categories") || doc_is(key, "categories_nodes"))
        return 'l';
    return 0;
}

static inline void ubjson_number(struct pl_buf *out, char type, double value)
{
    float narrow = (float)value;
    uint32_t bits;

    memcpy(&bits, &narrow, sizeof(bits));
    if (type == 'd')
        ubjson_big_endian(out, bits, 4);
    else
        ubjson_big_endian(out, (uint64_t)(int64_t)value, type == 'U' ? 1 : type == 'l' ? 4 : 8);
}

static inline void ubjson_typed(struct pl_buf *out, struct doc *d, char type)
{
    struct pl_buf items = PL_BUF_INIT(1 << 20);
    size_t count = 0;

    doc_enter(d, DOC_ARRAY);
    for (; doc_item(d); count++)
        ubjson_number(&items, type, doc_number(d));
    pl_buf_addf(out, "[$%c#", type);
    ubjson_length(out, count);
    pl_buf_add(out, items.data ? items.data : "", items.len);
    pl_buf_done(&items);
}

static inline void ubjson_value(struct pl_buf *out, struct doc *d)
{
    struct doc_text key;

    switch (doc_peek(d)) {
    case DOC_OBJECT:
        doc_enter(d, DOC_OBJECT);
        pl_buf_addc(out, '{');
        while (doc_key(d, &key)) {
            ubjson_text(out, key);
            if (ubjson_type(key))
                ubjson_typed(out, d, ubjson_type(key));
            else
                ubjson_value(out, d);
        }
        pl_buf_addc(out, '}');
        return;
    case DOC_ARRAY:
        doc_enter(d, DOC_ARRAY);
        pl_buf_addc(out, '[');
        while (doc_item(d))
            ubjson_value(out, d);
        pl_buf_addc(out, ']');
        return;
    case DOC_TEXT:
        pl_buf_addc(out, 'S');
        ubjson_text(out, doc_text(d));
        return;
    case DOC_NUMBER: {
        double value = doc_number(d);
        bool whole = value == (double)(int64_t)value;

        pl_buf_addc(out, whole ? 'L' : 'd');
        ubjson_number(out, whole ? 'L' : 'd', value);
        return;
    }
    default:
        assert(!"documents have nothing else");
    }
}

static inline char *document_ubjson(const char *json, size_t n, size_t *out_n)
{
    struct pl_buf out = PL_BUF_INIT(1 << 20);
    struct doc d;

    doc_open(&d, json, n);
    ubjson_value(&out, &d);
    assert(!doc_failed(&d));
    return pl_buf_take(&out, out_n);
}

#endif
