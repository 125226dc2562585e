/* JSON, with NaN and Infinity, which XGBoost writes. */
#include "base/number.h"
#include "doc_format.h"

#include <string.h>

static void skip_space(struct doc *d)
{
    while (d->at < d->end && (*d->at == ' ' || *d->at == '\n' || *d->at == '\t' || *d->at == '\r'))
        d->at++;
}

/* What comes next, after white space; 0: the document ends. */
static uint8_t next_byte(struct doc *d)
{
    skip_space(d);
    return d->at < d->end ? *d->at : 0;
}

enum doc_kind doc_json_peek(struct doc *d)
{
    uint8_t c = next_byte(d);

    switch (c) {
    case '{':
        return DOC_OBJECT;
    case '[':
        return DOC_ARRAY;
    case '"':
        return DOC_TEXT;
    case 't':
    case 'f':
        return DOC_BOOL;
    case 'n':
        return DOC_NULL;
    case '-':
    case 'N': /* NaN */
    case 'I': /* Infinity */
        return DOC_NUMBER;
    default:
        return c >= '0' && c <= '9' ? DOC_NUMBER : DOC_NOTHING;
    }
}

double doc_json_number(struct doc *d)
{
    double value = 0;
    size_t n = number_scan((const char *)d->at, (size_t)(d->end - d->at), &value);

    if (n == 0)
        doc_fail(d, "this is no number");
    d->at += n;
    return value;
}

bool doc_json_word(struct doc *d)
{
    static const char *const words[] = { "true", "false", "null" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);

        if ((size_t)(d->end - d->at) < n || memcmp(d->at, words[i], n) != 0)
            continue;
        d->at += n;
        return i == 0;
    }
    doc_fail(d, "this is neither true, false nor null");
    return false;
}

struct doc_text doc_json_text(struct doc *d)
{
    const uint8_t *from = ++d->at, *quote;

    while ((quote = memchr(d->at, '"', (size_t)(d->end - d->at)))) {
        const uint8_t *back = quote;

        while (back > from && back[-1] == '\\')
            back--;
        d->at = quote + 1;
        if ((quote - back) % 2 == 0)
            return (struct doc_text){ (const char *)from, (size_t)(quote - from) };
    }
    d->at = d->end;
    doc_fail(d, "the document ends in a string");
    return (struct doc_text){ "", 0 };
}

void doc_json_enter(struct doc *d, struct doc_level *level)
{
    (void)level;
    d->at++;
}

bool doc_json_more(struct doc *d, struct doc_level *level)
{
    uint8_t c = next_byte(d);

    if (c == (level->object ? '}' : ']')) {
        d->at++;
        return false;
    }
    if (!level->first) {
        if (c != ',') {
            doc_fail(d, "a comma or the end of the container is expected here");
            return false;
        }
        d->at++;
    }
    return true;
}

struct doc_text doc_json_key(struct doc *d)
{
    struct doc_text key;

    if (next_byte(d) != '"') {
        doc_fail(d, "a name is expected here");
        return (struct doc_text){ "", 0 };
    }
    key = doc_json_text(d);
    if (next_byte(d) != ':')
        doc_fail(d, "a colon is expected here");
    else
        d->at++;
    return key;
}
