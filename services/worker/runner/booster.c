#include "booster.h"

#include "base/mem.h"
#include "base/text.h"
#include "compiler/source.h"
#include "matrix.h"
#include "refuse.h"

#include <xgboost/c_api.h>

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PAD_CELLS 256u

struct booster {
    BoosterHandle handle;
    DMatrixHandle proxy;
    struct booster_facts facts;
    bool in_place;
    char config[192], margin_config[192]; /* of every prediction */
    float *padded;                        /* rows with fewer columns than the model, made full with missing values */
    size_t padded_cap;                    /* in cells */
    uint64_t *starts;                     /* of a slice of a sparse matrix */
    size_t start_cap;
};

/* The first line of what XGBoost said, without "[time] file:line: " and "Check failed: ". */
static const char *last_error(char out[512])
{
    const char *text = XGBGetLastError(), *colon;
    size_t n;

    if (text[0] == '[' && (colon = strstr(text, "] ")) && (size_t)(colon - text) < 16) {
        text = colon + 2;
        colon = strstr(text, ": ");
        if (colon && memchr(text, '.', (size_t)(colon - text)) && (size_t)(colon - text) < 200)
            text = colon + 2;
    }
    while (*text == '\n' || *text == ' ')
        text++;
    n = strcspn(text, "\n");
    (void)snprintf(out, 512, "%.*s", (int)(n < 500 ? n : 500), n ? text : "no reason given");
    return out;
}

/* The string value of "key" in the object "section" of XGBoost's own configuration text; false when it is not there. */
static bool config_value(const char *config, const char *section, const char *key, char *out, size_t size)
{
    char pattern[64];
    const char *at, *end;

    (void)snprintf(pattern, sizeof(pattern), "\"%s\":{", section);
    at = strstr(config, pattern);
    end = at ? strchr(at, '}') : NULL;
    (void)snprintf(pattern, sizeof(pattern), "\"%s\":\"", key);
    at = end ? strstr(at, pattern) : NULL;
    if (!at || at > end)
        return false;
    at += strlen(pattern);
    end = strchr(at, '"');
    if (!end || (size_t)(end - at) >= size)
        return false;
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
    return true;
}

static enum pl_code load_failed(const char *name, const char *why, struct pl_err *err)
{
    struct refuse_quote q = refuse_quote(name, strlen(name));

    return refuse(err, STATUS_FAILED, "Unable to load model: %s: %s", q.text, why);
}

static bool is_pickle(const uint8_t *bytes, size_t n)
{
    static const char protocol_0[] = "ccopy_reg\n", protocol_0_new[] = "ccopyreg\n", own[] = "cxgboost.";

    if (n >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5)
        return true;
    return (n > sizeof(protocol_0) && memcmp(bytes, protocol_0, sizeof(protocol_0) - 1) == 0) ||
           (n > sizeof(protocol_0_new) && memcmp(bytes, protocol_0_new, sizeof(protocol_0_new) - 1) == 0) ||
           (n > sizeof(own) && memcmp(bytes, own, sizeof(own) - 1) == 0);
}

/* The deprecated binary format has no magic number: its header's small numbers must be small, or XGBoost would allocate
 * what they say. Offsets: base_score f32, num_feature u32, num_class i32, contain_extra_attrs i32, contain_eval_metrics
 * i32. */
static bool is_binary(const uint8_t *bytes, size_t n)
{
    uint32_t words[5];

    if (n >= 4 && memcmp(bytes, "binf", 4) == 0)
        bytes += 4, n -= 4;
    if (n < 136)
        return false;
    memcpy(words, bytes, sizeof(words));
    return words[1] > 0 && words[1] <= MATRIX_MAX_CELLS && words[2] <= 1u << 20 && words[3] <= 1 && words[4] <= 1;
}

static enum pl_code check_format(const char *name, const uint8_t *bytes, size_t n, struct pl_err *err)
{
    if (is_pickle(bytes, n))
        return load_failed(name, "is a Python pickle; save it with Booster.save_model", err);
    if ((n > 2 && bytes[0] == '{') || is_binary(bytes, n))
        return PL_OK;
    return load_failed(name, "is not an XGBoost model (neither JSON, UBJSON nor XGBoost's binary format)", err);
}

