/* Saved models, JSON and UBJSON, from anybody. What is read and compiled must be a forest that is accepted and can be
 * walked. */
#include "compiler/compile.h"
#include "compiler/source.h"
#include "forest/forest.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define ROWS         9
#define COLS         4
#define MAX_FEATURES 100000 /* a model may ask for millions of columns: no fault, but slow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void predict(const struct forest_image *image)
{
    static const float cells[ROWS * COLS] = { 1, -2, NAN, 3.5f, 0, 1, -0.0f, 7 };
    const struct forest_rows rows = { .count = ROWS, .cols = COLS, .values = cells };
    struct pl_err err = { 0 };
    struct forest *f;
    float *out;

    assert(forest_view(&f, image->bytes, image->n, &err) == PL_OK);
    out = malloc(ROWS * (size_t)forest_header(f)->groups * sizeof(*out));
    assert(out && forest_predict(f, &rows, out, &err) == PL_OK);
    free(out);
    forest_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct forest_image image;
    struct pl_err err = { 0 };
    struct source *s = NULL, *outline = NULL;

    if (source_read(&outline, data, size, false, &err) == PL_OK)
        source_free(outline);
    err = (struct pl_err){ 0 };
    if (source_read(&s, data, size, true, &err) != PL_OK) {
        assert(err.code == PL_INVALID && err.message[0]);
        return 0;
    }
    if (s->features <= MAX_FEATURES) {
        if (forest_compile(s, &image, &err) == PL_OK) {
            predict(&image);
            forest_image_done(&image);
        } else {
            assert(err.code == PL_INVALID || err.code == PL_UNIMPLEMENTED);
        }
    }
    source_free(s);
    return 0;
}
