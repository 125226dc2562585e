/* The model of the XGBoost runtime: one member (member.h), or several that vote. */
#include "model.h"

#include "base/mem.h"
#include "matrix.h"
#include "member.h"
#include "model_files.h"
#include "refuse.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows are predicted in pieces of so many cells: bounds what that allocates. */
#define CHUNK_CELLS ((size_t)1 << 20)
/* A request's results that are kept as room for the next. */
#define KEEP_CELLS ((size_t)64 << 10)

struct model {
    struct member *members[MODEL_MAX_FILES];
    unsigned count;
    enum output_meaning meaning;
    bool vote; /* the most frequent answer, not the mean */
    struct model_facts facts;
    float *out; /* ensembles and many rows: predictions put together */
    size_t out_cap;
    float *ballots; /* vote: count * rows of a piece */
    size_t ballot_cap;
};

static enum output_meaning meaning_of(const char *objective)
{
    static const struct {
        const char *objective;
        enum output_meaning meaning;
    } known[] = {
        { "binary:logistic", MEANING_PROBABILITY },  { "binary:logitraw", MEANING_MARGIN },
        { "binary:hinge", MEANING_CLASS },           { "multi:softmax", MEANING_CLASS },
        { "multi:softprob", MEANING_PROBABILITIES },
    };

    for (size_t i = 0; i < PL_COUNT(known); i++)
        if (strcmp(objective, known[i].objective) == 0)
            return known[i].meaning;
    return MEANING_SCORE;
}

/* Members that vote must agree on what they answer; they may differ in columns, the smallest count is the model's. */
static enum pl_code check_members(struct model *m, struct pl_err *err)
{
    const struct member_facts *first = member_facts(m->members[0]);

    m->facts.features = first->features;
    for (unsigned i = 1; i < m->count; i++) {
        const struct member_facts *other = member_facts(m->members[i]);

        if (strcmp(other->objective, first->objective) != 0)
            return refuse(err, STATUS_FAILED,
                          "Unable to load model: files of one ensemble differ in objective: %s and %s",
                          first->objective, other->objective);
        if (other->features < m->facts.features)
            m->facts.features = other->features;
    }
    return PL_OK;
}

/* What people read of the members: how many are forests, and the first note. */
static void gather_facts(struct model *m)
{
    const struct member_facts *first = member_facts(m->members[0]);
    struct model_facts *facts = &m->facts;

    strcpy(facts->objective, first->objective);
    facts->files = m->count;
    for (unsigned i = 0; i < m->count; i++) {
        const struct member_facts *member = member_facts(m->members[i]);

        if (i == 0 || !member->forest) /* the library that predicts, when one does */
            (void)snprintf(facts->version, sizeof(facts->version), "%s", member->runtime);
        facts->forests += member->forest;
        facts->forest_damaged |= member->damaged;
        if (facts->note[0] == '\0')
            (void)snprintf(facts->note, sizeof(facts->note), "%s", member->note);
    }
}

static void learn(struct model *m)
{
    gather_facts(m);
    m->meaning = meaning_of(m->facts.objective);
    m->vote = m->count > 1 && m->meaning == MEANING_CLASS;
}

enum pl_code model_open(struct model **out, const char *dir, bool ensemble, struct pl_err *err)
{
    pl_cleanup(model_files_done) struct model_files files = { .dir_fd = -1 };
    pl_cleanup(model_close_p) struct model *m = PL_NEW(struct model);

    if (model_files_open(&files, AT_FDCWD, dir, err) != PL_OK)
        return PL_MODEL;
    for (unsigned i = 0; i < (ensemble ? files.count : 1); i++, m->count++)
        if (member_open(&m->members[i], &files, i, err) != PL_OK)
            return PL_MODEL;
    if (check_members(m, err) != PL_OK)
        return PL_MODEL;
    learn(m);
    *out = pl_take(m);
    return PL_OK;
}

struct model *model_of_forest(struct forest *forest)
{
    struct model *m = PL_NEW(struct model);

    m->members[m->count++] = member_of_forest(forest);
    m->facts.features = member_facts(m->members[0])->features;
    learn(m);
    return m;
}

void model_close(struct model *m)
{
    if (!m)
        return;
    for (unsigned i = 0; i < m->count; i++)
        member_close(m->members[i]);
    free(m->out);
    free(m->ballots);
    free(m);
}

void model_close_p(struct model **m)
{
    model_close(*m);
}

const struct model_facts *model_facts(const struct model *m)
{
    return &m->facts;
}

