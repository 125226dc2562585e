#include "arena.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)4096 - 64)

struct arena_block {
    struct arena_block *older;
    alignas(max_align_t) char bytes[];
};

void arena_done(struct arena *a)
{
    for (struct arena_block *b = a->block, *older; b; b = older) {
        older = b->older;
        free(b);
    }
    *a = (struct arena){ 0 };
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
    struct arena_block *b = malloc(sizeof(*b) + n);
    if (!b)
        pl_die("out of memory");
    b->older = a->block;
    a->block = b;
    return b;
}

/* A large piece gets a block of its own behind the current one, whose rest stays in use. */
static char *get_large(struct arena *a, size_t n)
{
    struct arena_block *current = a->block;
    struct arena_block *b = add_block(a, n);
    if (current) {
        b->older = current->older;
        current->older = b;
        a->block = current;
    }
    return b->bytes;
}

static char *get(struct arena *a, size_t n)
{
    n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (n > BLOCK_BYTES / 4)
        return get_large(a, n);
    if (n > a->left) {
        a->at = add_block(a, BLOCK_BYTES)->bytes;
        a->left = BLOCK_BYTES;
    }
    char *piece = a->at;
    a->at += n;
    a->left -= n;
    return piece;
}

void *arena_get(struct arena *a, size_t n)
{
    return memset(get(a, n ? n : 1), 0, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *copy = get(a, n + 1);
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_vformat(struct arena *a, const char *fmt, va_list args)
{
    char few[512];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(few, sizeof(few), fmt, again);
    va_end(again);
    if (n < (int)sizeof(few))
        return arena_strndup(a, few, n < 0 ? 0 : (size_t)n);
    char *out = get(a, (size_t)n + 1);
    (void)vsnprintf(out, (size_t)n + 1, fmt, args);
    return out;
}

char *arena_format(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *out = arena_vformat(a, fmt, args);
    va_end(args);
    return out;
}
