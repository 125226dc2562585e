#include "channel/answer.h"

#include "base/text.h"
#include "frame/frame.h"
#include "wire/wire.h"

#include <string.h>

#define STATUS_MIN 400
#define STATUS_MAX 599

static bool lie(const char **out_why, const char *why)
{
    *out_why = why;
    return false;
}

static bool printable(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7e)
            return false;
    return true;
}

/* ---- RESULT, ERROR ---- */

enum { RESULT_BODY = 1, RESULT_CONTENT_TYPE = 2, RESULT_ATTRIBUTES = 4, RESULT_STATUS = 5 };

static bool is_text(const struct wire_field *f)
{
    return f->type == WIRE_BYTES && f->len <= ANSWER_MAX_TEXT && printable(f->bytes, f->len);
}

static const char *result_field_wrong(const struct wire_field *f)
{
    switch (f->number) {
    case RESULT_BODY:
        return f->type == WIRE_BYTES ? NULL : "its result's body is not bytes";
    case RESULT_CONTENT_TYPE:
        return is_text(f) ? NULL : "its result's content type is not printable ASCII of at most 1024 bytes";
    case RESULT_ATTRIBUTES:
        return is_text(f) ? NULL : "its result's custom attributes are not printable ASCII of at most 1024 bytes";
    case RESULT_STATUS:
        return f->type == WIRE_VARINT && f->value >= 200 && f->value <= 299 ? NULL
                                                                            : "its result's status is not 200..299";
    default:
        return "its result has a field that results do not have";
    }
}

enum answer_verdict answer_check_result(const uint8_t *payload, size_t len, const char **out_why)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    bool too_large = false;

    wire_read_flat(&r, &span, payload, len);
    while (wire_next(&r, &f)) {
        *out_why = result_field_wrong(&f);
        if (*out_why)
            return ANSWER_LIE;
        too_large |= f.number == RESULT_BODY && f.len > ANSWER_MAX_BODY;
    }
    if (r.malformed) {
        *out_why = "its result is no protobuf message";
        return ANSWER_LIE;
    }
    return too_large ? ANSWER_TOO_LARGE : ANSWER_GOOD;
}

static bool error_field_good(const struct wire_field *f)
{
    if (f->number == RESULT_STATUS)
        return f->type == WIRE_VARINT && f->value >= STATUS_MIN && f->value <= STATUS_MAX;
    if (f->number == RESULT_BODY)
        return f->type == WIRE_BYTES && f->len <= FRAME_MAX_ERROR;
    return (f->number == RESULT_CONTENT_TYPE || f->number == RESULT_ATTRIBUTES) && is_text(f);
}

bool answer_check_error(const uint8_t *payload, size_t len, const char **out_why)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    bool has_status = false;

    wire_read_flat(&r, &span, payload, len);
    while (wire_next(&r, &f)) {
        if (!error_field_good(&f))
            return lie(out_why, "its error has a field, a size or a status that errors do not have");
        has_status |= f.number == RESULT_STATUS;
    }
    if (r.malformed)
        return lie(out_why, "its error is no protobuf message");
    return has_status || lie(out_why, "its error has no status");
}

/* ---- FAILED ---- */

bool answer_read_error(const uint8_t *payload, size_t len, struct pl_err *out, const char **out_why)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    const char *reason = "MODEL_ERROR";
    uint64_t status = 500;
    struct wire_field message = { .bytes = "", .len = 0 };

    wire_read_flat(&r, &span, payload, len);
    while (wire_next(&r, &f)) {
        if (f.number == 1 && f.type == WIRE_VARINT && f.value >= STATUS_MIN && f.value <= STATUS_MAX)
            status = f.value;
        else if (f.number == 2 && f.type == WIRE_BYTES && f.len <= ANSWER_MAX_TEXT)
            message = f;
        else if (f.number == 3 && f.type == WIRE_VARINT && f.value == 1)
            reason = ANSWER_FOREST_DAMAGED;
        else
            return lie(out_why, "its error has a field, a size or a status that errors do not have");
    }
    if (r.malformed)
        return lie(out_why, "its error is no protobuf message");
    (void)pl_fail_reason(out, PL_MODEL, reason, NULL, "%.*s", (int)message.len, (const char *)message.bytes);
    if (message.len == 0)
        (void)pl_fail_reason(out, PL_MODEL, reason, NULL, "the model gave no reason");
    out->model_status = (int)status;
    return true;
}

/* ---- LOADED ---- */

static bool read_text(const struct wire_field *f, char *out, size_t size)
{
    if (f->type != WIRE_BYTES || f->len >= size || !printable(f->bytes, f->len))
        return false;
    if (f->len > 0)
        memcpy(out, f->bytes, f->len);
    out[f->len] = '\0';
    return true;
}

static bool read_count(const struct wire_field *f, int32_t *out)
{
    if (f->type != WIRE_VARINT || f->value > INT32_MAX)
        return false;
    *out = (int32_t)f->value;
    return true;
}

static bool read_us(const struct wire_field *f, int64_t *out)
{
    if (f->type != WIRE_VARINT || f->value > INT64_MAX)
        return false;
    *out = (int64_t)f->value;
    return true;
}

static bool read_flag(const struct wire_field *f, bool *out)
{
    *out = f->value == 1;
    return f->type == WIRE_VARINT && f->value <= 1;
}

static bool read_fact(const struct wire_field *f, struct model_facts *out)
{
    switch (f->number) {
    case 1:
        return read_text(f, out->runtime_version, sizeof(out->runtime_version));
    case 2:
        return read_text(f, out->objective, sizeof(out->objective));
    case 3:
        return read_count(f, &out->features);
    case 4:
        return read_count(f, &out->outputs);
    case 5:
        return read_count(f, &out->model_files);
    case 11:
        return read_count(f, &out->forests);
    case 12:
        return read_text(f, out->forest_note, sizeof(out->forest_note));
    default:
        return false; /* the rest is the host's to say */
    }
}

static bool read_facts(const struct wire_field *field, struct model_facts *out)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;

    if (field->type != WIRE_BYTES)
        return false;
    wire_read_flat(&r, &span, field->bytes, field->len);
    while (wire_next(&r, &f))
        if (!read_fact(&f, out))
            return false;
    return !r.malformed;
}

bool answer_read_loaded(const uint8_t *payload, size_t len, struct model_facts *out, const char **out_why)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;

    *out = (struct model_facts){ 0 };
    wire_read_flat(&r, &span, payload, len);
    while (wire_next(&r, &f)) {
        bool good = f.number == 1   ? read_facts(&f, out)
                    : f.number == 2 ? read_us(&f, &out->load_us)
                    : f.number == 3 ? read_us(&f, &out->warm_us)
                    : f.number == 4 ? read_flag(&f, &out->forest_damaged)
                                    : false;

        if (!good)
            return lie(out_why, "its facts about the model have a field or a size that facts do not have");
    }
    return r.malformed ? lie(out_why, "its facts about the model are no protobuf message") : true;
}
