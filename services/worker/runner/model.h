/* model - a loaded model: rows in, predictions out. One runtime today, XGBoost (model_xgboost.c); others would have the
 * same door.
 *
 * Threads: one.  Memory: predictions belong to the model and live until its next call. */
#ifndef RUNNER_MODEL_H
#define RUNNER_MODEL_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct forest;
struct matrix;
struct model;

/* What an objective's outputs mean. */
enum output_meaning {
    MEANING_SCORE,         /* reg:*, count:*, rank:*, survival:*: a value        */
    MEANING_PROBABILITY,   /* binary:logistic: of class 1                        */
    MEANING_MARGIN,        /* binary:logitraw: class 1 when above 0              */
    MEANING_CLASS,         /* binary:hinge, multi:softmax: the class as a number */
    MEANING_PROBABILITIES, /* multi:softprob: one per class                      */
};

struct prediction {
    const float *values; /* rows * outputs */
    size_t rows, outputs;
    bool list; /* a row prints as a list, even of one value */
    enum output_meaning meaning;
    unsigned classes; /* of a classifier; 0 = not known or none */
};

struct model_facts {
    char version[48];   /* "xgboost 1.7.4"    */
    char objective[64]; /* "reg:squarederror" */
    uint32_t features;
    uint32_t outputs;
    uint32_t files;
    uint32_t forests;    /* of the files: served by a compiled forest, not by XGBoost's library */
    bool forest_damaged; /* one of them could not be used, and should be made again */
    char note[256];      /* why not all of them are forests, or why one is not proven; "" */
};

/* The reason (err->reason) of a model that failed to load because of its compiled forest. */
#define MODEL_FOREST_DAMAGED "FOREST_DAMAGED"

/* Loads every regular file of the top level of 'dir' whose name does not start with ".", or only the first by name when
 * 'ensemble' is false. PL_MODEL 500 "Unable to load model: ...". */
PL_MUST_CHECK enum pl_code model_open(struct model **out, const char *dir, bool ensemble, struct pl_err *err);
/* Of one forest that is there already; takes it over. */
struct model *model_of_forest(struct forest *forest);
void model_close(struct model *m);
void model_close_p(struct model **m);

const struct model_facts *model_facts(const struct model *m);

/* PL_MODEL 400 "Unable to evaluate payload provided: ...": more columns than the model has (fewer are missing values),
 * or what the runtime says. */
PL_MUST_CHECK enum pl_code model_predict(struct model *m, const struct matrix *rows, struct prediction *out,
                                         struct pl_err *err);

/* One prediction on a row of missing values, so that no caller waits for what is set up lazily; fills facts.outputs. */
PL_MUST_CHECK enum pl_code model_warm(struct model *m, struct pl_err *err);

#endif
