#include "probe.h"

#include "base/mem.h"
#include "compiler/compile.h"
#include "forest/check.h"
#include "forest/forest.h"
#include "forest/view.h"
#include "probe_value.h"

#include <math.h>
#include <stdlib.h>

/* One in so many rows leaves out a value of its way; of other values, one in so many is missing. */
#define MISSING_ROWS   4u
#define MISSING_OTHERS 16u
#define MAX_TRIES      4096u

struct probe {
    struct forest_view view;
    struct forest *forest;
    uint64_t random;
    uint32_t *slot_starts,
        *slot_nodes;  /* which nodes ask for each slot: those of slot i at [starts[i], starts[i + 1]) */
    uint8_t *reached; /* of each node */
    uint32_t reached_count;
    uint32_t tree, leaf; /* the next to be tried: a node of the tree */
    uint32_t *parents;   /* of the tree's nodes */
    uint32_t *ends;      /* of the last row, for each tree */
    uint32_t *way;       /* nodes from the leaf's parent up to the root ... */
    bool *way_right;     /* ... and where the row must go there */
    uint32_t way_length;
    bool astray;      /* a value of the last row's way was made missing, so that it may have ended elsewhere */
    uint32_t *set_by; /* of each feature: the number of the row that has set it last */
    uint32_t row_number;
};

static uint32_t draw(struct probe *p, uint32_t below)
{
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((p->random >> 33) % below);
}

/* ---- making ---- */

/* Sorts the nodes by slot, by counting. Slot 0, the leaves', comes first and is not looked at. */
static void sort_nodes(struct probe *p)
{
    const struct forest_view *v = &p->view;
    uint32_t slots = v->header->slots;

    for (uint32_t i = 0; i < v->header->nodes; i++)
        p->slot_starts[probe_slot(v, &v->nodes[i]) + 1]++;
    for (uint32_t i = 0; i < slots; i++)
        p->slot_starts[i + 1] += p->slot_starts[i];
    for (uint32_t i = 0; i < v->header->nodes; i++)
        p->slot_nodes[p->slot_starts[probe_slot(v, &v->nodes[i])]++] = i;
    for (uint32_t i = slots; i > 0; i--) /* each start has moved to its end: to the next one's start */
        p->slot_starts[i] = p->slot_starts[i - 1];
    p->slot_starts[0] = 0;
}

static enum pl_code allocate(struct probe *p, struct pl_err *err)
{
    const struct forest_header *h = p->view.header;

    p->slot_starts = calloc(h->slots + 2, sizeof(*p->slot_starts));
    p->slot_nodes = calloc(h->nodes + 1, sizeof(*p->slot_nodes));
    p->reached = calloc(h->nodes + 1, 1);
    p->parents = calloc(h->nodes + 1, sizeof(*p->parents));
    p->ends = calloc(h->trees + 1, sizeof(*p->ends));
    p->way = calloc(FOREST_MAX_DEPTH, sizeof(*p->way));
    p->way_right = calloc(FOREST_MAX_DEPTH, sizeof(*p->way_right));
    p->set_by = calloc(h->features, sizeof(*p->set_by));
    if (p->slot_starts && p->slot_nodes && p->reached && p->parents && p->ends && p->way && p->way_right && p->set_by)
        return PL_OK;
    return pl_fail(err, PL_EXHAUSTED, NULL, "no memory to prove a forest of %u nodes", h->nodes);
}

enum pl_code probe_new(struct probe **out, const struct forest_image *image, struct pl_err *err)
{
    pl_cleanup(probe_free_p) struct probe *p = PL_NEW(struct probe);

    p->random = 1;
    if (forest_check(image->bytes, image->n, &p->view, err) != PL_OK ||
        forest_view(&p->forest, image->bytes, image->n, err) != PL_OK || allocate(p, err) != PL_OK)
        return err->code;
    sort_nodes(p);
    *out = pl_take(p);
    return PL_OK;
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    forest_close(p->forest);
    free(p->slot_starts);
    free(p->slot_nodes);
    free(p->reached);
    free(p->parents);
    free(p->ends);
    free(p->way);
    free(p->way_right);
    free(p->set_by);
    free(p);
}

void probe_free_p(struct probe **p)
{
    probe_free(*p);
}

uint32_t probe_reached(const struct probe *p)
{
    return p->reached_count;
}

/* ---- the next leaf ---- */

static bool is_leaf(const struct probe *p, uint32_t node)
{
    return probe_slot(&p->view, &p->view.nodes[node]) == 0;
}

static uint32_t right_child(const struct probe *p, uint32_t node)
{
    return node + (p->view.nodes[node].next >> p->view.header->slot_bits);
}

static void enter_tree(struct probe *p)
{
    const struct forest_tree *t = &p->view.trees[p->tree];

    p->leaf = 0;
    for (uint32_t i = 0; i < t->nodes; i++) {
        uint32_t right = is_leaf(p, t->first_node + i) ? 0 : right_child(p, t->first_node + i) - t->first_node;

        if (right == 0)
            continue;
        p->parents[right] = i;
        p->parents[right - 1] = i;
    }
}