/* Predictions stop at the best iteration when early stopping noted one, and never run past the end. */
static unsigned iteration_end(struct booster *b)
{
    const char *text = NULL;
    int found = 0, rounds = 0;
    uint64_t best;

    if (XGBoosterGetAttr(b->handle, "best_iteration", &text, &found) != 0 || !found || !text ||
        !pl_parse_u64(text, INT32_MAX - 1, &best) || XGBoosterBoostedRounds(b->handle, &rounds) != 0)
        return 0;
    return best + 1 < (uint64_t)rounds ? (unsigned)best + 1 : 0;
}

static enum pl_code read_facts(struct booster *b, const char *name, struct pl_err *err)
{
    char reason[512], text[64];
    const char *config;
    bst_ulong length, features;
    uint64_t classes = 0;

    if (XGBoosterGetNumFeature(b->handle, &features) != 0 || XGBoosterSaveJsonConfig(b->handle, &length, &config) != 0)
        return load_failed(name, last_error(reason), err);
    if (features == 0 || features > MATRIX_MAX_CELLS)
        return load_failed(name, "its number of features is 0 or beyond any limit", err);
    b->facts.features = (uint32_t)features;
    (void)config_value(config, "learner_train_param", "objective", b->facts.objective, sizeof(b->facts.objective));
    if (config_value(config, "learner_model_param", "num_class", text, sizeof(text)) &&
        pl_parse_u64(text, 1u << 20, &classes))
        b->facts.classes = (uint32_t)classes;
    b->in_place =
        config_value(config, "learner_train_param", "booster", text, sizeof(text)) && strcmp(text, "gbtree") == 0;
    return PL_OK;
}

static bool library_since(int major, int minor)
{
    int has_major, has_minor, patch;

    XGBoostVersion(&has_major, &has_minor, &patch);
    return has_major > major || (has_major == major && has_minor >= minor);
}

/* Weights have had three places: beside a booster "dart", since 3.3 beside "gbtree", since 3.4 inside its model. Older
 * libraries pass over the newer ones. */
static bool overlooks_weights(const struct source *s)
{
    if (s->weights_inside)
        return !library_since(3, 4);
    return s->weight_count > 0 && strcmp(s->booster, "dart") != 0 && !library_since(3, 3);
}

const char *booster_misreads(const struct source *s)
{
    if (s->base_scores_are_list && !library_since(3, 1))
        return "its base_score is a list, which this library takes for 0.5";
    if (overlooks_weights(s))
        return "its trees are weighted (dropout), which this library overlooks";
    return NULL;
}

/* Of a document; the trees are passed over. The binary format is of versions that the library knows. */
static enum pl_code check_understood(const char *name, const void *bytes, size_t n, struct pl_err *err)
{
    pl_cleanup(source_free_p) struct source *s = NULL;
    struct refuse_quote q = refuse_quote(name, strlen(name));
    char library[32];
    struct pl_err unread;

    if (source_read(&s, bytes, n, false, &unread) != PL_OK || !booster_misreads(s))
        return PL_OK; /* what is unreadable, the library says better */
    booster_version(library, sizeof(library));
    return refuse(err, STATUS_FAILED,
                  "Unable to load model: %s: it was saved by xgboost %d.%d.%d, and %s would misread it: %s", q.text,
                  s->version[0], s->version[1], s->version[2], library, booster_misreads(s));
}

static void write_config(char *out, size_t size, int type, unsigned end)
{
    (void)snprintf(out, size,
                   "{\"type\":%d,\"training\":false,\"iteration_begin\":0,\"iteration_end\":%u,\"strict_shape\":false,"
                   "\"missing\":NaN,\"cache_id\":0}",
                   type, end);
}

enum pl_code booster_open(struct booster **out, const char *name, const void *bytes, size_t n, struct pl_err *err)
{
    struct refuse_quote q = refuse_quote(name, strlen(name));
    struct booster *b;
    char reason[512];

