#include "base/mem.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the cache takes. */
#define SMALL_BYTES 1024

static void *need(void *p)
{
    if (!p)
        pl_die("out of memory");
    return p;
}

/* malloc(0) may answer NULL; nobody here asks for nothing in order to get NULL. */
static size_t some(size_t size)
{
    return size > 0 ? size : 1;
}

/* calloc() of glibc takes nothing from the thread's cache of freed blocks, which is the fast part of malloc(), and the
 * one whose pages have been written to before: in an instance, which shares its pages with its zygote until it writes
 * to them, that saves a copy. */
static void *small_zeroed(size_t bytes)
{
    void *block = need(malloc(bytes));

    __asm__("" : "+r"(block)); /* or the compiler makes a calloc() of it */
    return memset(block, 0, bytes);
}

void *pl_new0(size_t count, size_t size)
{
    size_t bytes;

    if (!__builtin_mul_overflow(some(count), some(size), &bytes) && bytes <= SMALL_BYTES)
        return small_zeroed(bytes);
    return need(calloc(some(count), some(size)));
}

void *pl_grow(void *array, size_t count, size_t size)
{
    return need(reallocarray(array, some(count), some(size)));
}

char *pl_strdup(const char *s)
{
    return s ? need(strdup(s)) : NULL;
}

char *pl_strndup(const char *s, size_t n)
{
    return s ? need(strndup(s, n)) : NULL;
}

char *pl_format(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    return n < 0 ? need(NULL) : text;
}
