/* shape_literals - how a table of shapes is written: the initializers that the files of shapes share. For those files
 * only. */
#ifndef GATEWAY_SHAPE_LITERALS_H
#define GATEWAY_SHAPE_LITERALS_H

#include "shape.h"

/* Text of so many characters; one of a list that ends with NULL. */
#define STRING(lo, hi)                                                                                                 \
    {                                                                                                                  \
        .type = SHAPE_STRING, .min = (lo), .max = (hi)                                                                 \
    }
#define ENUM(list)                                                                                                     \
    {                                                                                                                  \
        .type = SHAPE_STRING, .values = (list)                                                                         \
    }
/* So many elements of a shape; members, in struct shape_member's order. */
#define LIST(lo, hi, of)                                                                                               \
    {                                                                                                                  \
        .type = SHAPE_LIST, .min = (lo), .max = (hi), .element = &(of)                                                 \
    }
#define OBJECT(...)                                                                                                    \
    {                                                                                                                  \
        .type = SHAPE_OBJECT, .members = (const struct shape_member[])                                                 \
        {                                                                                                              \
            __VA_ARGS__,                                                                                               \
            {                                                                                                          \
                0                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#endif
