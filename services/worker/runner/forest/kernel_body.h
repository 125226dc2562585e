/* kernel_body - the walks themselves; see kernel.h. A file that includes this defines KERNEL, the variable to make,
 * with KERNEL_NAME and KERNEL_RUNS. */
#include "kernel.h"

#include <string.h>

#define EACH_LANE(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* Up to here all lanes take all steps. Deeper trees are uneven, so that most walks end long before the deepest one:
 * there it pays to look, now and then, whether all have arrived. */
#define STEADY_DEPTH 10u
#define STRIDE       4u

/* Is bit 'value' of the set on? Sets are short, what is past their end is off. */
static inline uint32_t in_set(const uint32_t *set, uint32_t value)
{
    return value < set[0] ? set[1 + value / 32] >> (value % 32) & 1 : 0;
}

static inline __attribute__((always_inline)) uint32_t step(const struct forest_ground *g, const uint32_t *slots,
                                                           uint32_t at, bool sets)
{
    uint32_t next = g->nodes[at].next, threshold = g->nodes[at].threshold;
    uint32_t slot = next & ((UINT32_C(1) << g->slot_bits) - 1), right = at + (next >> g->slot_bits);

    if (sets && slot >= g->first_set_slot)
        return right - 1 + in_set(g->sets + threshold, slots[slot]);
    return right - (slots[slot] < threshold);
}

static inline float leaf(const struct forest_ground *g, uint32_t at)
{
    float value;

    memcpy(&value, &g->nodes[at].threshold, sizeof(value));
    return value;
}

/* 'lane_slots' are the same row eight times, or eight rows. */
static inline __attribute__((always_inline)) void walk(const struct forest_ground *ground,
                                                       const uint32_t *const lane_slots[FOREST_LANES],
                                                       uint32_t at[FOREST_LANES], uint32_t depth, bool sets)
{
    const struct forest_ground g = *ground;

#define STEP(i) at##i = step(&g, lane_slots[i], at##i, sets);
#define LOAD(i) uint32_t at##i = at[i];
#define SAVE(i) at[i] = at##i;
    EACH_LANE(LOAD)
    for (; depth > STEADY_DEPTH; depth -= STRIDE) {
        uint32_t moved = 0;
        for (uint32_t s = 1; s < STRIDE; s++) {
            EACH_LANE(STEP)
        }
#define LAST(i)                                                                                                        \
    {                                                                                                                  \
        uint32_t was = at##i;                                                                                          \
        STEP(i)                                                                                                        \
        moved |= was ^ at##i;                                                                                          \
    }
        EACH_LANE(LAST)
        if (moved == 0)
            depth = STRIDE;
    }
    for (; depth > 0; depth--) {
        EACH_LANE(STEP)
    }
    EACH_LANE(SAVE)
#undef STEP
#undef LOAD
#undef SAVE
#undef LAST
}

static inline __attribute__((always_inline)) void row_part(const struct forest_ground *g,
                                                           const struct forest_tree *trees, size_t n,
                                                           const uint32_t *slots, float *sum, bool sets)
{
    const uint32_t *const lane_slots[FOREST_LANES] = { slots, slots, slots, slots, slots, slots, slots, slots };
    uint32_t at[FOREST_LANES], depth = 0;

    for (size_t i = 0; i < FOREST_LANES; i++) {
        const struct forest_tree *t = &trees[i < n ? i : n - 1];
        at[i] = t->first_node;
        depth = t->depth > depth ? t->depth : depth;
    }
    walk(g, lane_slots, at, depth, sets);
    for (size_t i = 0; i < n; i++)
        *sum += leaf(g, at[i]);
}

static void row(const struct forest_ground *g, const struct forest_tree *trees, size_t n, const uint32_t *slots,
                float *sum)
{
    float total = *sum;

    for (size_t first = 0; first < n; first += FOREST_LANES) {
        const struct forest_tree *part = trees + first;
        size_t left = n - first, count = left < FOREST_LANES ? left : FOREST_LANES;
        bool sets = false;

        for (size_t i = 0; i < count; i++)
            sets |= part[i].has_set;
        if (sets)
            row_part(g, part, count, slots, &total, true);
        else
            row_part(g, part, count, slots, &total, false);
    }
    *sum = total;
}

/* All rows start at the same node, so that the first step is made with one look at it. */
static inline __attribute__((always_inline)) void tree_part(const struct forest_ground *g, const struct forest_tree *t,
                                                            const uint32_t *slots, size_t stride, float *sums,
                                                            size_t sum_stride, bool sets)
{
    const uint32_t *lane_slots[FOREST_LANES];
    uint32_t at[FOREST_LANES];

    for (size_t i = 0; i < FOREST_LANES; i++) {
        lane_slots[i] = slots + i * stride;
        at[i] = step(g, lane_slots[i], t->first_node, sets);
    }
    walk(g, lane_slots, at, t->depth > 0 ? t->depth - 1u : 0, sets);
    for (size_t i = 0; i < FOREST_LANES; i++)
        sums[i * sum_stride] += leaf(g, at[i]);
}

/* A tree of one split, or of none: both leaves are known before the first row. Of boosted stumps walks would cost more
 * than the library's loop. */
static void stump(const struct forest_ground *g, const struct forest_tree *t, const uint32_t *slots, size_t stride,
                  size_t rows, float *sums, size_t sum_stride)
{
    struct forest_node root = g->nodes[t->first_node];
    uint32_t slot = root.next & ((UINT32_C(1) << g->slot_bits) - 1), distance = root.next >> g->slot_bits;
    uint32_t right = t->first_node + distance;
    float leaves[2] = { leaf(g, right), leaf(g, right - (distance > 0)) };

    for (size_t r = 0; r < rows; r++)
        sums[r * sum_stride] += leaves[slots[r * stride + slot] < root.threshold];
}

static void block(const struct forest_ground *g, const struct forest_tree *trees, size_t n, const uint32_t *slots,
                  size_t stride, size_t rows, float *sums, size_t sum_stride)
{
    for (const struct forest_tree *t = trees; t < trees + n; t++) {
        if (t->depth <= 1 && !t->has_set) {
            stump(g, t, slots, stride, rows, sums, sum_stride);
            continue;
        }
        for (size_t r = 0; r < rows; r += FOREST_LANES) {
            if (t->has_set)
                tree_part(g, t, slots + r * stride, stride, sums + r * sum_stride, sum_stride, true);
            else
                tree_part(g, t, slots + r * stride, stride, sums + r * sum_stride, sum_stride, false);
        }
    }
}

const struct forest_kernel KERNEL = { .name = KERNEL_NAME, .runs = KERNEL_RUNS, .row = row, .block = block };
