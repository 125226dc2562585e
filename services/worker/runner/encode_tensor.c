#include "tensor.h"

#include "base/buf.h"
#include "model.h"
#include "wire/wire.h"

#include <string.h>

/* inference.ModelInferResponse, its InferOutputTensor and InferTensorContents */
enum { FIELD_MODEL_NAME = 1, FIELD_MODEL_VERSION = 2, FIELD_ID = 3, FIELD_OUTPUTS = 5, FIELD_RAW_OUTPUTS = 6 };
enum { FIELD_NAME = 1, FIELD_DATATYPE = 2, FIELD_SHAPE = 3, FIELD_CONTENTS = 5 };
enum { FIELD_FP32 = 6 };

#define DEFAULT_OUTPUT_NAME "predict"

static void put_header(struct pl_buf *out, uint32_t field, size_t len)
{
    uint8_t bytes[WIRE_MAX_HEADER];

    (void)pl_buf_add(out, bytes, (size_t)(wire_put_header(bytes, field, len) - bytes));
}

static void put_text(struct pl_buf *out, uint32_t field, struct tensor_text text)
{
    if (text.n == 0)
        return;
    put_header(out, field, text.n);
    (void)pl_buf_add(out, text.s, text.n);
}

/* The shape, one field per dimension: parsers take that as well as packed. */
static size_t shape_bytes(const struct prediction *p, uint8_t out[2 * WIRE_MAX_HEADER])
{
    uint8_t *end = out;

    end = wire_put_varint(end, FIELD_SHAPE, p->rows);
    if (p->list)
        end = wire_put_varint(end, FIELD_SHAPE, p->outputs);
    return (size_t)(end - out);
}

void encode_tensor(struct pl_buf *out, const struct tensor_request *request, const struct prediction *p)
{
    struct tensor_text name = request->output_name, type = { "FP32", 4 };
    size_t values = p->rows * p->outputs * sizeof(float), length, contents_length;
    uint8_t shape[2 * WIRE_MAX_HEADER], header[WIRE_MAX_HEADER], typed[WIRE_MAX_HEADER];
    size_t shape_length = shape_bytes(p, shape), typed_length;

    if (name.n == 0)
        name = (struct tensor_text){ DEFAULT_OUTPUT_NAME, strlen(DEFAULT_OUTPUT_NAME) };
    typed_length = (size_t)(wire_put_header(typed, FIELD_FP32, values) - typed);
    contents_length = typed_length + values;
    length = (size_t)(wire_put_header(header, FIELD_NAME, name.n) - header) + name.n;
    length += (size_t)(wire_put_header(header, FIELD_DATATYPE, type.n) - header) + type.n + shape_length;
    if (!request->raw)
        length += (size_t)(wire_put_header(header, FIELD_CONTENTS, contents_length) - header) + contents_length;

    put_text(out, FIELD_MODEL_NAME, request->model_name);
    put_text(out, FIELD_MODEL_VERSION, request->model_version);
    put_text(out, FIELD_ID, request->id);
    put_header(out, FIELD_OUTPUTS, length);
    put_text(out, FIELD_NAME, name);
    put_text(out, FIELD_DATATYPE, type);
    (void)pl_buf_add(out, shape, shape_length);
    if (request->raw) {
        put_header(out, FIELD_RAW_OUTPUTS, values);
    } else {
        put_header(out, FIELD_CONTENTS, contents_length);
        (void)pl_buf_add(out, typed, typed_length);
    }
    (void)pl_buf_add(out, p->values, values);
}
