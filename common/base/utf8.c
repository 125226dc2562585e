#include "utf8.h"

#include <stdint.h>

/* RFC 3629, section 4: how long a character is, and between which bounds its second byte lies; the rest are 80..BF. */
static const struct {
    uint8_t first, last, length, second_min, second_max;
} leads[] = {
    { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf }, { 0xe1, 0xec, 3, 0x80, 0xbf },
    { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
    { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

size_t utf8_step(const char *bytes, size_t n)
{
    const uint8_t *s = (const uint8_t *)bytes;
    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
        if (s[0] < leads[i].first || s[0] > leads[i].last)
            continue;
        if (n < leads[i].length || s[1] < leads[i].second_min || s[1] > leads[i].second_max)
            return 0;
        for (size_t k = 2; k < leads[i].length; k++)
            if (s[k] < 0x80 || s[k] > 0xbf)
                return 0;
        return leads[i].length;
    }
    return 0;
}
