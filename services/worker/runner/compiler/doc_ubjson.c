/* UBJSON, draft 12: a letter says what follows; numbers are big-endian. */
#include "doc_format.h"

#include <string.h>

static size_t left_bytes(const struct doc *d)
{
    return (size_t)(d->end - d->at);
}

size_t doc_ubjson_size(uint8_t type)
{
    switch (type) {
    case 'i':
    case 'U':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return 0;
    }
}

static uint64_t big_endian(const uint8_t *at, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++)
        value = value << 8 | at[i];
    return value;
}

double doc_ubjson_decode(const uint8_t *at, uint8_t type)
{
    uint64_t bits = big_endian(at, doc_ubjson_size(type));
    uint32_t low = (uint32_t)bits;
    double wide;
    float narrow;

    switch (type) {
    case 'i':
        return (int8_t)bits;
    case 'U':
        return (uint8_t)bits;
    case 'I':
        return (int16_t)bits;
    case 'l':
        return (int32_t)low;
    case 'L':
        return (double)(int64_t)bits;
    case 'd':
        memcpy(&narrow, &low, sizeof(narrow));
        return (double)narrow;
    default:
        memcpy(&wide, &bits, sizeof(wide));
        return wide;
    }
}

/* The type of the value that comes next: its own letter, or its array's. 0: the document ends. */
static uint8_t next_type(const struct doc *d)
{
    const struct doc_level *level = d->depth ? &d->levels[d->depth - 1] : NULL;

    if (level && level->type)
        return level->type;
    return d->at < d->end ? *d->at : 0;
}

static void take_type(struct doc *d)
{
    if (d->depth == 0 || !d->levels[d->depth - 1].type)
        d->at++;
}

enum doc_kind doc_ubjson_peek(struct doc *d)
{
    uint8_t type = next_type(d);

    switch (type) {
    case '{':
        return DOC_OBJECT;
    case '[':
        return DOC_ARRAY;
    case 'S':
        return DOC_TEXT;
    case 'T':
    case 'F':
        return DOC_BOOL;
    case 'Z':
        return DOC_NULL;
    default:
        return doc_ubjson_size(type) ? DOC_NUMBER : DOC_NOTHING;
    }
}

double doc_ubjson_number(struct doc *d)
{
    uint8_t type = next_type(d);
    size_t size = doc_ubjson_size(type);
    double value;

    take_type(d);
    if (left_bytes(d) < size) {
        doc_fail(d, "the document ends in a number");
        return 0;
    }
    value = doc_ubjson_decode(d->at, type);
    d->at += size;
    return value;
}

bool doc_ubjson_word(struct doc *d)
{
    return *d->at++ == 'T';
}

/* A length: an integer of any type, with its letter. */
static size_t take_length(struct doc *d)
{
    uint8_t type = d->at < d->end ? *d->at : 0;
    size_t size = doc_ubjson_size(type);
    double value;

    if (size == 0 || type == 'd' || type == 'D' || left_bytes(d) <= size) {
        doc_fail(d, "a length is expected here");
        return 0;
    }
    value = doc_ubjson_decode(d->at + 1, type);
    d->at += 1 + size;
    /* Nothing has more parts than the document has bytes. */
    if (value < 0 || value > (double)left_bytes(d)) {
        doc_fail(d, "a length leads past the end");
        return 0;
    }
    return (size_t)value;
}

struct doc_text doc_ubjson_key(struct doc *d)
{
    size_t n = take_length(d);
    struct doc_text text = { (const char *)d->at, n };

    d->at += n;
    return text;
}

struct doc_text doc_ubjson_text(struct doc *d)
{
    take_type(d);
    return doc_ubjson_key(d);
}

/* '{' or '[', then perhaps "$type" (arrays of numbers only), then perhaps "#count". */
void doc_ubjson_enter(struct doc *d, struct doc_level *level)
{
    uint8_t type = 0;

    d->at++;
    if (d->at < d->end && *d->at == '$') {
        if (left_bytes(d) < 3 || level->object || doc_ubjson_size(d->at[1]) == 0 || d->at[2] != '#') {
            doc_fail(d, "a typed container of this kind is not supported");
            return;
        }
        type = d->at[1];
        d->at += 2;
    }
    if (d->at < d->end && *d->at == '#') {
        d->at++;
        level->left = (int64_t)take_length(d);
    }
    if (type && level->left > (int64_t)(left_bytes(d) / doc_ubjson_size(type)))
        doc_fail(d, "an array leads past the end");
    level->type = type;
}

bool doc_ubjson_more(struct doc *d, struct doc_level *level)
{
    if (level->left >= 0)
        return level->left-- > 0;
    while (d->at < d->end && *d->at == 'N')
        d->at++;
    if (d->at == d->end) {
        doc_fail(d, "the document ends in a container");
        return false;
    }
    if (*d->at != (level->object ? '}' : ']'))
        return true;
    d->at++;
    return false;
}

const uint8_t *doc_ubjson_bulk(struct doc *d, size_t *out_count, uint8_t *out_type)
{
    const struct doc_level *level = &d->levels[d->depth - 1];
    const uint8_t *bytes = d->at;

    if (!level->type)
        return NULL;
    *out_type = level->type;
    *out_count = (size_t)level->left;
    d->at += *out_count * doc_ubjson_size(level->type);
    d->depth--;
    return bytes;
}
