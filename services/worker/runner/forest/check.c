#include "forest/check.h"

#include "forest/checksum.h"
#include "forest/sections.h"
#include "forest/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static enum pl_code bad(struct pl_err *err, const char *what)
{
    return pl_fail_reason(err, PL_DATA_LOSS, "FOREST_DAMAGED", NULL, "the compiled forest is damaged: %s", what);
}

/* ---- the header ---- */

static enum pl_code check_identity(const struct forest_header *h, size_t n, struct pl_err *err)
{
    if (n < sizeof(*h))
        return bad(err, "it is shorter than its header");
    if (memcmp(h->magic, FOREST_MAGIC, sizeof(h->magic)) != 0)
        return bad(err, "it does not start as one");
    if (h->byte_order != FOREST_BYTE_ORDER || h->version != FOREST_VERSION)
        return pl_fail_reason(err, PL_DATA_LOSS, "FOREST_VERSION", NULL,
                              "the compiled forest has format %u, but this program reads %u", h->version,
                              FOREST_VERSION);
    if (h->file_bytes != n)
        return bad(err, "it is not as long as it says");
    return PL_OK;
}

static bool terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size);
}

static bool header_sane(const struct forest_header *h)
{
    bool one_value = h->transform == FOREST_LARGEST;

    return h->features > 0 && h->features <= FOREST_MAX_FEATURES && h->groups > 0 && h->groups <= FOREST_MAX_GROUPS &&
           h->slots > 0 && h->first_set_slot > 0 && h->first_set_slot <= h->slots && h->slot_bits > 0 &&
           h->slot_bits < 32 && h->slots <= UINT32_C(1) << h->slot_bits && h->transform < FOREST_TRANSFORMS &&
           h->outputs == (one_value ? 1 : h->groups) && terminated(h->objective, sizeof(h->objective)) &&
           terminated(h->runtime, sizeof(h->runtime)) && terminated(h->note, sizeof(h->note));
}

/* ---- the sections ---- */

/* Groups take all trees, and trees all nodes, in order and without a gap. */
static bool groups_sane(const struct forest_view *v)
{
    uint64_t next = 0;

    for (uint32_t i = 0; i < v->header->groups; i++) {
        if (v->groups[i].first_tree != next)
            return false;
        next += v->groups[i].trees;
    }
    return next == v->header->trees;
}

static bool slots_sane(const struct forest_view *v)
{
    if (v->absent[0] != FOREST_RIGHT)
        return false;
    for (uint32_t i = 1; i < v->header->slots; i++)
        if (v->features[i] >= v->header->features)
            return false;
    return true;
}

/* A step from node k of n goes to k + distance or to the one before, so both must lie in the tree: distance <= n - 1 -
 * k, and not the one before when the distance is 0, which slot 0 sees to. Without branches, so that it is vectorised.
 */
static bool numbers_sane(const struct forest_node *nodes, uint32_t n, uint32_t slot_bits, uint32_t slots)
{
    uint32_t mask = (UINT32_C(1) << slot_bits) - 1, wrong = 0;

    for (uint32_t k = 0; k < n; k++) {
        uint32_t slot = nodes[k].next & mask, distance = nodes[k].next >> slot_bits;

        wrong |= (uint32_t)(distance > n - 1 - k) | (uint32_t)(slot >= slots) |
                 ((uint32_t)(distance == 0) & (uint32_t)(slot != 0));
    }
    return wrong == 0;
}

/* Only a tree that says so has categorical nodes, and their sets lie inside the section. */
static bool sets_sane(const struct forest_view *v, const struct forest_tree *t)
{
    const struct forest_header *h = v->header;
    const struct forest_node *nodes = v->nodes + t->first_node;
    uint32_t mask = (UINT32_C(1) << h->slot_bits) - 1;

    for (uint32_t k = 0; k < t->nodes; k++) {
        uint32_t at = nodes[k].threshold;

        if ((nodes[k].next & mask) < h->first_set_slot)
            continue;
        if (!t->has_set || at >= h->set_words || v->sets[at] == 0 ||
            ((uint64_t)v->sets[at] + 31) / 32 >= h->set_words - at)
            return false;
    }
    return true;
}

static bool trees_sane(const struct forest_view *v)
{
    const struct forest_header *h = v->header;
    bool any_set = h->first_set_slot < h->slots;
    uint64_t next = 0;

    for (uint32_t i = 0; i < h->trees; i++) {
        const struct forest_tree *t = &v->trees[i];

        if (t->first_node != next || t->nodes == 0 || t->nodes > h->nodes - next || t->depth > FOREST_MAX_DEPTH ||
            t->has_set > 1)
            return false;
        if (!numbers_sane(v->nodes + t->first_node, t->nodes, h->slot_bits, h->slots) || (any_set && !sets_sane(v, t)))
            return false;
        next += t->nodes;
    }
    return next == h->nodes;
}

enum pl_code forest_check(const void *bytes, size_t n, struct forest_view *out, struct pl_err *err)
{
    const char *base = bytes;
    struct forest_view v = { .header = bytes };
    size_t summed = offsetof(struct forest_header, checksum) + sizeof(v.header->checksum);
    struct forest_sections at;

    if (check_identity(v.header, n, err) != PL_OK)
        return err->code;
    if (forest_checksum(base + summed, n - summed) != v.header->checksum)
        return bad(err, "its checksum is wrong");
    if (!forest_sections(v.header, &at) || at.end != n || !header_sane(v.header))
        return bad(err, "its header makes no sense");
    v.groups = (const void *)(base + at.groups);
    v.trees = (const void *)(base + at.trees);
    v.features = (const void *)(base + at.features);
    v.absent = (const void *)(base + at.absent);
    v.nodes = (const void *)(base + at.nodes);
    v.sets = (const void *)(base + at.sets);
    if (!groups_sane(&v) || !slots_sane(&v) || !trees_sane(&v))
        return bad(err, "an index in it leads out of it");
    *out = v;
    return PL_OK;
}
