#include "forest/smallest.h"

#include "forest/checksum.h"
#include "forest/layout.h"
#include "forest/sections.h"

#include <assert.h>
#include <string.h>

size_t forest_smallest(void *room)
{
    struct forest_header h = { .version = FOREST_VERSION,
                               .byte_order = FOREST_BYTE_ORDER,
                               .features = 1,
                               .slots = 1,
                               .first_set_slot = 1,
                               .slot_bits = 1,
                               .groups = 1,
                               .trees = 1,
                               .nodes = 1,
                               .transform = FOREST_IDENTITY,
                               .outputs = 1,
                               .leaves = 1,
                               .objective = "reg:squarederror" };
    const struct forest_group group = { .trees = 1 };
    const struct forest_tree tree = { .nodes = 1 };
    const uint32_t absent = FOREST_RIGHT;
    size_t summed = offsetof(struct forest_header, checksum) + sizeof(h.checksum);
    struct forest_sections at;
    char *base = room;

    (void)forest_sections(&h, &at);
    assert(at.end <= FOREST_SMALLEST_ROOM);
    memset(room, 0, FOREST_SMALLEST_ROOM); /* its node is zero: slot 0, distance 0, the value 0 */
    memcpy(h.magic, FOREST_MAGIC, sizeof(h.magic));
    h.file_bytes = at.end;
    memcpy(base, &h, sizeof(h));
    memcpy(base + at.groups, &group, sizeof(group));
    memcpy(base + at.trees, &tree, sizeof(tree));
    memcpy(base + at.absent, &absent, sizeof(absent));
    h.checksum = forest_checksum(base + summed, at.end - summed);
    memcpy(base, &h, sizeof(h));
    return at.end;
}
