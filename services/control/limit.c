#include "limit.h"

void limits_init(struct limits *l)
{
    static const struct limits table = {
        .row = {
#define LIMIT(name, min, max, step, unit, source) [LIMIT_##name] = { #name, min, max, step, unit, source },
            LIMITS(LIMIT)
#undef LIMIT
        },
    };
    *l = table;
}
