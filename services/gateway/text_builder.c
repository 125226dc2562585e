#include "text_builder.h"

#include <string.h>

static void reserve(struct text *t, size_t n)
{
    if (t->len + n < t->cap)
        return;
    size_t cap = t->cap ? t->cap * 2 : 512;
    while (cap <= t->len + n)
        cap *= 2;
    char *grown = arena_get(t->arena, cap);
    if (t->len)
        memcpy(grown, t->data, t->len);
    t->data = grown;
    t->cap = cap;
}

void text_add(struct text *t, const char *bytes, size_t n)
{
    reserve(t, n);
    memcpy(t->data + t->len, bytes, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void text_adds(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_addc(struct text *t, char c)
{
    text_add(t, &c, 1);
}

void text_addf(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    text_adds(t, arena_vformat(t->arena, fmt, args));
    va_end(args);
}

char *text_take(struct text *t)
{
    reserve(t, 1);
    return t->data;
}
