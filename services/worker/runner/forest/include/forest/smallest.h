/* smallest - the smallest forest that there can be: one feature, one tree, one leaf. */
#ifndef FOREST_SMALLEST_H
#define FOREST_SMALLEST_H

#include <stddef.h>

#define FOREST_SMALLEST_ROOM 1024

/* Writes it into 'room' (FOREST_SMALLEST_ROOM bytes, aligned to FOREST_ALIGNMENT) and returns its length. It predicts 0
 * for whatever comes. */
size_t forest_smallest(void *room);

#endif
