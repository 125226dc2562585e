#include "aws_words.h"

#include "text_builder.h"

#include <stdbool.h>
#include <string.h>

static bool in_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* 'at' begins a word. */
static const struct aws_word *row_at(const char *at, const struct aws_word *table)
{
    for (; table->ours; table++) {
        size_t n = strlen(table->ours);
        if (strncmp(at, table->ours, n) == 0 && !(in_word(at[n - 1]) && in_word(at[n])))
            return table;
    }
    return NULL;
}

const char *aws_words(struct arena *a, const char *text, const struct aws_word *table)
{
    struct text out = { .arena = a };
    const char *at = text;
    while (*at) {
        bool begins = at == text || !in_word(at[-1]);
        const struct aws_word *row = begins ? row_at(at, table) : NULL;
        if (row) {
            text_adds(&out, row->theirs);
            at += strlen(row->ours);
        } else {
            text_addc(&out, *at++);
        }
    }
    return text_take(&out);
}
