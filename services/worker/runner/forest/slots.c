#include "slots.h"

#include "forest/forest.h"
#include "forest/ordinal.h"
#include "forest/view.h"

#include <string.h>

static void fill_dense(const struct forest_view *v, const float *row, size_t cols, uint32_t *slots)
{
    const struct forest_header *h = v->header;

    slots[0] = v->absent[0];
    for (uint32_t i = 1; i < h->slots; i++) {
        uint32_t column = v->features[i];
        float value;

        slots[i] = v->absent[i];
        if (column >= cols)
            continue;
        value = row[column];
        if (value == value)
            slots[i] = i < h->first_set_slot ? forest_ordinal(value) : forest_category(value);
    }
}

/* The first slot of [at, end) whose column is not below 'column', near 'at' first: columns mostly ascend. */
static uint32_t seek(const uint32_t *features, uint32_t at, uint32_t end, uint32_t column)
{
    uint32_t reach = 1;

    while (at < end && features[at] < column) {
        if (reach < end - at && features[at + reach] < column) {
            at += reach;
            reach *= 2;
        } else if (reach == 1) {
            at++;
        } else {
            reach = 1;
        }
    }
    return at;
}

struct cursor {
    uint32_t first, at, end; /* slots of one kind */
};

/* The slots of a kind that 'column' fills: [c->at, returned). */
static uint32_t find(const struct forest_view *v, struct cursor *c, uint32_t column)
{
    uint32_t last;

    if (c->at > c->first && v->features[c->at - 1] >= column)
        c->at = c->first; /* went back */
    c->at = seek(v->features, c->at, c->end, column);
    for (last = c->at; last < c->end && v->features[last] == column; last++)
        ;
    return last;
}

static void fill_sparse(const struct forest_view *v, const struct forest_rows *rows, size_t row, uint32_t *slots)
{
    const struct forest_header *h = v->header;
    struct cursor numbers = { 1, 1, h->first_set_slot }, sets = { h->first_set_slot, h->first_set_slot, h->slots };

    memcpy(slots, v->absent, h->slots * sizeof(*slots));
    for (uint64_t k = rows->starts[row]; k < rows->starts[row + 1]; k++) {
        float value = rows->values[k];
        uint32_t end;

        if (value != value)
            continue;
        end = find(v, &numbers, rows->columns[k]);
        for (uint32_t i = numbers.at; i < end; i++)
            slots[i] = forest_ordinal(value);
        end = find(v, &sets, rows->columns[k]);
        for (uint32_t i = sets.at; i < end; i++)
            slots[i] = forest_category(value);
    }
}

void forest_slots_fill(const struct forest_view *v, const struct forest_rows *rows, size_t row, uint32_t *slots)
{
    if (rows->starts)
        fill_sparse(v, rows, row, slots);
    else
        fill_dense(v, rows->values + row * rows->cols, rows->cols, slots);
}
