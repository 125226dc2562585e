#include "compiler/prove.h"

#include "compiler/compile.h"
#include "forest/forest.h"
#include "probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_ROWS  256u
#define BATCH_CELLS ((size_t)1 << 20)
#define MAX_CELLS   ((size_t)64 << 20) /* of all rows: what a wide model may cost */

/* A proof under way. */
struct proof {
    struct forest *forest;
    struct probe *probe;
    prove_reference_fn *reference;
    void *arg;
    size_t features, batch, rows;
    float *cells, *ours;
};

static void proof_done(struct proof *p)
{
    probe_free(p->probe);
    forest_close(p->forest);
    free(p->cells);
    free(p->ours);
}

static bool equal(float a, float b)
{
    return a == b || (isnan(a) && isnan(b)) || fabsf(a - b) <= PROVE_TOLERANCE * fmaxf(fabsf(a), fabsf(b));
}

static enum pl_code differ(const struct proof *p, const char *what, size_t at, size_t width, float theirs,
                           struct pl_err *err)
{
    return pl_fail_reason(err, PL_PRECONDITION, "FOREST_DIFFERS", NULL,
                          "the compiled forest's %s is %.9g where XGBoost's is %.9g (row %zu of the proof, value %zu)",
                          what, (double)p->ours[at], (double)theirs, p->rows + at / width, at % width);
}

static enum pl_code compare(struct proof *p, size_t count, bool margins, struct pl_err *err)
{
    const struct forest_header *h = forest_header(p->forest);
    const struct forest_rows rows = { .count = count, .cols = p->features, .values = p->cells };
    size_t expected = margins ? h->groups : h->outputs, width;
    const char *what = margins ? "margin" : "prediction";
    const float *theirs;
    bool list;

    if ((margins ? forest_margins : forest_predict)(p->forest, &rows, p->ours, err) != PL_OK ||
        p->reference(p->arg, p->cells, count, margins, &theirs, &width, &list, err) != PL_OK)
        return err->code;
    if (width != expected || (!margins && list != h->list))
        return pl_fail_reason(err, PL_PRECONDITION, "FOREST_DIFFERS", NULL,
                              "the compiled forest has %zu values a row where XGBoost has %zu (%s)", expected, width,
                              what);
    for (size_t i = 0; i < count * width; i++)
        if (!equal(p->ours[i], theirs[i]))
            return differ(p, what, i, width, theirs[i], err);
    return PL_OK;
}

/* Where nothing is transformed, the one is the other. */
static enum pl_code compare_both(struct proof *p, size_t count, struct pl_err *err)
{
    bool same = forest_header(p->forest)->transform == FOREST_IDENTITY;

    if (!same && compare(p, count, true, err) != PL_OK)
        return err->code;
    return compare(p, count, false, err);
}

static enum pl_code start(struct proof *p, const struct forest_image *image, struct pl_err *err)
{
    const struct forest_header *h;

    if (forest_view(&p->forest, image->bytes, image->n, err) != PL_OK || probe_new(&p->probe, image, err) != PL_OK)
        return err->code;
    h = forest_header(p->forest);
    p->features = h->features;
    p->batch = BATCH_CELLS / p->features < BATCH_ROWS ? BATCH_CELLS / p->features : BATCH_ROWS;
    p->batch = p->batch ? p->batch : 1;
    p->cells = malloc(p->batch * p->features * sizeof(*p->cells));
    p->ours = malloc(p->batch * h->groups * sizeof(*p->ours));
    if (!p->cells || !p->ours)
        return pl_fail(err, PL_EXHAUSTED, NULL, "no memory to prove a forest of %zu features", p->features);
    return PL_OK;
}

/* As many rows as there are leaves to reach, within what a proof may cost; a forest without any tries its base scores.
 */
static enum pl_code run(struct proof *p, struct pl_err *err)
{
    const struct forest_header *h = forest_header(p->forest);
    size_t most = PROVE_MAX_WALKS / (h->trees + h->slots), count;

    most = most < MAX_CELLS / p->features ? most : MAX_CELLS / p->features;
    do {
        for (count = 0; count < p->batch && probe_next(p->probe, p->cells + count * p->features); count++)
            ;
        if (count == 0 && p->rows == 0) {
            memset(p->cells, 0, p->features * sizeof(*p->cells));
            count = 1;
        }
        if (count > 0 && compare_both(p, count, err) != PL_OK)
            return err->code;
        p->rows += count;
    } while (count == p->batch && p->rows < most);
    return PL_OK;
}

enum pl_code forest_prove(struct forest_image *image, prove_reference_fn *reference, void *arg, struct pl_err *err)
{
    pl_cleanup(proof_done) struct proof p = { .reference = reference, .arg = arg };
    struct forest_header *h = image->bytes;

    if (start(&p, image, err) != PL_OK || run(&p, err) != PL_OK)
        return err->code;
    h->proven = 1;
    h->leaves_reached = probe_reached(p.probe);
    forest_image_seal(image);
    return PL_OK;
}
