/* output_table - the tables of output.h. */
#include "output.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const char *const *titles;
    size_t columns;
    char **cells; /* row after row */
    size_t count;
};

struct table *table_new(const char *const *titles)
{
    struct table *t = PL_NEW(struct table);
    t->titles = titles;
    while (titles[t->columns])
        t->columns++;
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

void table_cell(struct table *t, const char *fmt, ...)
{
    char text[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    t->cells = pl_grow(t->cells, t->count + 1, sizeof(*t->cells));
    t->cells[t->count++] = pl_strdup(*text ? text : "-");
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void print_cell(FILE *out, const char *text, size_t wide, bool right, bool last)
{
    size_t pad = wide - width(text);
    if (right)
        fprintf(out, "%*s%s", (int)pad, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : (int)pad, "");
    fputs(last ? "\n" : "  ", out);
}

void table_print(const struct table *t, FILE *out)
{
    size_t *wide = pl_new0(t->columns, sizeof(*wide));
    for (size_t c = 0; c < t->columns; c++) {
        wide[c] = width(t->titles[c] + (*t->titles[c] == '>'));
        for (size_t i = c; i < t->count; i += t->columns)
            wide[c] = width(t->cells[i]) > wide[c] ? width(t->cells[i]) : wide[c];
    }
    for (size_t c = 0; c < t->columns; c++) {
        bool right = *t->titles[c] == '>';
        print_cell(out, t->titles[c] + right, wide[c], right, c + 1 == t->columns);
    }
    for (size_t i = 0; i < t->count; i++) {
        size_t c = i % t->columns;
        print_cell(out, t->cells[i], wide[c], *t->titles[c] == '>', c + 1 == t->columns);
    }
    free(wide);
}
