#include "member.h"

#include "base/mem.h"
#include "booster.h"
#include "forest/forest.h"
#include "forest/layout.h"
#include "layout/forest_folder.h"
#include "matrix.h"
#include "model.h"
#include "model_files.h"
#include "refuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A request's results that are kept as room for the next. */
#define KEEP_CELLS ((size_t)64 << 10)

_Static_assert(FOREST_FOLDER_VERSION == FOREST_VERSION, "the folder's name carries the format's version");

struct member {
    struct forest *forest; /* one of these two */
    struct booster *booster;
    struct member_facts facts;
    float *out; /* a forest's predictions */
    size_t out_cap;
};

/* ---- opening ---- */

static int open_compiled(const struct model_files *files, const char *name)
{
    char path[64];

    (void)snprintf(path, sizeof(path), FOREST_FOLDER "/%s", name);
    return openat(files->dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* The host takes printable characters only; what is quoted here was written by somebody else. */
static void set_note(struct member_facts *facts, const char *text)
{
    (void)snprintf(facts->note, sizeof(facts->note), "%.*s", (int)sizeof(facts->note) - 1, text);
    for (char *c = facts->note; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
}

/* The first line of a file that says why; false: it is not there, or empty. */
static bool read_why(const struct model_files *files, const char *name, char *out, size_t size)
{
    pl_cleanup(pl_close_p) int fd = open_compiled(files, name);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return out[0] != '\0';
}

static void read_forest_facts(struct member *m)
{
    const struct forest_header *h = forest_header(m->forest);
    struct member_facts *facts = &m->facts;

    memcpy(facts->objective, h->objective, sizeof(facts->objective));
    memcpy(facts->runtime, h->runtime, sizeof(facts->runtime));
    set_note(facts, h->note);
    facts->features = h->features;
    facts->classes = h->classes;
    facts->forest = true;
}

static bool open_forest(struct member *m, const struct model_files *files, unsigned which)
{
    struct member_facts *facts = &m->facts;
    struct pl_err err = { 0 };
    char name[32];

    (void)snprintf(name, sizeof(name), "%u.forest", which);
    pl_cleanup(pl_close_p) int fd = open_compiled(files, name);
    if (fd < 0)
        return false;
    if (forest_open(&m->forest, fd, &err) != PL_OK) {
        set_note(facts, err.message);
        facts->damaged = true;
        return false;
    }
    read_forest_facts(m);
    return true;
}

static void find_why(struct member_facts *facts, const struct model_files *files, unsigned which)
{
    char name[32], why[sizeof(facts->note)];

    if (facts->note[0]) /* there is a forest, but it cannot be used */
        return;
    (void)snprintf(name, sizeof(name), "%u.why", which);
    facts->compiled = read_why(files, name, why, sizeof(why)) || read_why(files, FOREST_FOLDER_WHY, why, sizeof(why));
    set_note(facts, facts->compiled ? why : "it was not compiled");
}

/* The library refuses the model, too: both reasons, unless one is the other's. */
static enum pl_code no_way(const struct member_facts *facts, struct pl_err *err)
{
    char library[sizeof(err->message)];

    memcpy(library, err->message, sizeof(library));
    if (facts->compiled && !strstr(library, facts->note))
        (void)refuse(err, STATUS_FAILED, "%.700s; and as a compiled forest: %s", library, facts->note);
    if (facts->damaged)
        strcpy(err->reason, MODEL_FOREST_DAMAGED);
    return PL_MODEL;
}

static enum pl_code open_booster(struct member *m, const struct model_files *files, unsigned which, struct pl_err *err)
{
    pl_cleanup(model_file_done) struct model_file file = { 0 };
    const struct booster_facts *facts;

    find_why(&m->facts, files, which);
    if (model_file_map(files, which, &file, err) != PL_OK)
        return PL_MODEL;
    if (booster_open(&m->booster, files->names[which], file.bytes, file.n, err) != PL_OK)
        return no_way(&m->facts, err);
    facts = booster_facts(m->booster);
    memcpy(m->facts.objective, facts->objective, sizeof(m->facts.objective));
    booster_version(m->facts.runtime, sizeof(m->facts.runtime));
    m->facts.features = facts->features;
    m->facts.classes = facts->classes;
    return PL_OK;
}

enum pl_code member_open(struct member **out, const struct model_files *files, unsigned which, struct pl_err *err)
{
    struct member *m = PL_NEW(struct member);

    if (!open_forest(m, files, which) && open_booster(m, files, which, err) != PL_OK) {
        member_close(m);
        return PL_MODEL;
    }
    *out = m;
    return PL_OK;
}

struct member *member_of_forest(struct forest *forest)
{
    struct member *m = PL_NEW(struct member);

    m->forest = forest;
    read_forest_facts(m);
    return m;
}

void member_close(struct member *m)
{
    if (!m)
        return;
    forest_close(m->forest);
    booster_close(m->booster);
    free(m->out);
    free(m);
}

const struct member_facts *member_facts(const struct member *m)
{
    return &m->facts;
}

/* ---- predicting ---- */

static enum pl_code predict_forest(struct member *m, const struct matrix *rows, size_t first, size_t count,
                                   const float **out_values, size_t *out_width, bool *out_list, struct pl_err *err)
{
    const struct forest_header *h = forest_header(m->forest);
    const struct forest_rows part = { .count = count,
                                      .cols = rows->cols,
                                      .values = rows->sparse ? rows->values : rows->values + first * rows->cols,
                                      .starts = rows->sparse ? rows->starts + first : NULL,
                                      .columns = rows->columns };
    size_t cells = count * h->outputs;
    struct pl_err failed;

    if (cells > m->out_cap) {
        float *bigger = realloc(m->out, cells * sizeof(*bigger));

        if (!bigger)
            return refuse(err, STATUS_FAILED, "Unable to evaluate payload provided: no memory for %zu predictions",
                          cells);
        m->out = bigger;
        m->out_cap = cells;
    }
    if (forest_predict(m->forest, &part, m->out, &failed) != PL_OK)
        return refuse(err, STATUS_FAILED, "Unable to evaluate payload provided: %s", failed.message);
    *out_values = m->out;
    *out_width = h->outputs;
    *out_list = h->list;
    return PL_OK;
}

/* A forest is taken for any number of rows, because there is no number from which the library would be faster: measured
 * from one row to as many as 6 MiB hold, in one thread each, it takes this share of the library's time (Zen 5, XGBoost
 * 1.7.4; forest_row, forest_batch and forest_largest of tests/bench/run, whose check fails where this ceases to hold):
 *
 *                           1 row   100 rows   a full request
 *     100 trees, depth 6     0.05       0.34             0.27
 *     1000 trees, depth 8    0.08       0.19             0.31
 *     200 trees, depth 16    0.06       0.08             0.13
 *     2000 trees, depth 2    0.22       0.83             0.66
 *     2000 stumps            0.23       0.45             0.35
 *     2000 columns           0.12       0.24             0.26
 *
 * The library would have to be faster by far to be worth its price: an instance would load the model a second time, in
 * up to half a second and with its private memory. */
enum pl_code member_predict(struct member *m, const struct matrix *rows, size_t first, size_t count,
                            const float **out_values, size_t *out_width, bool *out_list, struct pl_err *err)
{
    if (m->forest)
        return predict_forest(m, rows, first, count, out_values, out_width, out_list, err);
    return booster_predict(m->booster, rows, first, count, out_values, out_width, out_list, err);
}

void member_trim(struct member *m)
{
    if (m->out_cap <= KEEP_CELLS)
        return;
    free(pl_take(m->out));
    m->out_cap = 0;
}
