/* Models trained here by XGBoost, of random data, and what XGBoost itself predicts with them. */
#ifndef COMPILER_TRAINED_H
#define COMPILER_TRAINED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"

#include <math.h>
#include <stdbool.h>
#include <xgboost/c_api.h>

#define TRAINED_MAX_PARAMETERS 12
#define TRAINED_ROWS           400

struct recipe {
    const char *objective;
    const char *parameters[TRAINED_MAX_PARAMETERS][2]; /* name, value; ends with NULL */
    int rounds, columns;
    int classes;     /* of labels; 0 = numbers, 1 = positive ones */
    int targets;     /* columns of labels; 0 = 1 */
    bool categories; /* the first two columns are categorical */
    float missing;   /* share of the cells */
    const char *best_iteration;
};

struct trained {
    const struct recipe *recipe;
    BoosterHandle booster;
    float *cells; /* TRAINED_ROWS * columns */
};

#define XGB(call)                                                                                                      \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s: %s", #call, XGBGetLastError());                                                              \
    } while (0)

/* A small generator of our own: the same numbers everywhere. */
static inline uint32_t trained_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static inline float trained_uniform(uint64_t *state)
{
    return (float)trained_random(state) / (float)(UINT32_C(1) << 31);
}

static inline float *trained_cells(const struct recipe *r, size_t rows, uint64_t seed)
{
    float *cells = calloc(rows * (size_t)r->columns, sizeof(*cells));

    assert_non_null(cells);
    for (size_t i = 0; i < rows * (size_t)r->columns; i++) {
        bool category = r->categories && i % (size_t)r->columns < 2;

        cells[i] = category ? (float)(trained_random(&seed) % 40) : trained_uniform(&seed) * 8 - 4;
        if (!category && trained_random(&seed) % 4 == 0)
            cells[i] = floorf(cells[i]); /* thresholds that are hit exactly, zeros among them */
        if (trained_uniform(&seed) < r->missing)
            cells[i] = NAN;
    }
    return cells;
}

static inline void trained_labels(const struct recipe *r, const float *cells, float *out)
{
    int targets = r->targets ? r->targets : 1;

    for (int row = 0; row < TRAINED_ROWS; row++) {
        const float *at = cells + row * r->columns;
        float hidden = 0;

        for (int c = 0; c < r->columns; c++)
            hidden += isnan(at[c]) ? 0.3f : sinf(at[c] * (float)(c + 1));
        for (int t = 0; t < targets; t++) {
            float value = hidden * (float)(t + 1);
            out[row * targets + t] = r->classes > 1    ? (float)((int)fabsf(value * 3) % r->classes)
                                     : r->classes == 1 ? fabsf(value) + 0.1f
                                                       : value;
        }
    }
}

static inline void trained_matrix(const struct recipe *r, const float *cells, size_t rows, DMatrixHandle *out)
{
    const char *types[64];

    XGB(XGDMatrixCreateFromMat(cells, rows, (bst_ulong)r->columns, NAN, out));
    assert_true(r->columns <= 64);
    for (int c = 0; c < r->columns; c++)
        types[c] = c < 2 ? "c" : "q";
    if (r->categories)
        XGB(XGDMatrixSetStrFeatureInfo(*out, "feature_type", types, (bst_ulong)r->columns));
}

static inline void trained_set_labels(const struct recipe *r, const float *cells, DMatrixHandle d)
{
    int targets = r->targets ? r->targets : 1;
    float labels[TRAINED_ROWS * 4];
    char interface[160];

    assert_true(targets <= 4);
    trained_labels(r, cells, labels);
    (void)snprintf(interface, sizeof(interface),
                   "{\"data\":[%zu,true],\"shape\":[%d,%d],\"typestr\":\"<f4\",\"version\":3}", (size_t)labels,
                   TRAINED_ROWS, targets);
    if (strcmp(r->objective, "survival:aft") == 0) {
        XGB(XGDMatrixSetFloatInfo(d, "label_lower_bound", labels, TRAINED_ROWS));
        XGB(XGDMatrixSetFloatInfo(d, "label_upper_bound", labels, TRAINED_ROWS));
    } else if (targets > 1) {
        XGB(XGDMatrixSetInfoFromInterface(d, "label", interface));
    } else {
        XGB(XGDMatrixSetFloatInfo(d, "label", labels, TRAINED_ROWS));
    }
    if (strncmp(r->objective, "rank:", 5) == 0) {
        unsigned groups[] = { TRAINED_ROWS / 2, TRAINED_ROWS / 2 };
        XGB(XGDMatrixSetUIntInfo(d, "group", groups, 2));
    }
}

static inline void trained_make(struct trained *t, const struct recipe *r, uint64_t seed)
{
    DMatrixHandle d;
    char text[16];

    *t = (struct trained){ .recipe = r, .cells = trained_cells(r, TRAINED_ROWS, seed) };
    trained_matrix(r, t->cells, TRAINED_ROWS, &d);
    trained_set_labels(r, t->cells, d);
    XGB(XGBoosterCreate(&d, 1, &t->booster));
    XGB(XGBoosterSetParam(t->booster, "objective", r->objective));
    XGB(XGBoosterSetParam(t->booster, "nthread", "1"));
    XGB(XGBoosterSetParam(t->booster, "verbosity", "0"));
    if (strncmp(r->objective, "multi:", 6) == 0) {
        (void)snprintf(text, sizeof(text), "%d", r->classes);
        XGB(XGBoosterSetParam(t->booster, "num_class", text));
    }
    for (int i = 0; i < TRAINED_MAX_PARAMETERS && r->parameters[i][0]; i++)
        XGB(XGBoosterSetParam(t->booster, r->parameters[i][0], r->parameters[i][1]));
    for (int i = 0; i < r->rounds; i++)
        XGB(XGBoosterUpdateOneIter(t->booster, i, d));
    if (r->best_iteration)
        XGB(XGBoosterSetAttr(t->booster, "best_iteration", r->best_iteration));
    XGB(XGDMatrixFree(d));
}

static inline void trained_done(struct trained *t)
{
    XGB(XGBoosterFree(t->booster));
    free(t->cells);
}

/* The saved model, in "json" or "ubj"; to free(). */
static inline char *trained_save(const struct trained *t, const char *format, size_t *out_n)
{
    const char *bytes;
    char config[32], *copy;
    bst_ulong n;

    (void)snprintf(config, sizeof(config), "{\"format\":\"%s\"}", format);
    XGB(XGBoosterSaveModelToBuffer(t->booster, config, &n, &bytes));
    copy = malloc(n);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    *out_n = n;
    return copy;
}

/* As Booster.predict() does, up to the best iteration: from a DMatrix. '*out_values' live until the next prediction. */
static inline void trained_predict(const struct trained *t, const float *cells, size_t rows, bool margins,
                                   const float **out_values, size_t *out_count)
{
    DMatrixHandle d;
    char config[200];
    const bst_ulong *shape;
    bst_ulong dims;
    int end = t->recipe->best_iteration ? atoi(t->recipe->best_iteration) + 1 : 0;

    (void)snprintf(config, sizeof(config),
                   "{\"type\":%d,\"training\":false,\"iteration_begin\":0,\"iteration_end\":%d,\"strict_shape\":false}",
                   margins, end);
    trained_matrix(t->recipe, cells, rows, &d);
    XGB(XGBoosterPredictFromDMatrix(t->booster, d, config, &shape, &dims, out_values));
    *out_count = 1;
    for (bst_ulong i = 0; i < dims; i++)
        *out_count *= shape[i];
    XGB(XGDMatrixFree(d));
}

#endif
