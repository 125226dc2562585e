/* ordinal - numbers as integers that sort alike. */
#ifndef FOREST_ORDINAL_H
#define FOREST_ORDINAL_H

#include "forest/layout.h"

#include <stdint.h>
#include <string.h>

/* For numbers that are not NaN: a < b exactly when ordinal(a) < ordinal(b), and -0 is 0. The smallest, of -infinity, is
 * 0x007fffff; the largest, of infinity, 0xff800000: neither FOREST_LEFT nor FOREST_RIGHT is any number's. */
static inline uint32_t forest_ordinal(float value)
{
    uint32_t bits;

    value += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof(bits));
    return bits ^ (bits >> 31 ? UINT32_MAX : UINT32_C(1) << 31);
}

/* Categories are what is before the point; what cannot be one is as one that no set holds (XGBoost's Decision()). */
static inline uint32_t forest_category(float value)
{
    return value < 0 || value >= (float)FOREST_CATEGORIES ? FOREST_LEFT_CATEGORY : (uint32_t)value + 1;
}

#endif