/* Moves on to a leaf that has not been reached; false at the end. */
static bool next_leaf(struct probe *p)
{
    for (; p->tree < p->view.header->trees; p->tree++, p->leaf = 0) {
        const struct forest_tree *t = &p->view.trees[p->tree];

        if (p->leaf == 0)
            enter_tree(p);
        for (; p->leaf < t->nodes; p->leaf++) {
            uint32_t node = t->first_node + p->leaf;
            if (is_leaf(p, node) && !p->reached[node])
                return true;
        }
    }
    return false;
}

static void find_way(struct probe *p)
{
    const struct forest_tree *t = &p->view.trees[p->tree];
    uint32_t at = p->leaf;

    for (p->way_length = 0; at > 0 && p->way_length < FOREST_MAX_DEPTH; p->way_length++) {
        uint32_t parent = p->parents[at];

        p->way[p->way_length] = t->first_node + parent;
        p->way_right[p->way_length] = at == right_child(p, t->first_node + parent) - t->first_node;
        at = parent;
    }
}

/* ---- its row ---- */

static uint32_t feature_of(const struct probe *p, uint32_t node)
{
    return p->view.features[probe_slot(&p->view, &p->view.nodes[node])];
}

/* Does 'value' go the right way at every node of the way that asks for 'feature'? */
static bool fits(const struct probe *p, uint32_t feature, float value)
{
    for (uint32_t i = 0; i < p->way_length; i++) {
        uint32_t node = p->way[i];

        if (feature_of(p, node) == feature &&
            probe_goes_right(&p->view, &p->view.nodes[node], value) != p->way_right[i])
            return false;
    }
    return true;
}

/* The first category that fits; -1: none does. */
static float fitting_category(const struct probe *p, uint32_t at)
{
    const struct forest_node *node = &p->view.nodes[p->way[at]];
    uint32_t bits = probe_slot(&p->view, node) < p->view.header->first_set_slot ? 0 : p->view.sets[node->threshold];

    for (uint32_t c = 0; c + 1 < bits && c < MAX_TRIES; c++)
        if (fits(p, feature_of(p, p->way[at]), (float)c))
            return (float)c;
    return -1;
}

/* A value that fits, from the nodes of the way that ask for the same feature as its node 'at', beginning anywhere. When
 * none does, the leaf cannot be reached, and any will do. */
static float fitting(struct probe *p, uint32_t at)
{
    uint32_t feature = feature_of(p, p->way[at]), first = draw(p, PROBE_VALUES);

    for (uint32_t i = at; i < p->way_length; i++) {
        if (feature_of(p, p->way[i]) != feature)
            continue;
        for (uint32_t k = 0; k < PROBE_VALUES; k++) {
            float value = probe_value(&p->view, &p->view.nodes[p->way[i]], (first + k) % PROBE_VALUES);

            if (fits(p, feature, value))
                return value;
        }
    }
    return fitting_category(p, at);
}

static void fill_others(struct probe *p, float *row)
{
    const struct forest_view *v = &p->view;

    for (uint32_t i = 0; i < v->header->features; i++)
        row[i] = NAN;
    for (uint32_t slot = 1; slot < v->header->slots; slot++) {
        uint32_t first = p->slot_starts[slot], count = p->slot_starts[slot + 1] - first;

        if (count > 0 && draw(p, MISSING_OTHERS) > 0)
            row[v->features[slot]] =
                probe_value(v, &v->nodes[p->slot_nodes[first + draw(p, count)]], draw(p, PROBE_VALUES - 1));
    }
}

static void fill_way(struct probe *p, float *row)
{
    for (uint32_t i = 0; i < p->way_length; i++) {
        uint32_t feature = feature_of(p, p->way[i]);

        if (p->set_by[feature] == p->row_number)
            continue;
        p->set_by[feature] = p->row_number;
        row[feature] = fitting(p, i);
    }
    p->astray = !p->astray && p->way_length > 0 && draw(p, MISSING_ROWS) == 0;
    if (p->astray)
        row[feature_of(p, p->way[draw(p, p->way_length)])] = NAN;
}

static void note_ends(struct probe *p, const float *row)
{
    struct pl_err err;

    if (forest_leaves(p->forest, row, p->view.header->features, p->ends, &err) != PL_OK)
        return;
    for (uint32_t i = 0; i < p->view.header->trees; i++) {
        p->reached_count += !p->reached[p->ends[i]];
        p->reached[p->ends[i]] = 1;
    }
}

bool probe_next(struct probe *p, float *row)
{
    if (!next_leaf(p))
        return false;
    p->row_number++;
    find_way(p);
    fill_others(p, row);
    fill_way(p, row);
    note_ends(p, row);
    /* A row that was led astray is followed by one that is not; else the leaf has been tried (it may be out of reach).
     */
    p->leaf += !p->astray;
    return true;
}
