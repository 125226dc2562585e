#include "gunzip.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#define FIRST    (64 * 1024)
#define GZIP_BIT 16 /* zlib.h: only gzip's own frame */

static void end(z_stream *z)
{
    (void)inflateEnd(z);
}

/* Twice the room, as long as the limit allows; false: it does not. */
static bool grow(struct arena *a, size_t limit, char **out, size_t *room, size_t used)
{
    if (*room > limit)
        return false;
    size_t more = *room * 2 > limit + 1 ? limit + 1 : *room * 2;
    char *larger = arena_get(a, more);
    memcpy(larger, *out, used);
    *out = larger;
    *room = more;
    return true;
}

enum gunzip_outcome gunzip(const void *bytes, size_t n, size_t limit, struct arena *a, const char **out, size_t *out_n)
{
    size_t room = limit + 1 < FIRST ? limit + 1 : FIRST, used = 0;
    char *text = arena_get(a, room);
    pl_cleanup(end) z_stream z = { .next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n };
    if (n > UINT32_MAX / 2 || inflateInit2(&z, MAX_WBITS + GZIP_BIT) != Z_OK)
        return GUNZIP_BROKEN;
    for (int state = Z_OK; state != Z_STREAM_END;) {
        if (used == room && !grow(a, limit, &text, &room, used))
            return GUNZIP_TOO_LARGE;
        z.next_out = (Bytef *)text + used;
        z.avail_out = (uInt)(room - used);
        state = inflate(&z, Z_NO_FLUSH);
        used = room - z.avail_out;
        if (state != Z_OK && state != Z_STREAM_END && !(state == Z_BUF_ERROR && used == room))
            return GUNZIP_BROKEN;
    }
    if (used > limit)
        return GUNZIP_TOO_LARGE;
    if (z.avail_in > 0)
        return GUNZIP_BROKEN; /* something behind it */
    *out = text;
    *out_n = used;
    return GUNZIP_OK;
}
