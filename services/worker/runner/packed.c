#include "packed.h"

#include "matrix.h"
#include "refuse.h"

#include <string.h>

/* 'single' is how one value looks outside a packed field. */
static const struct {
    const char *name;
    size_t size;
    enum wire_type single;
} types[PACKED_TYPE_COUNT] = {
    [PACKED_FP32] = { "FP32", 4, WIRE_FIXED32 },
    [PACKED_FP64] = { "FP64", 8, WIRE_FIXED64 },
    [PACKED_INT32] = { "INT32", 4, WIRE_VARINT },
    [PACKED_INT64] = { "INT64", 8, WIRE_VARINT },
};

const char *packed_type_name(enum packed_type type)
{
    return types[type].name;
}

bool packed_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static float to_float(enum packed_type type, uint64_t bits)
{
    float single;
    double twice;
    uint32_t low = (uint32_t)bits;

    switch (type) {
    case PACKED_FP32:
        memcpy(&single, &low, sizeof(single));
        return single;
    case PACKED_FP64:
        memcpy(&twice, &bits, sizeof(twice));
        return (float)twice;
    case PACKED_INT32:
        return (float)(int32_t)low;
    default:
        return (float)(int64_t)bits;
    }
}

enum pl_code packed_add_raw(struct matrix *m, enum packed_type type, const uint8_t *bytes, size_t n, struct pl_err *err)
{
    size_t size = types[type].size;

    if (n % size != 0)
        return refuse(err, STATUS_UNSUPPORTED, "%zu bytes of contents are no whole number of %s values", n,
                      types[type].name);
    if (matrix_reserve(m, n / size, err) != PL_OK)
        return PL_MODEL;
    for (size_t at = 0; at < n; at += size) {
        uint64_t bits = 0;

        memcpy(&bits, bytes + at, size);
        m->values[m->count++] = to_float(type, bits);
    }
    return PL_OK;
}

static enum pl_code add_varints(struct matrix *m, enum packed_type type, const uint8_t *at, size_t n,
                                struct pl_err *err)
{
    for (const uint8_t *end = at + n; at < end;) {
        uint64_t value;

        if (!packed_varint(&at, end, &value))
            return refuse(err, STATUS_UNSUPPORTED, "an integer of the body is cut off");
        if (matrix_add(m, to_float(type, value), err) != PL_OK)
            return PL_MODEL;
    }
    return PL_OK;
}

enum pl_code packed_add_field(struct matrix *m, enum packed_type type, const struct wire_field *f, struct pl_err *err)
{
    if (f->type == types[type].single)
        return matrix_add(m, to_float(type, f->value), err);
    if (f->type != WIRE_BYTES)
        return refuse(err, STATUS_UNSUPPORTED, "field %u of the body is not of type %s", f->number, types[type].name);
    if (types[type].single == WIRE_VARINT)
        return add_varints(m, type, f->bytes, f->len, err);
    return packed_add_raw(m, type, f->bytes, f->len, err);
}