/* Gives back what a large request left behind; its predictions lived until this call. */
static void trim(struct model *m)
{
    if (m->out_cap > KEEP_CELLS) {
        free(pl_take(m->out));
        m->out_cap = 0;
    }
    if (m->ballot_cap > KEEP_CELLS) {
        free(pl_take(m->ballots));
        m->ballot_cap = 0;
    }
    for (unsigned i = 0; i < m->count; i++)
        member_trim(m->members[i]);
}

static enum pl_code room(float **array, size_t *cap, size_t cells, struct pl_err *err)
{
    float *bigger;

    if (cells <= *cap)
        return PL_OK;
    bigger = realloc(*array, cells * sizeof(float));
    if (!bigger)
        return refuse(err, STATUS_FAILED, "Unable to evaluate payload provided: no memory for %zu predictions", cells);
    *array = bigger;
    *cap = cells;
    return PL_OK;
}

/* The value most members gave; of equals the smallest, as the container's. */
static float most_frequent(const float *ballots, unsigned members, size_t stride)
{
    float best = ballots[0];
    unsigned best_count = 0;

    for (unsigned i = 0; i < members; i++) {
        float value = ballots[i * stride];
        unsigned count = 0;

        for (unsigned j = 0; j < members; j++)
            count += ballots[j * stride] == value;
        if (count > best_count || (count == best_count && value < best)) {
            best = value;
            best_count = count;
        }
    }
    return best;
}

/* Puts what member 'i' gave for a piece of rows into 'to'. */
static enum pl_code gather(struct model *m, unsigned i, const float *values, size_t rows, size_t width, float *to,
                           struct pl_err *err)
{
    size_t cells = rows * width;

    if (m->vote) {
        if (room(&m->ballots, &m->ballot_cap, m->count * cells, err) != PL_OK)
            return PL_MODEL;
        memcpy(m->ballots + i * cells, values, cells * sizeof(float));
        if (i + 1 == m->count)
            for (size_t c = 0; c < cells; c++)
                to[c] = most_frequent(m->ballots + c, m->count, cells);
        return PL_OK;
    }
    for (size_t c = 0; c < cells; c++) {
        float sum = i ? to[c] + values[c] : values[c];
        to[c] = i + 1 == m->count && m->count > 1 ? sum / (float)m->count : sum;
    }
    return PL_OK;
}

/* Rows [first, first + count) by all members, into m->out. */
static enum pl_code predict_piece(struct model *m, const struct matrix *rows, size_t first, size_t count,
                                  struct prediction *out, struct pl_err *err)
{
    for (unsigned i = 0; i < m->count; i++) {
        const float *values;
        size_t width;

        if (member_predict(m->members[i], rows, first, count, &values, &width, &out->list, err) != PL_OK)
            return PL_MODEL;
        if (out->outputs != 0 && width != out->outputs)
            return refuse(err, STATUS_FAILED,
                          "Unable to evaluate payload provided: files of one ensemble differ in outputs");
        out->outputs = width;
        if (m->count == 1 && count == rows->rows) {
            out->values = values;
            return PL_OK;
        }
        if (room(&m->out, &m->out_cap, rows->rows * width, err) != PL_OK ||
            gather(m, i, values, count, width, m->out + first * width, err) != PL_OK)
            return PL_MODEL;
        out->values = m->out;
    }
    return PL_OK;
}

enum pl_code model_predict(struct model *m, const struct matrix *rows, struct prediction *out, struct pl_err *err)
{
    size_t widest = m->facts.features > m->facts.outputs ? m->facts.features : m->facts.outputs;
    size_t step = CHUNK_CELLS / (widest * m->count);
    const struct member_facts *facts = member_facts(m->members[0]);

    if (rows->cols > m->facts.features)
        return refuse(err, STATUS_BAD_REQUEST,
                      "Unable to evaluate payload provided: the rows have %zu columns, but the model has %u features",
                      rows->cols, m->facts.features);
    *out = (struct prediction){ .rows = rows->rows, .meaning = m->meaning, .classes = facts->classes };
    if (m->meaning != MEANING_SCORE && out->classes < 2)
        out->classes = 2;
    if (step == 0)
        step = 1;
    trim(m);
    for (size_t first = 0; first < rows->rows; first += step) {
        size_t left = rows->rows - first;

        if (predict_piece(m, rows, first, left < step ? left : step, out, err) != PL_OK)
            return PL_MODEL;
    }
    return PL_OK;
}

enum pl_code model_warm(struct model *m, struct pl_err *err)
{
    float missing = NAN;
    struct matrix one = { .rows = 1, .cols = 1, .values = &missing, .count = 1 };
    struct prediction p;

    if (model_predict(m, &one, &p, err) != PL_OK) {
        err->model_status = STATUS_FAILED;
        return PL_MODEL;
    }
    m->facts.outputs = (uint32_t)p.outputs;
    return PL_OK;
}
