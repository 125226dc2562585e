#include "probe.h"

#include "base/mem.h"
#include "compiler/compile.h"
#include "forest/check.h"
#include "forest/ordinal.h"
#include "forest/view.h"
#include "probe_value.h"

#include <math.h>
#include <stdlib.h>

/* Of values that a row's way does not ask for, one in so many is missing. */
#define MISSING_OTHERS 16u
#define MAX_TRIES      4096u

/* What rows have shown of a node. */
enum { REACHED = 1, EXACT = 2, BELOW = 4, MISSING = 8 };

/* Leaves first; then what else there is to see of a node. */
static const struct {
    uint8_t shows;
    unsigned value; /* probe_value()'s number, of the node at the end of the way */
} aims[] = { { REACHED, 0 }, { EXACT, 0 }, { BELOW, 2 }, { MISSING, PROBE_VALUES - 1 } };

struct probe {
    struct forest_view view;
    uint64_t random;
    uint32_t *slot_starts,
        *slot_nodes;  /* which nodes ask for each slot: those of slot i at [starts[i], starts[i + 1]) */
    uint32_t *slots;  /* of the last row */
    uint8_t *seen;    /* of each node */
    uint32_t reached; /* leaves */
    size_t aim;
    uint32_t tree, place; /* the next to be tried: a node of the tree */
    uint32_t *parents;    /* of the tree's nodes */
    uint32_t *way;        /* nodes from the place's parent up to the root ... */
    bool *way_right;      /* ... and where the row must go there */
    uint32_t way_length;
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
    p->slots = calloc(h->slots, sizeof(*p->slots));
    p->seen = calloc(h->nodes + 1, 1);
    p->parents = calloc(h->nodes + 1, sizeof(*p->parents));
    p->way = calloc(FOREST_MAX_DEPTH, sizeof(*p->way));
    p->way_right = calloc(FOREST_MAX_DEPTH, sizeof(*p->way_right));
    p->set_by = calloc(h->features, sizeof(*p->set_by));
    if (p->slot_starts && p->slot_nodes && p->slots && p->seen && p->parents && p->way && p->way_right && p->set_by)
        return PL_OK;
    return pl_fail(err, PL_EXHAUSTED, NULL, "no memory to prove a forest of %u nodes", h->nodes);
}

enum pl_code probe_new(struct probe **out, const struct forest_image *image, struct pl_err *err)
{
    pl_cleanup(probe_free_p) struct probe *p = PL_NEW(struct probe);

    p->random = 1;
    if (forest_check(image->bytes, image->n, &p->view, err) != PL_OK || allocate(p, err) != PL_OK)
        return err->code;
    sort_nodes(p);
    *out = pl_take(p);
    return PL_OK;
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    free(p->slot_starts);
    free(p->slot_nodes);
    free(p->slots);
    free(p->seen);
    free(p->parents);
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
    return p->reached;
}

/* ---- the next place ---- */

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

    for (uint32_t i = 0; i < t->nodes; i++) {
        uint32_t right = is_leaf(p, t->first_node + i) ? 0 : right_child(p, t->first_node + i) - t->first_node;

        if (right == 0)
            continue;
        p->parents[right] = i;
        p->parents[right - 1] = i;
    }
}

/* A place of the current aim where it has not been seen. */
static bool next_place(struct probe *p)
{
    for (; p->tree < p->view.header->trees; p->tree++, p->place = 0) {
        const struct forest_tree *t = &p->view.trees[p->tree];

        if (p->place == 0)
            enter_tree(p);
        for (; p->place < t->nodes; p->place++) {
            uint32_t node = t->first_node + p->place;

            if (is_leaf(p, node) == (aims[p->aim].shows == REACHED) && !(p->seen[node] & aims[p->aim].shows))
                return true;
        }
    }
    return false;
}

static bool next_aim(struct probe *p)
{
    for (; p->aim < PL_COUNT(aims); p->aim++, p->tree = p->place = 0)
        if (next_place(p))
            return true;
    return false;
}

static void find_way(struct probe *p)
{
    const struct forest_tree *t = &p->view.trees[p->tree];
    uint32_t at = p->place;

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
}

/* At the end of the way: the value that the aim is about, unless it would lead the row off its way. */
static void fill_place(struct probe *p, float *row)
{
    uint32_t node = p->view.trees[p->tree].first_node + p->place;
    float value;

    if (is_leaf(p, node))
        return;
    value = probe_value(&p->view, &p->view.nodes[node], aims[p->aim].value);
    if (fits(p, feature_of(p, node), value))
        row[feature_of(p, node)] = value;
}

/* ---- what it shows ---- */

static void fill_slots(struct probe *p, const float *row)
{
    const struct forest_view *v = &p->view;

    p->slots[0] = v->absent[0];
    for (uint32_t i = 1; i < v->header->slots; i++) {
        float value = row[v->features[i]];

        if (value != value)
            p->slots[i] = v->absent[i];
        else
            p->slots[i] = i < v->header->first_set_slot ? forest_ordinal(value) : forest_category(value);
    }
}

/* Where a row goes at a node, and what that shows of it. A node of categories is shown by a value that its set holds,
 * and by one that it does not. */
static bool look(const struct probe *p, const struct forest_node *node, float value, uint8_t *seen)
{
    uint32_t slot = probe_slot(&p->view, node), held = p->slots[slot], threshold = node->threshold;
    bool right;

    if (slot >= p->view.header->first_set_slot) {
        right = probe_goes_right(&p->view, node, value);
        *seen |= value != value ? MISSING : right ? EXACT : BELOW;
        return right;
    }
    right = held >= threshold;
    *seen |= value != value ? MISSING : held == threshold ? EXACT : held == probe_below(threshold) ? BELOW : 0;
    return right;
}

static void note_tree(struct probe *p, const struct forest_tree *t, const float *row)
{
    uint32_t at = t->first_node;

    while (!is_leaf(p, at)) {
        uint32_t right = right_child(p, at);

        at = right - !look(p, &p->view.nodes[at], row[feature_of(p, at)], &p->seen[at]);
    }
    p->reached += !(p->seen[at] & REACHED);
    p->seen[at] |= REACHED;
}

bool probe_next(struct probe *p, float *row)
{
    if (!next_aim(p))
        return false;
    p->row_number++;
    find_way(p);
    fill_others(p, row);
    fill_way(p, row);
    fill_place(p, row);
    fill_slots(p, row);
    for (uint32_t i = 0; i < p->view.header->trees; i++)
        note_tree(p, &p->view.trees[i], row);
    p->place++; /* tried, also when it is out of reach */
    return true;
}
