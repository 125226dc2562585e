/* kernel - the walks, once for each kind of CPU. Each kernel_*.c is kernel_body.h compiled with other options.
 *
 * Eight walks run side by side, eight trees of one row or eight rows of one tree: one alone would wait for memory at
 * every step, eight keep the CPU busy meanwhile. They are written as eight variables, not as vectors: AVX2 gathers were
 * measured to be slower than plain loads (by half on Zen 5, and where gathers are slowed by microcode by far more). */
#ifndef FOREST_KERNEL_H
#define FOREST_KERNEL_H

#include "forest/layout.h"

#include <stdbool.h>
#include <stddef.h>

#define FOREST_LANES 8u

/* What a walk looks at; the caller's view in a few registers. */
struct forest_ground {
    const struct forest_node *nodes;
    const uint32_t *sets;
    uint32_t slot_bits, first_set_slot;
};

struct forest_kernel {
    const char *name;
    bool (*runs)(void); /* on this CPU */
    /* Adds the leaves of trees[0..n) for one row's slots to '*sum', in order. */
    void (*row)(const struct forest_ground *g, const struct forest_tree *trees, size_t n, const uint32_t *slots,
                float *sum);
    /* The same for 'rows' rows (a multiple of FOREST_LANES): row i's slots are at slots + i * stride, its sum at
     * sums[i * sum_stride]. */
    void (*block)(const struct forest_ground *g, const struct forest_tree *trees, size_t n, const uint32_t *slots,
                  size_t stride, size_t rows, float *sums, size_t sum_stride);
};

/* Best first; the last one runs everywhere. */
extern const struct forest_kernel *const forest_kernels[];
extern const size_t forest_kernel_count;

const struct forest_kernel *forest_kernel_best(void);
/* NULL: none of that name runs here. */
const struct forest_kernel *forest_kernel_named(const char *name);

#endif
