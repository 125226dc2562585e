#include "reply.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "name.h"
#include "rpc/rpc.h"
#include "wire/wire.h"

#include <string.h>

#define SPANS 64

/* pilotlight.v1.InvokeResponse and its Timings */
enum { FIELD_BODY = 1, FIELD_VARIANT = 3, FIELD_STATUS = 5, FIELD_TIMINGS = 6 };
enum {
    FIELD_COLD = 1,
    FIELD_QUEUE_US = 2,
    FIELD_START_US = 3,
    FIELD_LOAD_US = 4,
    FIELD_MODEL_US = 5,
    FIELD_OVERHEAD_US = 6,
    FIELD_TOTAL_US = 7,
    FIELD_SANDBOX_US = 8,
    FIELD_FIRST_PREDICT_US = 9,
};
#define TIMINGS_MAX 9 * WIRE_MAX_HEADER

/* What of the worker host's answer the router looks at. */
struct answer {
    int64_t model_us;
    int model_status;
    struct wire_field body;
    bool has_body;
};

static int64_t read_model_us(const struct wire_reader *r, const struct wire_field *timings)
{
    uint8_t bytes[TIMINGS_MAX];
    struct wire_reader inner;
    struct wire_field f;
    struct iovec span;
    int64_t model_us = 0;

    if (timings->len > sizeof(bytes))
        return 0;
    wire_read_flat(&inner, &span, bytes, wire_copy(r, timings, bytes, sizeof(bytes)));
    while (wire_next(&inner, &f))
        if (f.number == FIELD_MODEL_US && f.type == WIRE_VARINT)
            model_us = (int64_t)f.value;
    return model_us > 0 ? model_us : 0;
}

static bool read(const struct rpc_bytes *bytes, struct answer *out)
{
    struct iovec few[SPANS];
    unsigned n = rpc_bytes_spans(bytes, few, SPANS);
    pl_cleanup(pl_free_p) struct iovec *many = n > SPANS ? pl_new0(n, sizeof(*many)) : NULL;
    struct wire_reader r;
    struct wire_field f;

    *out = (struct answer){ 0 };
    if (many)
        (void)rpc_bytes_spans(bytes, many, n);
    wire_read(&r, many ? many : few, n);
    while (wire_next(&r, &f)) {
        if (f.number == FIELD_TIMINGS && f.type == WIRE_BYTES) {
            out->model_us = read_model_us(&r, &f);
        } else if (f.number == FIELD_BODY && f.type == WIRE_BYTES) {
            out->body = f;
            out->has_body = true;
        } else if (f.number == FIELD_STATUS && f.type == WIRE_VARINT) {
            out->model_status = f.value <= 599 ? (int)f.value : 599;
        }
    }
    return !r.malformed;
}

bool reply_read(const struct rpc_bytes *answer, struct reply_facts *out)
{
    struct answer a;
    bool good = read(answer, &a);

    *out = (struct reply_facts){ .model_us = good ? a.model_us : -1, .model_status = good ? a.model_status : 0 };
    return good;
}

void reply_error(const struct rpc_bytes *answer, struct pl_err *out)
{
    char text[sizeof(out->message) + 4]; /* with the rest of a character that is cut */
    struct iovec few[8];
    struct answer a;
    size_t n = 0;

    if (!read(answer, &a)) {
        (void)pl_fail_reason(out, PL_INTERNAL, "INSTANCE_DIED", NULL, "the worker host's answer is malformed");
        return;
    }
    if (a.has_body && a.body.len > 0) {
        size_t most = a.body.len < sizeof(text) ? a.body.len : sizeof(text);
        pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *start = rpc_bytes_sub(answer, a.body.offset, most);
        unsigned spans = rpc_bytes_spans(start, few, PL_COUNT(few));

        for (unsigned i = 0; i < spans && i < PL_COUNT(few); i++) {
            memcpy(text + n, few[i].iov_base, few[i].iov_len);
            n += few[i].iov_len;
        }
    }
    (void)pl_fail_reason(out, PL_MODEL, "MODEL_ERROR", NULL, "%.*s", (int)n, text);
    if (n == 0)
        (void)pl_fail_reason(out, PL_MODEL, "MODEL_ERROR", NULL, "the model gave no reason");
    out->model_status = a.model_status;
}

static uint8_t *put_time(uint8_t *out, uint32_t field, int64_t us)
{
    return us > 0 ? wire_put_varint(out, field, (uint64_t)us) : out;
}

struct rpc_bytes *reply_invoke(const struct rpc_bytes *answer, const char *variant, const struct reply_timings *t)
{
    uint8_t timings[TIMINGS_MAX], *end = timings;
    uint8_t fields[TIMINGS_MAX + NAME_LENGTH_MAX + 2 * WIRE_MAX_HEADER], *at = fields;
    struct answer a;

    if (!read(answer, &a)) /* what is appended would be part of a field that has no end */
        return NULL;
    if (t->cold)
        end = wire_put_varint(end, FIELD_COLD, 1);
    end = put_time(end, FIELD_QUEUE_US, t->queue_us);
    end = put_time(end, FIELD_START_US, t->start_us);
    end = put_time(end, FIELD_LOAD_US, t->load_us);
    end = put_time(end, FIELD_MODEL_US,
                   t->model_us); /* the host's again: protobuf-c does not merge scalars of sub-messages */
    end = put_time(end, FIELD_OVERHEAD_US, t->overhead_us);
    end = put_time(end, FIELD_TOTAL_US, t->total_us);
    end = put_time(end, FIELD_SANDBOX_US, t->sandbox_us);
    end = put_time(end, FIELD_FIRST_PREDICT_US, t->first_predict_us);
    at = wire_put_bytes(at, FIELD_VARIANT, variant, strnlen(variant, NAME_LENGTH_MAX));
    at = wire_put_bytes(at, FIELD_TIMINGS, timings, (size_t)(end - timings));
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *tail = rpc_bytes_copy(fields, (size_t)(at - fields));
    return rpc_bytes_join(answer, tail);
}

struct rpc_bytes *reply_tensor(const struct rpc_bytes *answer)
{
    struct answer a;

    if (!read(answer, &a) || !a.has_body)
        return NULL;
    return rpc_bytes_sub(answer, a.body.offset, a.body.len);
}
