/* booster - one XGBoost model file and its predictions: the only place that calls the XGBoost C API.
 *
 * One thread, always: for single rows OpenMP's threads cost up to ten times what they save, and OMP_NUM_THREADS=1 must
 * be in the environment before libgomp is loaded (main.c). Predictions go through the in-place API with a proxy DMatrix
 * that is kept: without it every call opens two cgroup files. Other boosters than gbtree copy into a DMatrix: gblinear
 * has no in-place prediction, and dart's sums its trees in another order than Booster.predict(), which shows in the
 * last digits. */
#ifndef RUNNER_BOOSTER_H
#define RUNNER_BOOSTER_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct booster;
struct matrix;

struct booster_facts {
    char objective[64];
    uint32_t features;
    uint32_t classes; /* multi:*; 0 otherwise */
};

/* Loads the bytes of one file; 'name' is for messages. Format (JSON, UBJSON, binary) is told by the content, never by
 * the name. PL_MODEL 500; also for what a newer XGBoost saved and this one would read without complaint, but wrongly.
 */
PL_MUST_CHECK enum pl_code booster_open(struct booster **out, const char *name, const void *bytes, size_t n,
                                        struct pl_err *err);
void booster_close(struct booster *b);
const struct booster_facts *booster_facts(const struct booster *b);

/* Predictions of rows [first, first + count) of 'm', which has at most as many columns as the model; 'out_values' live
 * until the next call. '*out_width' = values per row; '*out_list' = the runtime gave them a dimension of their own.
 * PL_MODEL 400. */
PL_MUST_CHECK enum pl_code booster_predict(struct booster *b, const struct matrix *m, size_t first, size_t count,
                                           const float **out_values, size_t *out_width, _Bool *out_list,
                                           struct pl_err *err);

/* The same before the objective's transformation, of dense rows with all columns. */
PL_MUST_CHECK enum pl_code booster_margins(struct booster *b, const float *rows, size_t count, const float **out_values,
                                           size_t *out_width, struct pl_err *err);

/* The model as this library would save it, in UBJSON; the booster's, until its next call. PL_MODEL 500. */
PL_MUST_CHECK enum pl_code booster_save(struct booster *b, const void **out_bytes, size_t *out_n, struct pl_err *err);

struct source;
/* Why this library, which takes the file, would not predict what it was trained to; NULL: it would. Static text. */
const char *booster_misreads(const struct source *s);

/* "xgboost 1.7.4" */
void booster_version(char *out, size_t size);

#endif
