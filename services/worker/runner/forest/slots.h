/* slots - rows as walks want them; see layout.h. */
#ifndef FOREST_SLOTS_H
#define FOREST_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct forest_rows;
struct forest_view;

/* Fills 'slots' (header->slots of them) from row 'row'. */
void forest_slots_fill(const struct forest_view *v, const struct forest_rows *rows, size_t row, uint32_t *slots);

#endif
