#include "decode.h"

#include "matrix.h"
#include "base/number.h"
#include "refuse.h"

#include <string.h>

#define MAX_INDEX 0x7ffffffeu

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Decimal digits only; no sign. */
static bool parse_index(const char *s, const char *end, uint32_t *out)
{
    uint64_t value = 0;

    if (s == end)
        return false;
    for (; s < end; s++) {
        if (*s < '0' || *s > '9')
            return false;
        value = value * 10 + (uint64_t)(*s - '0');
        if (value > MAX_INDEX)
            return false;
    }
    *out = (uint32_t)value;
    return true;
}

static enum pl_code token(struct matrix *m, const char *s, const char *end, size_t number, struct pl_err *err)
{
    const char *colon = memchr(s, ':', (size_t)(end - s));
    struct refuse_quote q;
    uint32_t index;
    double value;

    if (!colon)
        return PL_OK; /* a label */
    q = refuse_quote(s, (size_t)(end - s));
    if (!parse_index(s, colon, &index))
        return refuse(err, STATUS_UNSUPPORTED,
                      "row %zu, item %zu: '%s' does not start with a column index between 0 and %u", m->rows + 1,
                      number, q.text, MAX_INDEX);
    if (colon + 1 == end || number_scan(colon + 1, (size_t)(end - colon - 1), &value) != (size_t)(end - colon - 1))
        return refuse(err, STATUS_UNSUPPORTED, "row %zu, item %zu: the value of '%s' is not a number", m->rows + 1,
                      number, q.text);
    return matrix_add_sparse(m, index, (float)value, err);
}

static enum pl_code row(struct matrix *m, const char *s, const char *end, struct pl_err *err)
{
    size_t number = 0;

    while (s < end) {
        const char *stop;

        if (is_blank(*s)) {
            s++;
            continue;
        }
        for (stop = s; stop < end && !is_blank(*stop); stop++)
            ;
        if (token(m, s, stop, ++number, err) != PL_OK)
            return PL_MODEL;
        s = stop;
    }
    return matrix_end_row(m, err);
}

enum pl_code decode_libsvm(struct matrix *m, const char *body, size_t n, struct pl_err *err)
{
    const char *s = body, *end = body + n;

    while (s < end && (is_blank(*s) || *s == '\n'))
        s++;
    while (s < end && (is_blank(end[-1]) || end[-1] == '\n'))
        end--;
    if (s == end)
        return refuse(err, STATUS_UNSUPPORTED, "the body has no rows");
    for (;;) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));

        if (row(m, s, eol ? eol : end, err) != PL_OK)
            return PL_MODEL;
        if (!eol)
            return PL_OK;
        s = eol + 1;
    }
}
