/* Each record: magic number, length, a protobuf message, zero to three bytes up to a multiple of four. The message (all
 * numbers little endian or varints):
 *
 *     Record  1 features: map entries { 1 key, 2 Value }
 *     Value   2 Float32Tensor, 3 Float64Tensor, 7 Int32Tensor
 *     tensor  1 values, 2 keys (columns, when sparse), 3 shape (not needed here)
 */
#include "decode.h"

#include "matrix.h"
#include "packed.h"
#include "refuse.h"
#include "wire/wire.h"

#include <endian.h>
#include <string.h>

#define MAGIC        0xced7230au
#define HEADER_BYTES 8u
#define LENGTH_BITS  0x1fffffffu /* above them: parts of a split record, which nobody makes for rows */
#define MAX_COLUMN   0x7ffffffeu
#define FEATURE      "values"

enum { RECORD_FEATURES = 1, ENTRY_KEY = 1, ENTRY_VALUE = 2, TENSOR_VALUES = 1, TENSOR_KEYS = 2 };

/* A row's tensor inside its record. */
struct tensor {
    const void *bytes;
    size_t n;
    enum packed_type type;
};

static enum pl_code malformed(const struct matrix *m, struct pl_err *err)
{
    return refuse(err, STATUS_UNSUPPORTED, "record %zu is not a valid protobuf record", m->rows + 1);
}

/* The tensor of a Value; false: not a Value. Absent or of a type without numbers: '*out' stays empty. */
static bool read_value(const struct wire_field *value, struct tensor *out)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;

    wire_read_flat(&reader, &span, value->bytes, value->len);
    while (wire_next(&reader, &f)) {
        if (f.type != WIRE_BYTES)
            continue;
        if (f.number == 2)
            *out = (struct tensor){ f.bytes, f.len, PACKED_FP32 };
        else if (f.number == 3)
            *out = (struct tensor){ f.bytes, f.len, PACKED_FP64 };
        else if (f.number == 7)
            *out = (struct tensor){ f.bytes, f.len, PACKED_INT32 };
    }
    return !reader.malformed;
}

/* One entry of the features; false: it is malformed. */
static bool read_entry(const struct wire_field *entry, struct tensor *out)
{
    struct wire_field f, value = { .type = WIRE_VARINT };
    struct wire_reader reader;
    struct iovec span;
    bool ours = false;

    wire_read_flat(&reader, &span, entry->bytes, entry->len);
    while (wire_next(&reader, &f)) {
        if (f.type != WIRE_BYTES)
            return false;
        if (f.number == ENTRY_KEY)
            ours = f.len == strlen(FEATURE) && memcmp(f.bytes, FEATURE, f.len) == 0;
        else if (f.number == ENTRY_VALUE)
            value = f;
    }
    if (reader.malformed)
        return false;
    return !ours || value.type != WIRE_BYTES || read_value(&value, out);
}

static bool read_record(const char *bytes, size_t n, struct tensor *out)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;

    wire_read_flat(&reader, &span, bytes, n);
    while (wire_next(&reader, &f))
        if (f.number == RECORD_FEATURES && (f.type != WIRE_BYTES || !read_entry(&f, out)))
            return false;
    return !reader.malformed;
}

static enum pl_code add_values(struct matrix *m, const struct tensor *t, bool *out_keys, struct pl_err *err)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;
    enum pl_code code = PL_OK;

    *out_keys = false;
    wire_read_flat(&reader, &span, t->bytes, t->n);
    while (code == PL_OK && wire_next(&reader, &f)) {
        if (f.number == TENSOR_VALUES)
            code = packed_add_field(m, t->type, &f, err);
        else if (f.number == TENSOR_KEYS)
            *out_keys = true;
    }
    return code == PL_OK && reader.malformed ? malformed(m, err) : code;
}

