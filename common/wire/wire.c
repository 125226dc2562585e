#include "wire/wire.h"

#include <string.h>

/* ---- reading ---- */

/* Moves to the span that holds the next byte; empty ones are passed over. */
static void skip_spent(struct wire_reader *r)
{
    while (r->span < r->span_count && r->at == r->spans[r->span].iov_len) {
        r->span++;
        r->at = 0;
    }
}

/* The caller has seen that 'n' bytes are left. */
static void skip(struct wire_reader *r, size_t n)
{
    r->offset += n;
    r->left -= n;
    for (;;) {
        skip_spent(r);
        if (n == 0)
            return;
        size_t here = r->spans[r->span].iov_len - r->at;
        size_t step = n < here ? n : here;
        r->at += step;
        n -= step;
    }
}

/* Copies and passes 'n' bytes that are left. */
static void take(struct wire_reader *r, void *out, size_t n)
{
    uint8_t *to = out;
    while (n > 0) {
        size_t here = r->spans[r->span].iov_len - r->at;
        size_t step = n < here ? n : here;
        memcpy(to, (const uint8_t *)r->spans[r->span].iov_base + r->at, step);
        skip(r, step);
        to += step;
        n -= step;
    }
}

void wire_read(struct wire_reader *r, const struct iovec *spans, unsigned span_count)
{
    *r = (struct wire_reader){ .spans = spans, .span_count = span_count };
    for (unsigned i = 0; i < span_count; i++)
        if (__builtin_add_overflow(r->left, spans[i].iov_len, &r->left)) {
            /* More bytes than addresses: the same span many times. Nothing is read of it. */
            r->left = 0;
            r->malformed = true;
            return;
        }
    skip_spent(r);
}

void wire_read_flat(struct wire_reader *r, struct iovec *span, const void *bytes, size_t n)
{
    *span = (struct iovec){ .iov_base = (void *)bytes, .iov_len = n };
    wire_read(r, span, 1);
}

/* At most 10 bytes; what would not fit 64 bits is malformed. */
static bool read_varint(struct wire_reader *r, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && r->left > 0; shift += 7) {
        uint8_t byte = ((const uint8_t *)r->spans[r->span].iov_base)[r->at];
        skip(r, 1);
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* Little-endian, whatever this machine is. */
static bool read_fixed(struct wire_reader *r, size_t n, uint64_t *out)
{
    uint8_t bytes[8];
    if (r->left < n)
        return false;
    take(r, bytes, n);
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | bytes[i];
    *out = value;
    return true;
}

static bool read_bytes(struct wire_reader *r, struct wire_field *f)
{
    uint64_t len;
    if (!read_varint(r, &len) || len > r->left)
        return false;
    f->len = (size_t)len;
    f->offset = r->offset;
    if (f->len == 0)
        f->bytes = "";
    else if (r->spans[r->span].iov_len - r->at >= f->len)
        f->bytes = (const uint8_t *)r->spans[r->span].iov_base + r->at;
    skip(r, f->len);
    return true;
}

static bool read_field(struct wire_reader *r, struct wire_field *f)
{
    uint64_t tag;
    if (!read_varint(r, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    f->number = (uint32_t)(tag >> 3);
    f->type = (enum wire_type)(tag & 7);
    switch (f->type) {
    case WIRE_VARINT:
        return read_varint(r, &f->value);
    case WIRE_FIXED64:
        return read_fixed(r, 8, &f->value);
    case WIRE_BYTES:
        return read_bytes(r, f);
    case WIRE_FIXED32:
        return read_fixed(r, 4, &f->value);
    }
    return false; /* groups, and types that do not exist */
}

bool wire_next(struct wire_reader *r, struct wire_field *out)
{
    if (r->malformed || r->left == 0)
        return false;
    struct wire_field f = { 0 };
    if (!read_field(r, &f)) {
        r->malformed = true;
        return false;
    }
    *out = f;
    return true;
}

size_t wire_copy(const struct wire_reader *r, const struct wire_field *f, void *out, size_t cap)
{
    size_t n = f->len < cap ? f->len : cap;
    if (n == 0)
        return 0;
    if (f->bytes) {
        memcpy(out, f->bytes, n);
        return n;
    }
    struct wire_reader again;
    wire_read(&again, r->spans, r->span_count);
    skip(&again, f->offset);
    take(&again, out, n);
    return n;
}

/* ---- writing ---- */

static uint8_t *put(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *put_tag(uint8_t *out, uint32_t field, enum wire_type type)
{
    return put(out, (uint64_t)field << 3 | type);
}

uint8_t *wire_put_varint(uint8_t *out, uint32_t field, uint64_t value)
{
    return put(put_tag(out, field, WIRE_VARINT), value);
}

uint8_t *wire_put_header(uint8_t *out, uint32_t field, size_t len)
{
    return put(put_tag(out, field, WIRE_BYTES), len);
}

uint8_t *wire_put_bytes(uint8_t *out, uint32_t field, const void *bytes, size_t n)
{
    out = wire_put_header(out, field, n);
    if (n > 0)
        memcpy(out, bytes, n);
    return out + n;
}

uint8_t *wire_put_fixed64(uint8_t *out, uint32_t field, uint64_t value)
{
    out = put_tag(out, field, WIRE_FIXED64);
    for (int i = 0; i < 8; i++, value >>= 8)
        *out++ = (uint8_t)value;
    return out;
}
