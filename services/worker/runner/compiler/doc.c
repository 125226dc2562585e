#include "doc.h"

#include "doc_format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ITEMS 64

void doc_open(struct doc *d, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    *d = (struct doc){ .start = at, .at = at, .end = at + n };
    /* Both start with '{'. Then UBJSON has a marker, the type of a key's length or the container's head; JSON has not.
     */
    d->ubjson = n > 1 && at[0] == '{' && memchr("iUIlL$#N}", at[1], 9) && !(at[1] == '}' && n == 2);
}

void doc_fail(struct doc *d, const char *what)
{
    if (d->wrong)
        return;
    d->wrong = what;
    d->wrong_at = (size_t)(d->at - d->start);
    d->at = d->end;
}

bool doc_failed(struct doc *d)
{
    while (!d->ubjson && d->at < d->end && memchr(" \t\r\n", *d->at, 4))
        d->at++;
    if (!d->wrong && d->at < d->end)
        doc_fail(d, "something follows the end");
    return d->wrong;
}

enum doc_kind doc_peek(struct doc *d)
{
    if (d->wrong)
        return DOC_NOTHING;
    return d->ubjson ? doc_ubjson_peek(d) : doc_json_peek(d);
}

static const char *const expected[] = {
    [DOC_OBJECT] = "an object is expected here", [DOC_ARRAY] = "an array is expected here",
    [DOC_TEXT] = "a string is expected here",    [DOC_NUMBER] = "a number is expected here",
    [DOC_BOOL] = "a boolean is expected here",   [DOC_NULL] = "null is expected here",
};

static bool expect(struct doc *d, enum doc_kind kind)
{
    if (doc_peek(d) != kind)
        doc_fail(d, expected[kind]);
    return !d->wrong;
}

void doc_enter(struct doc *d, enum doc_kind object_or_array)
{
    struct doc_level *level;

    if (!expect(d, object_or_array))
        return;
    if (d->depth == DOC_MAX_DEPTH) {
        doc_fail(d, "too many levels");
        return;
    }
    level = &d->levels[d->depth++];
    *level = (struct doc_level){ .object = object_or_array == DOC_OBJECT, .first = true, .left = -1 };
    if (d->ubjson)
        doc_ubjson_enter(d, level);
    else
        doc_json_enter(d, level);
}

/* One more element of the innermost container? */
static bool more(struct doc *d)
{
    struct doc_level *level;
    bool goes_on;

    if (d->wrong)
        return false;
    level = &d->levels[d->depth - 1];
    goes_on = d->ubjson ? doc_ubjson_more(d, level) : doc_json_more(d, level);
    level->first = false;
    if (!goes_on)
        d->depth--;
    return goes_on && !d->wrong;
}

bool doc_key(struct doc *d, struct doc_text *out)
{
    if (!more(d))
        return false;
    *out = d->ubjson ? doc_ubjson_key(d) : doc_json_key(d);
    return !d->wrong;
}

bool doc_item(struct doc *d)
{
    return more(d);
}

struct doc_text doc_text(struct doc *d)
{
    if (!expect(d, DOC_TEXT))
        return (struct doc_text){ "", 0 };
    return d->ubjson ? doc_ubjson_text(d) : doc_json_text(d);
}

bool doc_is(struct doc_text text, const char *word)
{
    return text.n == strlen(word) && memcmp(text.s, word, text.n) == 0;
}

static bool word(struct doc *d)
{
    return d->ubjson ? doc_ubjson_word(d) : doc_json_word(d);
}

double doc_number(struct doc *d)
{
    if (!expect(d, DOC_NUMBER))
        return 0;
    return d->ubjson ? doc_ubjson_number(d) : doc_json_number(d);
}

/* Doubles are exact far beyond any count or index that a model may have. */
static int64_t whole(struct doc *d, double value, int64_t min, int64_t max)
{
    if (value >= (double)min && value <= (double)max && value == floor(value))
        return (int64_t)value;
    doc_fail(d, "a number is not whole, or out of its range");
    return min;
}

