/* member - one model file at work: its compiled forest when there is one, else XGBoost's library. Most models have one
 * member, an ensemble has several.
 *
 * An instance whose members are all forests never touches the library.  Threads: one. */
#ifndef RUNNER_MEMBER_H
#define RUNNER_MEMBER_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct forest;
struct matrix;
struct member;
struct model_files;

struct member_facts {
    char objective[64];
    char runtime[48]; /* "xgboost 1.7.4": the library that predicts, or that the forest was compared with */
    uint32_t features;
    uint32_t classes; /* multi:*; 0 otherwise */
    bool forest;
    bool compiled;  /* that has been tried: 'note' has the reason, unless 'forest' */
    bool damaged;   /* there is one, but it is not as it was written */
    char note[256]; /* why there is no forest, or why it is not proven; "" */
};

/* File number 'which'. PL_MODEL 500; with the reason MODEL_FOREST_DAMAGED (model.h) when that is why the library had to
 * be asked. */
PL_MUST_CHECK enum pl_code member_open(struct member **out, const struct model_files *files, unsigned which,
                                       struct pl_err *err);
/* Of a forest that is there already; takes it over. */
struct member *member_of_forest(struct forest *forest);
void member_close(struct member *m); /* NULL is fine */
const struct member_facts *member_facts(const struct member *m);

/* Predictions of rows [first, first + count) of 'rows', which has at most as many columns as the model; '*out_values'
 * live until the next call. '*out_width' = values per row; '*out_list' = they have a dimension of their own. PL_MODEL
 * 400. */
PL_MUST_CHECK enum pl_code member_predict(struct member *m, const struct matrix *rows, size_t first, size_t count,
                                          const float **out_values, size_t *out_width, bool *out_list,
                                          struct pl_err *err);
/* Gives back what a large request left behind. */
void member_trim(struct member *m);

#endif
