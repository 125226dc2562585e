#include "selectable.h"

#include "base/buf.h"
#include "encode.h"
#include "model.h"
#include "refuse.h"

#include <math.h>
#include <string.h>

static const char *const names[OUTPUT_KEY_COUNT] = {
    [OUTPUT_PREDICTED_LABEL] = "predicted_label",
    [OUTPUT_LABELS] = "labels",
    [OUTPUT_PROBABILITY] = "probability",
    [OUTPUT_PROBABILITIES] = "probabilities",
    [OUTPUT_RAW_SCORE] = "raw_score",
    [OUTPUT_RAW_SCORES] = "raw_scores",
    [OUTPUT_PREDICTED_SCORE] = "predicted_score",
};

static enum pl_code add_key(struct selection *s, const char *name, size_t n, struct pl_err *err)
{
    struct refuse_quote q = refuse_quote(name, n);
    unsigned key = 0;

    while (key < OUTPUT_KEY_COUNT && (strlen(names[key]) != n || memcmp(names[key], name, n) != 0))
        key++;
    if (key == OUTPUT_KEY_COUNT)
        return refuse(err, STATUS_FAILED,
                      "SAGEMAKER_INFERENCE_OUTPUT: '%s' is not one of predicted_label, labels, probability, "
                      "probabilities, raw_score, raw_scores, predicted_score",
                      q.text);
    if (s->count == SELECTION_MAX)
        return refuse(err, STATUS_FAILED, "SAGEMAKER_INFERENCE_OUTPUT: more than %d keys", SELECTION_MAX);
    s->keys[s->count++] = (enum output_key)key;
    return PL_OK;
}

enum pl_code selection_parse(struct selection *s, const char *text, struct pl_err *err)
{
    s->count = 0;
    while (*text) {
        size_t n = strcspn(text, ","), blank = strspn(text, " \t");
        const char *name = text + (blank < n ? blank : n);
        size_t len = n - (size_t)(name - text);

        while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
            len--;
        if (len > 0 && add_key(s, name, len, err) != PL_OK)
            return PL_MODEL;
        text += n + (text[n] == ',');
    }
    return PL_OK;
}

/* One value of a row: nothing we know (NaN), a number, or a list. */
struct selected {
    enum { SELECTED_NUMBER, SELECTED_LABEL, SELECTED_LIST, SELECTED_LABELS } kind;
    float number;      /* NUMBER                                  */
    long label;        /* LABEL                                   */
    const float *list; /* LIST                                    */
    size_t count;      /* LIST; LABELS: 0 .. count - 1            */
};

static struct selected number(float value)
{
    return (struct selected){ .kind = SELECTED_NUMBER, .number = value };
}

static size_t argmax(const float *values, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

static struct selected predicted_label(const struct prediction *p, const float *v)
{
    switch (p->meaning) {
    case MEANING_PROBABILITY:
        return (struct selected){ .kind = SELECTED_LABEL, .label = v[0] > 0.5f };
    case MEANING_MARGIN:
        return (struct selected){ .kind = SELECTED_LABEL, .label = v[0] > 0 };
    case MEANING_PROBABILITIES:
        return (struct selected){ .kind = SELECTED_LABEL, .label = (long)argmax(v, p->outputs) };
    case MEANING_CLASS:
        return number(v[0]);
    case MEANING_SCORE:
        break;
    }
    return number(NAN);
}

/* 'pair' has room for the two classes of a binary model. */
static struct selected select_value(const struct prediction *p, const float *v, enum output_key key, float pair[2])
{
    bool binary = p->meaning == MEANING_PROBABILITY || p->meaning == MEANING_MARGIN ||
                  (p->meaning == MEANING_CLASS && p->classes == 2);
    bool many = p->meaning == MEANING_PROBABILITIES;

    pair[0] = 1.0f - v[0];
    pair[1] = v[0];
    switch (key) {
    case OUTPUT_PREDICTED_LABEL:
        return predicted_label(p, v);
    case OUTPUT_LABELS:
        if (p->classes == 0)
            break;
        return (struct selected){ .kind = SELECTED_LABELS, .count = p->classes };
    case OUTPUT_PROBABILITY:
        if (many)
            return number(v[argmax(v, p->outputs)]);
        if (p->meaning == MEANING_PROBABILITY)
            return number(v[0]);
        break;
    case OUTPUT_PROBABILITIES:
        if (p->meaning == MEANING_PROBABILITY)
            return (struct selected){ .kind = SELECTED_LIST, .list = pair, .count = 2 };
        if (many)
            return (struct selected){ .kind = SELECTED_LIST, .list = v, .count = p->outputs };
        break;
    case OUTPUT_RAW_SCORE:
        if (p->meaning == MEANING_SCORE)
            break;
        return number(many ? v[argmax(v, p->outputs)] : v[0]);
    case OUTPUT_RAW_SCORES:
        if (many)
            return (struct selected){ .kind = SELECTED_LIST, .list = v, .count = p->outputs };
        if (binary)
            return (struct selected){ .kind = SELECTED_LIST, .list = pair, .count = 2 };
        break;
    case OUTPUT_PREDICTED_SCORE:
        if (p->meaning == MEANING_SCORE)
            return number(v[0]);
        break;
    case OUTPUT_KEY_COUNT:
        break;
    }
    return number(NAN);
}

static void put_list(struct pl_buf *out, const struct selected *v, enum number_style style)
{
    (void)pl_buf_addc(out, '[');
    for (size_t i = 0; i < v->count && !out->failed; i++) {
        if (i > 0)
            (void)pl_buf_adds(out, ", ");
        if (v->kind == SELECTED_LABELS)
            (void)pl_buf_addf(out, "%zu", i);
        else
            encode_float(out, v->list[i], style);
    }
    (void)pl_buf_addc(out, ']');
}

static void put(struct pl_buf *out, const struct selected *v, enum number_style style)
{
    if (v->kind == SELECTED_NUMBER)
        encode_float(out, v->number, style);
    else if (v->kind == SELECTED_LABEL)
        (void)pl_buf_addf(out, "%ld", v->label);
    else
        put_list(out, v, style);
}

void selectable_json_row(struct pl_buf *out, const struct selection *s, const struct prediction *p, size_t row)
{
    for (unsigned i = 0; i < s->count; i++) {
        float pair[2];
        struct selected v = select_value(p, p->values + row * p->outputs, s->keys[i], pair);

        (void)pl_buf_addf(out, "%s\"%s\": ", i ? ", " : "{", names[s->keys[i]]);
        put(out, &v, NUMBER_JSON);
    }
    (void)pl_buf_addc(out, '}');
}

void selectable_csv_row(struct pl_buf *out, const struct selection *s, const struct prediction *p, size_t row)
{
    for (unsigned i = 0; i < s->count; i++) {
        float pair[2];
        struct selected v = select_value(p, p->values + row * p->outputs, s->keys[i], pair);
        bool quoted = v.kind == SELECTED_LIST || v.kind == SELECTED_LABELS;

        (void)pl_buf_adds(out, i ? "," : "");
        (void)pl_buf_adds(out, quoted ? "\"" : "");
        put(out, &v, NUMBER_CSV);
        (void)pl_buf_adds(out, quoted ? "\"" : "");
    }
}
