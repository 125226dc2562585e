#include "base/mem.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void *pl_new0(size_t count, size_t size)
{
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
