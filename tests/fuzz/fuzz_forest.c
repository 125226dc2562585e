/* Compiled forest files from somebody who knows how to make the checksum fit: they are refused, or walked without
 * leaving them. */
#include "forest/checksum.h"
#include "forest/forest.h"
#include "forest/layout.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 9
#define COLS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What no fuzzer would guess. */
static void make_plausible(struct forest_header *h, size_t size)
{
    size_t summed = offsetof(struct forest_header, checksum) + sizeof(h->checksum);

    memcpy(h->magic, FOREST_MAGIC, sizeof(h->magic));
    h->version = FOREST_VERSION;
    h->byte_order = FOREST_BYTE_ORDER;
    h->file_bytes = size;
    h->checksum = forest_checksum((const char *)h + summed, size - summed);
}

static void predict(struct forest *f)
{
    static const float dense[ROWS * COLS] = { 1, -2, NAN, 3.5f, 0, 100, -0.0f, 1e30f, -1e30f, INFINITY, -INFINITY };
    static const uint64_t starts[] = { 0, 3, 3, 5, 8 };
    static const uint32_t columns[] = { 4, 0, 4, 1, UINT32_MAX, 0, 1, 2 };
    const struct forest_rows rows = { .count = ROWS, .cols = COLS, .values = dense };
    const struct forest_rows sparse = {
        .count = 4, .cols = COLS, .values = dense, .starts = starts, .columns = columns
    };
    float *out = malloc(ROWS * (size_t)forest_header(f)->groups * sizeof(*out));
    struct pl_err err;

    assert(out && forest_header(f)->outputs <= forest_header(f)->groups);
    assert(forest_predict(f, &rows, out, &err) == PL_OK);
    assert(forest_predict(f, &sparse, out, &err) == PL_OK);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_err err = { 0 };
    struct forest *f;
    void *bytes;

    assert(posix_memalign(&bytes, FOREST_ALIGNMENT, size ? size : 1) == 0);
    if (size > 0)
        memcpy(bytes, data, size);
    if (size >= sizeof(struct forest_header))
        make_plausible(bytes, size);
    if (forest_view(&f, bytes, size, &err) == PL_OK) {
        predict(f);
        forest_close(f);
    } else {
        assert(err.code == PL_DATA_LOSS && err.message[0]);
    }
    free(bytes);
    return 0;
}
