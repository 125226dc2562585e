#include "sketch/sketch.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT     46 /* sign, exponent and 6 bits of the mantissa are above */
#define INDEX_MAX ((uint32_t)0x7ff << 6)
#define VERSION   1

void sketch_done(struct sketch *s)
{
    free(s->buckets);
    *s = (struct sketch){ 0 };
}

void sketch_clear(struct sketch *s)
{
    s->len = s->last = 0;
    s->total = 0;
}

static uint32_t index_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return (uint32_t)(bits >> SHIFT);
}

static double lower_bound(uint32_t index)
{
    uint64_t bits = (uint64_t)index << SHIFT;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

double sketch_value(uint32_t index)
{
    double low = lower_bound(index);
    double high = lower_bound(index + 1);
    if (index < 64)
        return 0; /* subnormal: as good as nothing */
    return isfinite(high) ? low + (high - low) / 2 : low;
}

/* Where 'index' is, or belongs. */
static uint32_t find(const struct sketch *s, uint32_t index)
{
    uint32_t low = 0, high = s->len;
    if (s->last < s->len && s->buckets[s->last].index == index)
        return s->last;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->buckets[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Makes the two lowest one, at the higher of them. */
static void collapse_lowest(struct sketch *s)
{
    s->buckets[1].count += s->buckets[0].count;
    s->len--;
    memmove(s->buckets, s->buckets + 1, s->len * sizeof(*s->buckets));
    s->last = 0;
}

static void insert(struct sketch *s, uint32_t at, uint32_t index, uint64_t count)
{
    if (s->len == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->buckets = pl_grow(s->buckets, s->cap, sizeof(*s->buckets));
    }
    memmove(s->buckets + at + 1, s->buckets + at, (s->len - at) * sizeof(*s->buckets));
    s->buckets[at] = (struct sketch_bucket){ .index = index, .count = count };
    s->len++;
    s->last = at;
}

static void add_at(struct sketch *s, uint32_t index, uint64_t count)
{
    uint32_t at = find(s, index);
    if (count > UINT64_MAX - s->total)
        count = UINT64_MAX - s->total;
    if (count == 0)
        return;
    s->total += count;
    if (at < s->len && s->buckets[at].index == index) {
        s->buckets[at].count += count;
        s->last = at;
        return;
    }
    insert(s, at, index, count);
    if (s->len > SKETCH_MAX_BUCKETS)
        collapse_lowest(s);
}

void sketch_add(struct sketch *s, double value, uint64_t count)
{
    if (isfinite(value) && value >= 0)
        add_at(s, value > 0 ? index_of(value) : 0, count); /* -0.0 too */
}

void sketch_merge(struct sketch *into, const struct sketch *from)
{
    for (uint32_t i = 0; i < from->len; i++)
        add_at(into, from->buckets[i].index, from->buckets[i].count);
}

double sketch_at(const struct sketch *s, uint64_t rank)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < s->len; i++) {
        seen += s->buckets[i].count;
        if (rank < seen)
            return sketch_value(s->buckets[i].index);
    }
    return s->len ? sketch_value(s->buckets[s->len - 1].index) : 0;
}

/* ---- bytes ---- */

static bool put_varint(struct pl_buf *out, uint64_t value)
{
    while (value >= 0x80) {
        if (!pl_buf_addc(out, (char)(value | 0x80)))
            return false;
        value >>= 7;
    }
    return pl_buf_addc(out, (char)value);
}

bool sketch_encode(const struct sketch *s, struct pl_buf *out)
{
    uint32_t before = 0;
    bool good = pl_buf_addc(out, VERSION);
    for (uint32_t i = 0; good && i < s->len; i++) {
        good = put_varint(out, s->buckets[i].index - before) && put_varint(out, s->buckets[i].count);
        before = s->buckets[i].index;
    }
    return good;
}

struct reader {
    const unsigned char *at, *end;
};

/* False: no more bytes, or more than 64 bits. */
static bool get_varint(struct reader *r, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char byte = *r->at++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool decode(struct sketch *s, struct reader *r)
{
    uint64_t gap, count, index = 0;
    while (r->at < r->end) {
        if (s->len == SKETCH_MAX_BUCKETS || !get_varint(r, &gap) || !get_varint(r, &count))
            return false;
        if ((gap == 0 && s->len > 0) || gap >= INDEX_MAX - index || count == 0 || count > UINT64_MAX - s->total)
            return false;
        index += gap;
        insert(s, s->len, (uint32_t)index, count);
        s->total += count;
    }
    return true;
}

bool sketch_decode(struct sketch *s, const void *bytes, size_t len)
{
    sketch_clear(s);
    if (len == 0)
        return true;
    struct reader r = { .at = bytes, .end = (const unsigned char *)bytes + len };
    if (*r.at++ == VERSION && decode(s, &r))
        return true;
    sketch_clear(s);
    return false;
}
