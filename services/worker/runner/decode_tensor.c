#include "tensor.h"

#include "matrix.h"
#include "packed.h"
#include "refuse.h"
#include "wire/wire.h"

#include <string.h>

#define MAX_DIMENSIONS 2

/* The place of each type in InferTensorContents. */
static const uint32_t contents_field[PACKED_TYPE_COUNT] = {
    [PACKED_FP32] = 6,
    [PACKED_FP64] = 7,
    [PACKED_INT32] = 2,
    [PACKED_INT64] = 3,
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
        if (!packed_varint(&at, end, &value) || !add_dimension(in, value))
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

static enum pl_code add_typed(struct matrix *m, enum packed_type type, const struct wire_field *contents,
                              struct pl_err *err)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;
    enum pl_code code = PL_OK;

    wire_read_flat(&reader, &span, contents->bytes, contents->len);
    while (code == PL_OK && wire_next(&reader, &f))
        if (f.number == contents_field[type])
            code = packed_add_field(m, type, &f, err);
    return code == PL_OK && reader.malformed ? malformed(err) : code;
}

static enum pl_code find_type(struct tensor_text name, enum packed_type *out, struct pl_err *err)
{
    struct refuse_quote q = refuse_quote(name.s, name.n);

    for (unsigned type = 0; type < PACKED_TYPE_COUNT; type++) {
        const char *known = packed_type_name((enum packed_type)type);

        if (name.n == strlen(known) && memcmp(name.s, known, name.n) == 0) {
            *out = (enum packed_type)type;
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
    enum packed_type type = PACKED_FP32;
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
        code = packed_add_raw(m, type, parts.raw.bytes, parts.raw.len, err);
    else if (in.has_contents)
        code = add_typed(m, type, &in.contents, err);
    return code == PL_OK ? set_shape(m, &in, err) : code;
}
