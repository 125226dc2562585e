#include "frame/frame.h"

#include <endian.h>
#include <string.h>

void frame_encode(const struct frame_header *h, uint8_t out[FRAME_HEADER_SIZE])
{
    uint32_t length = htole32(h->length);
    uint64_t id = htole64(h->id);

    memset(out, 0, FRAME_HEADER_SIZE);
    memcpy(out, &length, sizeof(length));
    out[4] = (uint8_t)h->kind;
    out[5] = FRAME_VERSION;
    out[6] = h->printed;
    memcpy(out + 8, &id, sizeof(id));
}

static bool is_answer(uint8_t kind)
{
    return kind == FRAME_RESULT || kind == FRAME_ERROR;
}

bool frame_decode(const uint8_t in[FRAME_HEADER_SIZE], struct frame_header *out)
{
    uint32_t length;
    uint64_t id;

    memcpy(&length, in, sizeof(length));
    memcpy(&id, in + 8, sizeof(id));
    length = le32toh(length);
    if (in[4] < FRAME_LOAD || in[4] > FRAME_DETACHED || in[5] != FRAME_VERSION || in[6] > is_answer(in[4]) ||
        in[7] != 0 || length > FRAME_MAX_PAYLOAD)
        return false;
    *out = (struct frame_header){
        .length = length, .kind = (enum frame_kind)in[4], .id = le64toh(id), .printed = in[6] != 0
    };
    return true;
}
