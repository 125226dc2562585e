#include "tensor.h"

#include "matrix.h"
#include "refuse.h"
#include "wire/wire.h"

#include <string.h>

#define MAX_DIMENSIONS 2

enum datatype { TYPE_FP32, TYPE_FP64, TYPE_INT32, TYPE_INT64, TYPE_COUNT };

/* 'field' is the type's place in InferTensorContents; 'packed' how one value looks there. */
static const struct {
    const char *name;
    size_t size;
    uint32_t field;
    enum wire_type packed;
} types[TYPE_COUNT] = {
    [TYPE_FP32] = { "FP32", 4, 6, WIRE_FIXED32 },
    [TYPE_FP64] = { "FP64", 8, 7, WIRE_FIXED64 },
    [TYPE_INT32] = { "INT32", 4, 2, WIRE_VARINT },
    [TYPE_INT64] = { "INT64", 8, 3, WIRE_VARINT },
};

/* The parts of the request that hold the tensor; all point into the body. */
struct parts {
    struct wire_field input, raw;
    unsigned inputs, raws;
};

struct input {
    struct tensor_text datatype;
    struct wire_field contents;
    bool has_contents;
    uint64_t shape[MAX_DIMENSIONS];
    unsigned dimensions;
};

static enum pl_code malformed(struct pl_err *err)
{
    return refuse(err, STATUS_UNSUPPORTED, "the body is not a valid ModelInferRequest");
}

static bool take_text(const struct wire_field *f, struct tensor_text *out)
{
    *out = (struct tensor_text){ f->bytes, f->len };
    return f->type == WIRE_BYTES;
}

/* The name of the first output asked for. */
static bool take_output(const struct wire_field *f, struct tensor_request *out)
{
    struct wire_reader reader;
    struct wire_field part;
    struct iovec span;

    if (f->type != WIRE_BYTES)
        return false;
    if (out->output_name.n > 0)
        return true;
    wire_read_flat(&reader, &span, f->bytes, f->len);
    while (wire_next(&reader, &part))
        if (part.number == 1 && !take_text(&part, &out->output_name))
            return false;
    return !reader.malformed;
}

static bool take_part(const struct wire_field *f, struct parts *parts, struct tensor_request *out)
{
    switch (f->number) {
    case 1:
        return take_text(f, &out->model_name);
    case 2:
        return take_text(f, &out->model_version);
    case 3:
        return take_text(f, &out->id);
    case 5:
        parts->input = *f;
        parts->inputs++;
        return f->type == WIRE_BYTES;
    case 6:
        return take_output(f, out);
    case 7:
        parts->raw = *f;
        parts->raws++;
        return f->type == WIRE_BYTES;
    default:
        return true;
    }
}

static bool read_parts(const char *body, size_t n, struct parts *parts, struct tensor_request *out)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;

    wire_read_flat(&reader, &span, body, n);
    while (wire_next(&reader, &f))
        if (!take_part(&f, parts, out))
            return false;
    return !reader.malformed;
}

/* One varint at '*at'; false: it is cut off or too long. */
static bool varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
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

static bool add_dimension(struct input *in, uint64_t value)
{
    if (in->dimensions < MAX_DIMENSIONS)
        in->shape[in->dimensions] = value;
    in->dimensions++;
    return true;
}

/* Shape values come packed or one by one. */
static bool take_shape(const struct wire_field *f, struct input *in)
{
    const uint8_t *at = f->bytes;
    uint64_t value;

    if (f->type == WIRE_VARINT)
        return add_dimension(in, f->value);
    if (f->type != WIRE_BYTES)
        return false;
    for (const uint8_t *end = at + f->len; at < end;)
        if (!varint(&at, end, &value) || !add_dimension(in, value))
            return false;
    return true;
}

static bool read_input(const struct wire_field *input, struct input *out)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;
    bool good = true;

    wire_read_flat(&reader, &span, input->bytes, input->len);
    while (good && wire_next(&reader, &f)) {
        if (f.number == 2)
            good = take_text(&f, &out->datatype);
        else if (f.number == 3)
            good = take_shape(&f, out);
        else if (f.number == 5) {
            out->contents = f;
            out->has_contents = true;
            good = f.type == WIRE_BYTES;
        }
    }
    return good && !reader.malformed;
}

