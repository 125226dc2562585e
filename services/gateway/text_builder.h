/* text_builder - a text that grows in an arena: for what is made once and read once within a request.
 * Memory: the arena's, what growing left behind included. */
#ifndef GATEWAY_TEXT_BUILDER_H
#define GATEWAY_TEXT_BUILDER_H

#include "arena.h"

struct text {
    struct arena *arena;
    char *data; /* NUL-terminated once something was added */
    size_t len, cap;
};

void text_add(struct text *t, const char *bytes, size_t n);
void text_adds(struct text *t, const char *s);
void text_addc(struct text *t, char c);
void text_addf(struct text *t, const char *fmt, ...) PL_PRINTF(2, 3);
char *text_take(struct text *t); /* never NULL */

#endif
