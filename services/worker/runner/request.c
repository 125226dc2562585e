#include "request.h"

#include "refuse.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <string.h>

/* pilotlight.internal.v1.WorkerInvokeResponse */
enum { REFUSAL_BODY = 1, REFUSAL_STATUS = 5 };

/* pilotlight.internal.v1.WorkerInvokeRequest */
enum {
    FIELD_CONTENT_TYPE = 2,
    FIELD_ACCEPT = 3,
    FIELD_BODY = 4,
    FIELD_CUSTOM_ATTRIBUTES = 5,
    FIELD_INFERENCE_ID = 6,
    FIELD_REQUEST_ID = 101,
};

static bool text_field(const struct wire_field *f, const char **out, size_t *out_len)
{
    if (f->type != WIRE_BYTES)
        return false;
    *out = f->bytes;
    *out_len = f->len;
    return true;
}

static bool field(struct request *r, const struct wire_field *f)
{
    switch (f->number) {
    case FIELD_CONTENT_TYPE:
        return text_field(f, &r->content_type, &r->content_type_len);
    case FIELD_ACCEPT:
        return text_field(f, &r->accept, &r->accept_len);
    case FIELD_BODY:
        return text_field(f, &r->body, &r->body_len);
    case FIELD_CUSTOM_ATTRIBUTES:
        return text_field(f, &r->custom_attributes, &r->custom_attributes_len);
    case FIELD_INFERENCE_ID:
        return text_field(f, &r->inference_id, &r->inference_id_len);
    case FIELD_REQUEST_ID:
        r->request_id = f->value;
        return f->type == WIRE_VARINT;
    default:
        return true;
    }
}

enum pl_code request_read(struct request *out, const uint8_t *payload, size_t n, struct pl_err *err)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;

    *out = (struct request){ 0 };
    wire_read_flat(&reader, &span, payload, n);
    while (wire_next(&reader, &f))
        if (!field(out, &f))
            return refuse(err, STATUS_BAD_REQUEST, "the request's field %u has another type than declared", f.number);
    if (reader.malformed)
        return refuse(err, STATUS_BAD_REQUEST, "the request is not a valid protobuf message");
    return PL_OK;
}

void refusal_write(struct pl_buf *out, const struct pl_err *err)
{
    uint8_t bytes[sizeof(err->message) + 2 * WIRE_MAX_HEADER];
    uint8_t *end = wire_put_bytes(bytes, REFUSAL_BODY, err->message, strlen(err->message));

    end = wire_put_varint(end, REFUSAL_STATUS, (uint64_t)err->model_status);
    (void)pl_buf_add(out, bytes, (size_t)(end - bytes));
}
