#include "encode.h"

#include "base/buf.h"
#include "float_text.h"
#include "model.h"

#include <math.h>

void encode_float(struct pl_buf *out, float value, enum number_style style)
{
    char *room;

    if (style == NUMBER_JSON && !isfinite(value)) {
        (void)pl_buf_adds(out, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    room = pl_buf_room(out, FLOAT_TEXT_MAX);
    if (room)
        out->len += float_text(value, room);
}

static void list(struct pl_buf *out, const float *values, size_t n, const char *separator, enum number_style style)
{
    for (size_t i = 0; i < n && !out->failed; i++) {
        if (i > 0)
            (void)pl_buf_adds(out, separator);
        encode_float(out, values[i], style);
    }
}

void encode_csv(struct pl_buf *out, const struct prediction *p)
{
    for (size_t row = 0; row < p->rows && !out->failed; row++) {
        list(out, p->values + row * p->outputs, p->outputs, ",", NUMBER_CSV);
        (void)pl_buf_addc(out, '\n');
    }
}

void encode_json(struct pl_buf *out, const struct prediction *p)
{
    (void)pl_buf_adds(out, "{\"predictions\": [");
    for (size_t row = 0; row < p->rows && !out->failed; row++) {
        (void)pl_buf_adds(out, row ? ", {\"score\": " : "{\"score\": ");
        if (p->list)
            (void)pl_buf_addc(out, '[');
        list(out, p->values + row * p->outputs, p->outputs, ", ", NUMBER_JSON);
        (void)pl_buf_adds(out, p->list ? "]}" : "}");
    }
    (void)pl_buf_adds(out, "]}");
}

void encode_selected_csv(struct pl_buf *out, const struct selection *s, const struct prediction *p)
{
    for (size_t row = 0; row < p->rows && !out->failed; row++) {
        if (row > 0)
            (void)pl_buf_addc(out, '\n');
        selectable_csv_row(out, s, p, row);
    }
}

void encode_selected_json(struct pl_buf *out, const struct selection *s, const struct prediction *p)
{
    (void)pl_buf_adds(out, "{\"predictions\": [");
    for (size_t row = 0; row < p->rows && !out->failed; row++) {
        if (row > 0)
            (void)pl_buf_adds(out, ", ");
        selectable_json_row(out, s, p, row);
    }
    (void)pl_buf_adds(out, "]}");
}

void encode_selected_jsonlines(struct pl_buf *out, const struct selection *s, const struct prediction *p)
{
    for (size_t row = 0; row < p->rows && !out->failed; row++) {
        selectable_json_row(out, s, p, row);
        (void)pl_buf_addc(out, '\n');
    }
}