    if (check_format(name, bytes, n, err) != PL_OK || check_understood(name, bytes, n, err) != PL_OK)
        return PL_MODEL;
    b = PL_NEW(struct booster);
    if (XGBoosterCreate(NULL, 0, &b->handle) != 0 || XGBoosterSetParam(b->handle, "nthread", "1") != 0 ||
        XGBoosterLoadModelFromBuffer(b->handle, bytes, n) != 0 || XGBoosterSetParam(b->handle, "nthread", "1") != 0 ||
        XGProxyDMatrixCreate(&b->proxy) != 0) {
        (void)refuse(err, STATUS_FAILED, "Unable to load model: %s: XGBoost cannot read it: %s", q.text,
                     last_error(reason));
        booster_close(b);
        return PL_MODEL;
    }
    if (read_facts(b, name, err) != PL_OK) {
        booster_close(b);
        return PL_MODEL;
    }
    write_config(b->config, sizeof(b->config), 0, iteration_end(b));
    write_config(b->margin_config, sizeof(b->margin_config), 1, iteration_end(b));
    *out = b;
    return PL_OK;
}

void booster_close(struct booster *b)
{
    if (!b)
        return;
    if (b->proxy)
        (void)XGDMatrixFree(b->proxy);
    if (b->handle)
        (void)XGBoosterFree(b->handle);
    free(b->padded);
    free(b->starts);
    free(b);
}

const struct booster_facts *booster_facts(const struct booster *b)
{
    return &b->facts;
}

void booster_version(char *out, size_t size)
{
    int major, minor, patch;

    XGBoostVersion(&major, &minor, &patch);
    (void)snprintf(out, size, "xgboost %d.%d.%d", major, minor, patch);
}

/* XGBoost's description of an array in memory: numpy's array interface as JSON. */
static void describe(char *out, size_t size, const void *data, size_t rows, size_t cols, const char *type)
{
    char shape[48];

    (void)snprintf(shape, sizeof(shape), cols ? "%zu,%zu" : "%zu", rows, cols);
    (void)snprintf(out, size, "{\"data\":[%zu,true],\"shape\":[%s],\"typestr\":\"%s\",\"version\":3}", (size_t)data,
                   shape, type);
}

static enum pl_code no_memory(struct pl_err *err)
{
    return refuse(err, STATUS_FAILED, "Unable to evaluate payload provided: no memory for the rows");
}

/* The rows as the model needs them: XGBoost refuses another number of columns, the container takes absent ones as
 * missing. */
static enum pl_code full_rows(struct booster *b, const struct matrix *m, size_t first, size_t count, const float **out,
                              struct pl_err *err)
{
    size_t features = b->facts.features, cells = count * features;

    if (m->cols == features) {
        *out = m->values + first * m->cols;
        return PL_OK;
    }
    if (b->padded_cap < cells) {
        size_t cap = cells < DEFAULT_PAD_CELLS ? DEFAULT_PAD_CELLS : cells;
        float *bigger = realloc(b->padded, cap * sizeof(float));

        if (!bigger)
            return no_memory(err);
        b->padded = bigger;
        b->padded_cap = cap;
    }
    for (size_t row = 0; row < count; row++) {
        float *to = b->padded + row * features;

        memcpy(to, m->values + (first + row) * m->cols, m->cols * sizeof(float));
        for (size_t col = m->cols; col < features; col++)
            to[col] = NAN;
    }
    *out = b->padded;
    return PL_OK;
}

/* Row starts counted from the slice's own first value. */
static enum pl_code slice_starts(struct booster *b, const struct matrix *m, size_t first, size_t count,
                                 struct pl_err *err)
{
    if (b->start_cap < count + 1) {
        uint64_t *bigger = realloc(b->starts, (count + 1) * sizeof(*bigger));

        if (!bigger)
            return no_memory(err);
        b->starts = bigger;
        b->start_cap = count + 1;
    }
    for (size_t i = 0; i <= count; i++)
        b->starts[i] = m->starts[first + i] - m->starts[first];
    return PL_OK;
}

struct result {
    const bst_ulong *shape;
    bst_ulong dims;
    const float *values;
};

