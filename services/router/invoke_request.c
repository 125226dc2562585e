#include "invoke_request.h"

#include "base/mem.h"
#include "rpc/rpc.h"
#include "wire/wire.h"

#include <string.h>

#define SPANS 64
/* HTTP servers take header values of about this size; SageMaker's ContentType, Accept and CustomAttributes have it. */
#define HEADER_MAX       1024
#define INFERENCE_ID_MAX 64

/* What a text field may be. 'printable': ASCII 0x20..0x7e; else ASCII. */
struct text_rule {
    uint32_t number;
    const char *name;
    size_t max;
    bool printable;
};

static const struct text_rule invoke_texts[] = {
    { 2, "content_type", HEADER_MAX, true },
    { 3, "accept", HEADER_MAX, true },
    { 5, "custom_attributes", HEADER_MAX, false },
    { 6, "inference_id", INFERENCE_ID_MAX, true },
};

static enum pl_code malformed(struct pl_err *err)
{
    return pl_fail_reason(err, PL_INVALID, "MALFORMED_PROTOBUF", NULL, "request: malformed protobuf");
}

/* ---- single fields ---- */

static enum pl_code read_name(const struct wire_reader *r, const struct wire_field *f, const char *field, char *out,
                              struct pl_err *err)
{
    size_t n;

    if (f->type != WIRE_BYTES)
        return malformed(err);
    n = wire_copy(r, f, out, NAME_LENGTH_MAX);
    out[n] = '\0';
    if (f->len == 0)
        return PL_OK;
    if (f->len <= NAME_LENGTH_MAX && name_valid(out, n))
        return PL_OK;
    return pl_fail(err, PL_INVALID, field,
                   "%s is \"%s%s\" (%zu bytes): 1 to %d letters, digits and inner hyphens are allowed", field, out,
                   f->len > n ? "..." : "", f->len, NAME_LENGTH_MAX);
}

static enum pl_code check_text(const struct wire_reader *r, const struct wire_field *f, const struct text_rule *rule,
                               struct pl_err *err)
{
    char text[HEADER_MAX];
    size_t n;

    if (f->type != WIRE_BYTES)
        return malformed(err);
    if (f->len > rule->max)
        return pl_fail(err, PL_INVALID, rule->name, "%s has %zu bytes: at most %zu are allowed", rule->name, f->len,
                       rule->max);
    n = wire_copy(r, f, text, sizeof(text));
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c > 0x7f || (rule->printable && (c < 0x20 || c == 0x7f)))
            return pl_fail(err, PL_INVALID, rule->name, "%s has the byte 0x%02x at %zu: only %s is allowed", rule->name,
                           c, i, rule->printable ? "printable ASCII" : "ASCII");
    }
    return PL_OK;
}

static enum pl_code too_large(size_t len, const char *field, struct pl_err *err)
{
    return pl_fail_reason(err, PL_EXHAUSTED, "PAYLOAD_TOO_LARGE", field, "%s has %zu bytes: at most %zu are allowed",
                          field, len, INVOKE_BODY_MAX);
}

/* ---- messages ---- */

static enum pl_code read_invoke_field(struct invoke_request *out, const struct wire_reader *r,
                                      const struct wire_field *f, size_t *body_len, struct pl_err *err)
{
    if (f->number == 1)
        return read_name(r, f, "endpoint_name", out->endpoint, err);
    if (f->number == 7)
        return read_name(r, f, "target_variant", out->variant, err);
    if (f->number == 4) {
        *body_len = f->len;
        return f->type == WIRE_BYTES ? PL_OK : malformed(err);
    }
    if (f->number == 8) {
        out->error_as_response = f->value != 0;
        return f->type == WIRE_VARINT ? PL_OK : malformed(err);
    }
    for (size_t i = 0; i < PL_COUNT(invoke_texts); i++)
        if (invoke_texts[i].number == f->number)
            return check_text(r, f, &invoke_texts[i], err);
    return PL_OK;
}

static enum pl_code read_tensor_field(struct invoke_request *out, const struct wire_reader *r,
                                      const struct wire_field *f, size_t *body_len, struct pl_err *err)
{
    (void)body_len;
    if (f->number == 1)
        return read_name(r, f, "model_name", out->endpoint, err);
    if (f->number == 2)
        return read_name(r, f, "model_version", out->variant, err);
    return PL_OK;
}

typedef enum pl_code read_field_fn(struct invoke_request *out, const struct wire_reader *r, const struct wire_field *f,
                                   size_t *body_len, struct pl_err *err);

static enum pl_code read(struct invoke_request *out, const struct rpc_bytes *bytes, read_field_fn *read_field,
                         size_t *body_len, struct pl_err *err)
{
    struct iovec few[SPANS];
    unsigned n = rpc_bytes_spans(bytes, few, SPANS);
    pl_cleanup(pl_free_p) struct iovec *many = n > SPANS ? pl_new0(n, sizeof(*many)) : NULL;
    struct wire_reader r;
    struct wire_field f;

    if (many)
        (void)rpc_bytes_spans(bytes, many, n);
    out->endpoint[0] = out->variant[0] = '\0';
    out->error_as_response = false;
    wire_read(&r, many ? many : few, n);
    while (wire_next(&r, &f))
        if (read_field(out, &r, &f, body_len, err) != PL_OK)
            return err->code;
    return r.malformed ? malformed(err) : PL_OK;
}

enum pl_code invoke_request_read(struct invoke_request *out, const struct rpc_bytes *bytes, struct pl_err *err)
{
    size_t body_len = 0;

    if (read(out, bytes, read_invoke_field, &body_len, err) != PL_OK)
        return err->code;
    if (!out->endpoint[0])
        return pl_fail(err, PL_INVALID, "endpoint_name", "endpoint_name is empty: it must name an endpoint");
    return body_len > INVOKE_BODY_MAX ? too_large(body_len, "body", err) : PL_OK;
}

enum pl_code tensor_request_read(struct invoke_request *out, const struct rpc_bytes *bytes, struct pl_err *err)
{
    size_t len = rpc_bytes_len(bytes);

    if (read(out, bytes, read_tensor_field, &len, err) != PL_OK)
        return err->code;
    if (!out->endpoint[0])
        return pl_fail(err, PL_INVALID, "model_name", "model_name is empty: it must name an endpoint");
    return len > INVOKE_BODY_MAX ? too_large(len, "the request", err) : PL_OK;
}