static float to_float(enum datatype type, uint64_t bits)
{
    float single;
    double twice;
    uint32_t low = (uint32_t)bits;

    switch (type) {
    case TYPE_FP32:
        memcpy(&single, &low, sizeof(single));
        return single;
    case TYPE_FP64:
        memcpy(&twice, &bits, sizeof(twice));
        return (float)twice;
    case TYPE_INT32:
        return (float)(int32_t)low;
    default:
        return (float)(int64_t)bits;
    }
}

/* 'n' bytes of little-endian values. */
static enum pl_code add_raw(struct matrix *m, enum datatype type, const uint8_t *bytes, size_t n, struct pl_err *err)
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

static enum pl_code add_varints(struct matrix *m, enum datatype type, const uint8_t *at, size_t n, struct pl_err *err)
{
    for (const uint8_t *end = at + n; at < end;) {
        uint64_t value;

        if (!varint(&at, end, &value))
            return malformed(err);
        if (matrix_add(m, to_float(type, value), err) != PL_OK)
            return PL_MODEL;
    }
    return PL_OK;
}

static enum pl_code add_typed(struct matrix *m, enum datatype type, const struct wire_field *contents,
                              struct pl_err *err)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;
    enum pl_code code = PL_OK;

    wire_read_flat(&reader, &span, contents->bytes, contents->len);
    while (code == PL_OK && wire_next(&reader, &f)) {
        if (f.number != types[type].field)
            continue;
        if (f.type == types[type].packed)
            code = matrix_add(m, to_float(type, f.value), err);
        else if (f.type != WIRE_BYTES)
            code = malformed(err);
        else if (types[type].packed == WIRE_VARINT)
            code = add_varints(m, type, f.bytes, f.len, err);
        else
            code = add_raw(m, type, f.bytes, f.len, err);
    }
    return code == PL_OK && reader.malformed ? malformed(err) : code;
}

static enum pl_code find_type(struct tensor_text name, enum datatype *out, struct pl_err *err)
{
    struct refuse_quote q = refuse_quote(name.s, name.n);

    for (unsigned type = 0; type < TYPE_COUNT; type++) {
        if (name.n == strlen(types[type].name) && memcmp(name.s, types[type].name, name.n) == 0) {
            *out = (enum datatype)type;
            return PL_OK;
        }
    }
    return refuse(err, STATUS_UNSUPPORTED, "inputs[0].datatype is '%s': use FP32, FP64, INT32 or INT64", q.text);
}

static enum pl_code set_shape(struct matrix *m, const struct input *in, struct pl_err *err)
{
    uint64_t rows = in->shape[0], cols = in->shape[1];

    if (rows == 0)
        return refuse(err, STATUS_UNSUPPORTED, "the body has no rows");
    if (cols == 0 || rows > MATRIX_MAX_CELLS || cols > MATRIX_MAX_CELLS || rows * cols != m->count)
        return refuse(err, STATUS_UNSUPPORTED, "inputs[0].shape is [%lld, %lld], but there are %zu values",
                      (long long)rows, (long long)cols, m->count);
    m->rows = rows;
    m->cols = cols;
    return PL_OK;
}

enum pl_code decode_tensor(struct matrix *m, struct tensor_request *out, const char *body, size_t n, struct pl_err *err)
{
    struct parts parts = { 0 };
    struct input in = { 0 };
    enum datatype type = TYPE_FP32;
    enum pl_code code = PL_OK;

    *out = (struct tensor_request){ 0 };
    if (!read_parts(body, n, &parts, out))
        return malformed(err);
    if (parts.inputs != 1 || parts.raws > 1)
        return refuse(err, STATUS_UNSUPPORTED,
                      "the request has %u inputs and %u raw contents, but the model takes one tensor", parts.inputs,
                      parts.raws);
    if (!read_input(&parts.input, &in))
        return malformed(err);
    if (find_type(in.datatype, &type, err) != PL_OK)
        return PL_MODEL;
    if (in.dimensions != MAX_DIMENSIONS)
        return refuse(err, STATUS_UNSUPPORTED, "inputs[0].shape has %u dimensions, but must be [rows, features]",
                      in.dimensions);
    out->raw = parts.raws == 1;
    if (out->raw && in.has_contents && in.contents.len > 0)
        return refuse(err, STATUS_UNSUPPORTED, "inputs[0].contents and raw_input_contents are both set");
    if (out->raw)
        code = add_raw(m, type, parts.raw.bytes, parts.raw.len, err);
    else if (in.has_contents)
        code = add_typed(m, type, &in.contents, err);
    return code == PL_OK ? set_shape(m, &in, err) : code;
}