int64_t doc_integer(struct doc *d, int64_t min, int64_t max)
{
    double value = doc_peek(d) == DOC_BOOL ? (double)word(d) : doc_number(d);

    return d->wrong ? min : whole(d, value, min, max);
}

static void skip_value(struct doc *d)
{
    switch (doc_peek(d)) {
    case DOC_TEXT:
        (void)doc_text(d);
        return;
    case DOC_NUMBER:
        (void)doc_number(d);
        return;
    case DOC_BOOL:
    case DOC_NULL:
        (void)word(d);
        return;
    default:
        doc_fail(d, "a value is expected here");
    }
}

/* Without recursion: levels are counted anyway. */
void doc_skip(struct doc *d)
{
    unsigned outside = d->depth;
    struct doc_text key;

    do {
        enum doc_kind kind = doc_peek(d);
        size_t count;
        uint8_t type;

        if (kind == DOC_OBJECT || kind == DOC_ARRAY) {
            doc_enter(d, kind);
            if (!d->wrong && d->ubjson)
                (void)doc_ubjson_bulk(d, &count, &type);
        } else {
            skip_value(d);
        }
        while (!d->wrong && d->depth > outside && !(d->levels[d->depth - 1].object ? doc_key(d, &key) : doc_item(d)))
            ;
    } while (!d->wrong && d->depth > outside);
}

/* ---- whole arrays ---- */

struct growing {
    void *items;
    size_t count, cap;
};

static bool grow(struct doc *d, struct growing *g, size_t size)
{
    size_t cap = g->cap ? g->cap * 2 : FIRST_ITEMS;
    void *bigger;

    if (g->count < g->cap)
        return true;
    bigger = realloc(g->items, cap * size);
    if (!bigger) {
        doc_fail(d, "no memory for an array");
        return false;
    }
    g->items = bigger;
    g->cap = cap;
    return true;
}

/* At least one item of memory, so that an empty array is no NULL. */
static bool exactly(struct doc *d, struct growing *g, size_t count, size_t size)
{
    g->items = malloc((count ? count : 1) * size);
    g->count = count;
    if (!g->items)
        doc_fail(d, "no memory for an array");
    return g->items;
}

static size_t finish(struct doc *d, struct growing *g, void **out)
{
    if (!d->wrong && !g->items)
        (void)exactly(d, g, 0, sizeof(int32_t));
    if (d->wrong) {
        free(g->items);
        return 0;
    }
    *out = g->items;
    return g->count;
}

/* Enters an array; NULL: its items come one by one. */
static const uint8_t *enter_bulk(struct doc *d, size_t *count, uint8_t *type)
{
    doc_enter(d, DOC_ARRAY);
    return d->wrong || !d->ubjson ? NULL : doc_ubjson_bulk(d, count, type);
}

size_t doc_integers(struct doc *d, int32_t **out)
{
    struct growing g = { 0 };
    size_t count;
    uint8_t type;
    const uint8_t *bytes = enter_bulk(d, &count, &type);

    if (bytes && exactly(d, &g, count, sizeof(int32_t)))
        for (size_t i = 0; i < count && !d->wrong; i++)
            ((int32_t *)g.items)[i] =
                (int32_t)whole(d, doc_ubjson_decode(bytes + i * doc_ubjson_size(type), type), INT32_MIN, INT32_MAX);
    while (!bytes && doc_item(d) && grow(d, &g, sizeof(int32_t)))
        ((int32_t *)g.items)[g.count++] = (int32_t)doc_integer(d, INT32_MIN, INT32_MAX);
    return finish(d, &g, (void **)out);
}

size_t doc_floats(struct doc *d, float **out)
{
    struct growing g = { 0 };
    size_t count;
    uint8_t type;
    const uint8_t *bytes = enter_bulk(d, &count, &type);

    if (bytes && exactly(d, &g, count, sizeof(float)))
        for (size_t i = 0; i < count; i++)
            ((float *)g.items)[i] = (float)doc_ubjson_decode(bytes + i * doc_ubjson_size(type), type);
    while (!bytes && doc_item(d) && grow(d, &g, sizeof(float)))
        ((float *)g.items)[g.count++] = (float)doc_number(d);
    return finish(d, &g, (void **)out);
}
