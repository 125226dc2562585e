#include "forest/checksum.h"

#include <string.h>

#define LANES 4

/* Odd, with its bits well spread: 2^64 divided by the golden ratio. */
static const uint64_t multiplier = 0x9e3779b97f4a7c15u;

/* The rotation brings the high bits down again, where the multiplication spreads them anew: without it, changes of the
 * top bits of two words could take each other back. */
static uint64_t take(uint64_t lane, uint64_t word)
{
    lane ^= word;
    return (lane << 29 | lane >> 35) * multiplier;
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * multiplier;
    return h ^ h >> 29;
}

uint64_t forest_checksum(const void *bytes, size_t n)
{
    uint64_t lanes[LANES] = { 1, 2, 3, 4 }, words[LANES], sum = n;
    const unsigned char *at = bytes;

    for (; n >= sizeof(words); at += sizeof(words), n -= sizeof(words)) {
        memcpy(words, at, sizeof(words));
        for (int i = 0; i < LANES; i++)
            lanes[i] = take(lanes[i], words[i]);
    }
    memset(words, 0, sizeof(words));
    memcpy(words, at, n);
    for (int i = 0; i < LANES; i++)
        sum = mix(sum ^ mix(take(lanes[i], words[i])));
    return sum;
}
