#include "forest/forest.h"

#include "base/mem.h"
#include "forest/check.h"
#include "kernel.h"
#include "slots.h"
#include "transform.h"
#include "forest/view.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Slots of so many rows are made at once, so that they and the tree that walks them stay in the first-level cache; more
 * rows would only push each other out. */
#define BLOCK_SLOTS 8192u /* 32 KiB */
#define BLOCK_ROWS  256u

struct forest {
    struct forest_view view;
    struct forest_ground ground;
    const struct forest_kernel *kernel;
    void *map; /* NULL: the bytes are the caller's */
    size_t map_bytes;
    uint32_t *slots;
    size_t slot_rows, slot_cap; /* rows that there is room for now, and at most */
    float *margins;             /* of objectives whose answer is shorter than its margins */
    size_t margin_cap;
};

static size_t block_rows(uint32_t slots)
{
    size_t rows = BLOCK_SLOTS / slots / FOREST_LANES * FOREST_LANES;

    if (rows > BLOCK_ROWS)
        return BLOCK_ROWS;
    return rows ? rows : FOREST_LANES;
}

enum pl_code forest_view(struct forest **out, const void *bytes, size_t n, struct pl_err *err)
{
    struct forest_view view;
    struct forest *f;

    assert((uintptr_t)bytes % FOREST_ALIGNMENT == 0);
    if (forest_check(bytes, n, &view, err) != PL_OK)
        return err->code;
    f = PL_NEW(struct forest);
    f->view = view;
    f->ground = (struct forest_ground){ .nodes = view.nodes,
                                        .sets = view.sets,
                                        .slot_bits = view.header->slot_bits,
                                        .first_set_slot = view.header->first_set_slot };
    f->kernel = forest_kernel_best();
    f->slot_cap = block_rows(view.header->slots);
    *out = f;
    return PL_OK;
}

enum pl_code forest_open(struct forest **out, int fd, struct pl_err *err)
{
    struct stat st;
    void *map;

    if (fstat(fd, &st) != 0)
        return pl_fail(err, PL_DATA_LOSS, NULL, "cannot look at the compiled forest: %s", strerror(errno));
    if (st.st_size < (off_t)sizeof(struct forest_header) || (uint64_t)st.st_size > FOREST_MAX_BYTES)
        return pl_fail(err, PL_DATA_LOSS, NULL, "the compiled forest is damaged: no forest has %lld bytes",
                       (long long)st.st_size);
    /* All pages at once: the check reads every one of them, and one fault for each 64 KiB would cost more. */
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED)
        return pl_fail(err, PL_DATA_LOSS, NULL, "cannot map the compiled forest: %s", strerror(errno));
    if (forest_view(out, map, (size_t)st.st_size, err) != PL_OK) {
        (void)munmap(map, (size_t)st.st_size);
        return err->code;
    }
    (*out)->map = map;
    (*out)->map_bytes = (size_t)st.st_size;
    return PL_OK;
}

void forest_close(struct forest *f)
{
    if (!f)
        return;
    if (f->map)
        (void)munmap(f->map, f->map_bytes);
    free(f->slots);
    free(f->margins);
    free(f);
}

const struct forest_header *forest_header(const struct forest *f)
{
    return f->view.header;
}

const char *forest_kernel_name(void)
{
    return forest_kernel_best()->name;
}

bool forest_use_kernel(struct forest *f, const char *name)
{
    const struct forest_kernel *kernel = forest_kernel_named(name);

    if (kernel)
        f->kernel = kernel;
    return kernel;
}

/* Room for the slots of 'rows' rows, or of as many as a block has. */
static enum pl_code slot_room(struct forest *f, size_t rows, struct pl_err *err)
{
    uint32_t *bigger;

    if (rows < FOREST_LANES)
        rows = 1;
    else if (rows > f->slot_cap)
        rows = f->slot_cap;
    if (f->slot_rows >= rows)
        return PL_OK;
    bigger = realloc(f->slots, rows * f->view.header->slots * sizeof(*bigger));
    if (!bigger)
        return pl_fail(err, PL_EXHAUSTED, NULL, "no memory for %zu rows of %u slots", rows, f->view.header->slots);
    f->slots = bigger;
    f->slot_rows = rows;
    return PL_OK;
}

static void start_sums(const struct forest_view *v, float *sums, size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        for (uint32_t g = 0; g < v->header->groups; g++)
            *sums++ = v->groups[g].base;
}

static void one_row(struct forest *f, const struct forest_rows *rows, size_t row, float *sums)
{
    const struct forest_view *v = &f->view;

    forest_slots_fill(v, rows, row, f->slots);
    for (uint32_t g = 0; g < v->header->groups; g++)
        f->kernel->row(&f->ground, v->trees + v->groups[g].first_tree, v->groups[g].trees, f->slots, &sums[g]);
}

static void one_block(struct forest *f, const struct forest_rows *rows, size_t first, size_t count, float *sums)
{
    const struct forest_view *v = &f->view;
    size_t slots = v->header->slots, groups = v->header->groups;

    for (size_t i = 0; i < count; i++)
        forest_slots_fill(v, rows, first + i, f->slots + i * slots);
    for (uint32_t g = 0; g < groups; g++)
        f->kernel->block(&f->ground, v->trees + v->groups[g].first_tree, v->groups[g].trees, f->slots, slots, count,
                         sums + g, groups);
}

enum pl_code forest_margins(struct forest *f, const struct forest_rows *rows, float *out, struct pl_err *err)
{
    size_t groups = f->view.header->groups, row = 0;

    if (slot_room(f, rows->count, err) != PL_OK)
        return err->code;
    start_sums(&f->view, out, rows->count);
    while (rows->count - row >= FOREST_LANES) {
        size_t left = (rows->count - row) / FOREST_LANES * FOREST_LANES,
               count = left < f->slot_cap ? left : f->slot_cap;

        one_block(f, rows, row, count, out + row * groups);
        row += count;
    }
    for (; row < rows->count; row++)
        one_row(f, rows, row, out + row * groups);
    return PL_OK;
}

enum pl_code forest_predict(struct forest *f, const struct forest_rows *rows, float *out, struct pl_err *err)
{
    const struct forest_header *h = f->view.header;
    size_t cells = rows->count * h->groups;
    float *margins = out;

    if (h->outputs < h->groups && cells > f->margin_cap) {
        float *bigger = realloc(f->margins, cells * sizeof(*bigger));

        if (!bigger)
            return pl_fail(err, PL_EXHAUSTED, NULL, "no memory for %zu margins", cells);
        f->margins = bigger;
        f->margin_cap = cells;
    }
    if (h->outputs < h->groups)
        margins = f->margins;
    if (forest_margins(f, rows, margins, err) != PL_OK)
        return err->code;
    forest_transform((enum forest_transform)h->transform, margins, rows->count, h->groups);
    if (margins != out)
        memcpy(out, margins, rows->count * h->outputs * sizeof(*out));
    return PL_OK;
}
