#include "invoke.h"

#include "base/mem.h"
#include "rpc/rpc.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

/* A body up to here is copied behind its head: cheaper than two spans. */
#define COPY_BELOW ((size_t)16 << 10)
#define SPANS      64

enum request_field { /* pilotlight.v1.InvokeRequest */
                     REQUEST_ENDPOINT = 1,
                     REQUEST_CONTENT_TYPE = 2,
                     REQUEST_ACCEPT = 3,
                     REQUEST_BODY = 4,
                     REQUEST_CUSTOM_ATTRIBUTES = 5,
                     REQUEST_INFERENCE_ID = 6,
                     REQUEST_TARGET_VARIANT = 7,
                     REQUEST_ERROR_AS_RESPONSE = 8, /* always: OriginalMessage is all that the model said */
};
enum response_field { /* pilotlight.v1.InvokeResponse */
                      RESPONSE_BODY = 1,
                      RESPONSE_CONTENT_TYPE = 2,
                      RESPONSE_VARIANT = 3,
                      RESPONSE_CUSTOM_ATTRIBUTES = 4,
                      RESPONSE_MODEL_STATUS = 5,
                      RESPONSE_TIMINGS = 6,
};

static size_t text_room(const char *s)
{
    return s ? strlen(s) + WIRE_MAX_HEADER : 0;
}

static uint8_t *put_text(uint8_t *at, uint32_t field, const char *s)
{
    return s && *s ? wire_put_bytes(at, field, s, strlen(s)) : at;
}

static uint8_t *put_head(uint8_t *at, const struct invoke_call *c)
{
    at = put_text(at, REQUEST_ENDPOINT, c->endpoint);
    at = put_text(at, REQUEST_CONTENT_TYPE, c->content_type);
    at = put_text(at, REQUEST_ACCEPT, c->accept);
    at = put_text(at, REQUEST_CUSTOM_ATTRIBUTES, c->custom_attributes);
    at = put_text(at, REQUEST_INFERENCE_ID, c->inference_id);
    at = put_text(at, REQUEST_TARGET_VARIANT, c->target_variant);
    at = wire_put_varint(at, REQUEST_ERROR_AS_RESPONSE, 1);
    return wire_put_header(at, REQUEST_BODY, c->body_len);
}

struct rpc_bytes *invoke_request(const struct invoke_call *c)
{
    bool copy = c->body_len < COPY_BELOW;
    size_t room = 2 * WIRE_MAX_HEADER + text_room(c->endpoint) + text_room(c->content_type) + text_room(c->accept) +
                  text_room(c->custom_attributes) + text_room(c->inference_id) + text_room(c->target_variant);
    uint8_t *head = pl_new0(1, room + (copy ? c->body_len : 0)), *end = put_head(head, c);
    if (copy) {
        if (c->body_len)
            memcpy(end, c->body, c->body_len);
        free(c->body);
        return rpc_bytes_wrap(head, (size_t)(end - head) + c->body_len, free, head);
    }
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *first = rpc_bytes_wrap(head, (size_t)(end - head), free, head);
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *second = rpc_bytes_wrap(c->body, c->body_len, free, c->body);
    return rpc_bytes_join(first, second);
}

/* ---- the answer ---- */

/* A later one's members count, as protobuf merges: the worker host wrote one and the router another. */
static void read_timings(const struct wire_reader *r, const struct wire_field *f, struct invoke_timings *out)
{
    uint8_t bytes[128];
    struct wire_reader inner;
    struct wire_field t;
    struct iovec span;
    int64_t *const members[] = { NULL,
                                 NULL,
                                 &out->queue_us,
                                 &out->start_us,
                                 &out->load_us,
                                 &out->model_us,
                                 &out->overhead_us,
                                 &out->total_us,
                                 &out->sandbox_us,
                                 &out->first_predict_us };
    wire_read_flat(&inner, &span, bytes, wire_copy(r, f, bytes, sizeof(bytes)));
    while (wire_next(&inner, &t)) {
        if (t.type != WIRE_VARINT || t.number >= PL_COUNT(members))
            continue;
        if (t.number == 1)
            out->cold = t.value != 0;
        else if (members[t.number])
            *members[t.number] = (int64_t)t.value;
    }
}

static char *read_text(const struct wire_reader *r, const struct wire_field *f, struct arena *a)
{
    char *text = arena_get(a, f->len + 1);
    (void)wire_copy(r, f, text, f->len);
    return text;
}

static bool read_fields(struct rpc_bytes *bytes, struct wire_reader *r, struct arena *a, struct invoke_answer *out)
{
    struct wire_field f, body = { 0 };
    while (wire_next(r, &f)) {
        if (f.type == WIRE_VARINT && f.number == RESPONSE_MODEL_STATUS)
            out->model_status = (int64_t)f.value;
        if (f.type != WIRE_BYTES)
            continue;
        if (f.number == RESPONSE_BODY)
            body = f;
        else if (f.number == RESPONSE_CONTENT_TYPE)
            out->content_type = read_text(r, &f, a);
        else if (f.number == RESPONSE_VARIANT)
            out->variant = read_text(r, &f, a);
        else if (f.number == RESPONSE_CUSTOM_ATTRIBUTES)
            out->custom_attributes = read_text(r, &f, a);
        else if (f.number == RESPONSE_TIMINGS)
            read_timings(r, &f, &out->timings);
    }
    if (r->malformed)
        return false;
    out->body = rpc_bytes_sub(bytes, body.offset, body.len);
    return true;
}

bool invoke_response(struct rpc_bytes *bytes, struct arena *a, struct invoke_answer *out)
{
    struct iovec few[SPANS], *spans = few;
    unsigned count = rpc_bytes_spans(bytes, few, SPANS);
    struct wire_reader r;
    *out = (struct invoke_answer){ .content_type = "", .variant = "", .custom_attributes = "" };
    if (count > SPANS) {
        spans = arena_get(a, count * sizeof(*spans));
        count = rpc_bytes_spans(bytes, spans, count);
    }
    wire_read(&r, spans, count);
    return read_fields(bytes, &r, a, out);
}