/* One column; '*at' counts them from the row's first value. */
static bool add_key(struct matrix *m, size_t *at, uint64_t key)
{
    if (*at == m->count || key > MAX_COLUMN)
        return false;
    m->columns[(*at)++] = (uint32_t)key;
    if (m->cols <= key)
        m->cols = (size_t)key + 1;
    return true;
}

static bool add_key_field(struct matrix *m, size_t *at, const struct wire_field *f)
{
    const uint8_t *s = f->bytes;
    uint64_t key;

    if (f->type == WIRE_VARINT)
        return add_key(m, at, f->value);
    if (f->type != WIRE_BYTES)
        return false;
    for (const uint8_t *end = s + f->len; s < end;)
        if (!packed_varint(&s, end, &key) || !add_key(m, at, key))
            return false;
    return true;
}

/* The columns of the values that were just added, from 'first' on. */
static enum pl_code add_keys(struct matrix *m, const struct tensor *t, size_t first, struct pl_err *err)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;
    bool good = true;

    if (matrix_reserve(m, 0, err) != PL_OK)
        return PL_MODEL;
    wire_read_flat(&reader, &span, t->bytes, t->n);
    while (good && wire_next(&reader, &f))
        good = f.number != TENSOR_KEYS || add_key_field(m, &first, &f);
    if (!good || first != m->count)
        return refuse(err, STATUS_UNSUPPORTED, "record %zu: its keys are not one column index for each value",
                      m->rows + 1);
    return PL_OK;
}

static enum pl_code add_row(struct matrix *m, const struct tensor *t, struct pl_err *err)
{
    size_t first = m->count;
    bool keys;

    if (!t->bytes)
        return refuse(err, STATUS_UNSUPPORTED, "record %zu has no feature '%s' with numbers", m->rows + 1, FEATURE);
    if (add_values(m, t, &keys, err) != PL_OK)
        return PL_MODEL;
    if (m->rows == 0)
        m->sparse = keys;
    else if (m->sparse != keys && m->count != first)
        return refuse(err, STATUS_UNSUPPORTED, "record %zu is %s, but the first one is not", m->rows + 1,
                      keys ? "sparse" : "dense");
    if (m->sparse && add_keys(m, t, first, err) != PL_OK)
        return PL_MODEL;
    if (!m->sparse && m->count == first)
        return refuse(err, STATUS_UNSUPPORTED, "record %zu has no values", m->rows + 1);
    return matrix_end_row(m, err);
}

/* The record at the start of 'n' bytes; '*out_used' with its header and padding. */
static enum pl_code record(struct matrix *m, const char *bytes, size_t n, size_t *out_used, struct pl_err *err)
{
    struct tensor t = { 0 };
    uint32_t header[2], length;

    if (n < HEADER_BYTES)
        return refuse(err, STATUS_UNSUPPORTED, "record %zu is cut off", m->rows + 1);
    memcpy(header, bytes, sizeof(header));
    length = le32toh(header[1]);
    if (le32toh(header[0]) != MAGIC || length > LENGTH_BITS)
        return refuse(err, STATUS_UNSUPPORTED, "record %zu does not start as RecordIO does", m->rows + 1);
    if (length > n - HEADER_BYTES)
        return refuse(err, STATUS_UNSUPPORTED, "record %zu is cut off", m->rows + 1);
    if (!read_record(bytes + HEADER_BYTES, length, &t))
        return malformed(m, err);
    *out_used = HEADER_BYTES + ((size_t)length + 3) / 4 * 4;
    return add_row(m, &t, err);
}

enum pl_code decode_recordio(struct matrix *m, const char *body, size_t n, struct pl_err *err)
{
    size_t used = 0;

    for (size_t at = 0; at < n; at += used)
        if (record(m, body + at, n - at, &used, err) != PL_OK)
            return PL_MODEL;
    return m->rows ? PL_OK : refuse(err, STATUS_UNSUPPORTED, "the body has no rows");
}