static int predict_dense(struct booster *b, const char *config, const float *values, size_t count, struct result *out)
{
    DMatrixHandle copy = NULL;
    char array[160];
    int failed;

    if (b->in_place) {
        describe(array, sizeof(array), values, count, b->facts.features, "<f4");
        return XGBoosterPredictFromDense(b->handle, array, config, b->proxy, &out->shape, &out->dims, &out->values);
    }
    failed = XGDMatrixCreateFromMat_omp(values, count, b->facts.features, NAN, &copy, 1);
    if (!failed) {
        failed = XGBoosterPredictFromDMatrix(b->handle, copy, config, &out->shape, &out->dims, &out->values);
        (void)XGDMatrixFree(copy);
    }
    return failed;
}

static int predict_sparse(struct booster *b, const struct matrix *m, size_t first, size_t count, struct result *out)
{
    size_t from = m->starts[first], stored = b->starts[count];
    char starts[160], columns[160], values[160];
    DMatrixHandle copy = NULL;
    int failed;

    describe(starts, sizeof(starts), b->starts, count + 1, 0, "<u8");
    describe(columns, sizeof(columns), m->columns + from, stored, 0, "<u4");
    describe(values, sizeof(values), m->values + from, stored, 0, "<f4");
    if (b->in_place)
        return XGBoosterPredictFromCSR(b->handle, starts, columns, values, b->facts.features, b->config, b->proxy,
                                       &out->shape, &out->dims, &out->values);
    failed =
        XGDMatrixCreateFromCSR(starts, columns, values, b->facts.features, "{\"missing\":NaN,\"nthread\":1}", &copy);
    if (!failed) {
        failed = XGBoosterPredictFromDMatrix(b->handle, copy, b->config, &out->shape, &out->dims, &out->values);
        (void)XGDMatrixFree(copy);
    }
    return failed;
}

static enum pl_code take_result(const struct result *r, int failed, size_t count, const float **out_values,
                                size_t *out_width, bool *out_list, struct pl_err *err)
{
    char reason[512];

    if (failed)
        return refuse(err, STATUS_BAD_REQUEST, "Unable to evaluate payload provided: %s", last_error(reason));
    *out_width = 1;
    for (bst_ulong i = 1; i < r->dims; i++)
        *out_width *= r->shape[i];
    if (r->dims == 0 || r->shape[0] != count || *out_width == 0)
        return refuse(err, STATUS_FAILED, "Unable to evaluate payload provided: the model answered another shape");
    *out_values = r->values;
    *out_list = r->dims > 1;
    return PL_OK;
}

enum pl_code booster_predict(struct booster *b, const struct matrix *m, size_t first, size_t count,
                             const float **out_values, size_t *out_width, bool *out_list, struct pl_err *err)
{
    struct result r = { 0 };
    const float *rows = NULL;
    int failed;

    assert(count > 0 && first + count <= m->rows && m->cols <= b->facts.features);
    if (m->sparse) {
        if (slice_starts(b, m, first, count, err) != PL_OK)
            return PL_MODEL;
        failed = predict_sparse(b, m, first, count, &r);
    } else {
        if (full_rows(b, m, first, count, &rows, err) != PL_OK)
            return PL_MODEL;
        failed = predict_dense(b, b->config, rows, count, &r);
    }
    return take_result(&r, failed, count, out_values, out_width, out_list, err);
}

enum pl_code booster_margins(struct booster *b, const float *rows, size_t count, const float **out_values,
                             size_t *out_width, struct pl_err *err)
{
    struct result r = { 0 };
    int failed = predict_dense(b, b->margin_config, rows, count, &r);
    bool list;

    return take_result(&r, failed, count, out_values, out_width, &list, err);
}

enum pl_code booster_save(struct booster *b, const void **out_bytes, size_t *out_n, struct pl_err *err)
{
    const char *bytes;
    char reason[512];
    bst_ulong n;

    if (XGBoosterSaveModelToBuffer(b->handle, "{\"format\":\"ubj\"}", &n, &bytes) != 0)
        return refuse(err, STATUS_FAILED, "XGBoost cannot save it: %s", last_error(reason));
    *out_bytes = bytes;
    *out_n = n;
    return PL_OK;
}
