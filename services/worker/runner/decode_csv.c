#include "decode.h"

#include "matrix.h"
#include "base/number.h"
#include "refuse.h"

#include <math.h>
#include <string.h>

#define SNIFF_CHARS 512 /* as the built-in container: the delimiter shows in the first so many characters */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The body without white space at its ends and without a byte order mark. */
static void strip(const char **s, const char **end)
{
    if (*end - *s >= 3 && memcmp(*s, "\xef\xbb\xbf", 3) == 0)
        *s += 3;
    while (*s < *end && is_space(**s))
        (*s)++;
    while (*s < *end && is_space((*end)[-1]))
        (*end)--;
}

/* The first of these that the first line has; a single column has none. */
static char sniff(const char *s, const char *end)
{
    static const char candidates[] = { ',', ';', '\t', '|', ' ' };
    size_t n = (size_t)(end - s) < SNIFF_CHARS ? (size_t)(end - s) : SNIFF_CHARS;
    const char *eol = memchr(s, '\n', n);

    if (eol)
        n = (size_t)(eol - s);
    for (size_t i = 0; i < sizeof(candidates); i++)
        if (memchr(s, candidates[i], n))
            return candidates[i];
    return ',';
}

static enum pl_code bad_cell(struct matrix *m, const char *s, const char *end, struct pl_err *err)
{
    size_t column = m->rows ? m->count - m->rows * m->cols : m->count;
    struct refuse_quote q = refuse_quote(s, (size_t)(end - s));

    return refuse(err, STATUS_UNSUPPORTED, "row %zu, column %zu: '%s' is not a number%s", m->rows + 1, column + 1,
                  q.text, m->rows == 0 ? " (a header row is not accepted)" : "");
}

/* A cell that is more than digits: padded, empty, or wrong. */
static enum pl_code odd_cell(struct matrix *m, const char *s, const char *end, struct pl_err *err)
{
    const char *from = s, *to = end;
    double value;

    while (from < to && is_space(*from))
        from++;
    while (from < to && is_space(to[-1]))
        to--;
    if (from == to)
        return matrix_add(m, NAN, err);
    if (number_scan(from, (size_t)(to - from), &value) != (size_t)(to - from))
        return bad_cell(m, from, to, err);
    return matrix_add(m, (float)value, err);
}

/* One cell from 's'; '*out_end' is the character after it: a delimiter, a line's end or the end. */
static enum pl_code cell(struct matrix *m, const char *s, const char *end, char delimiter, const char **out_end,
                         struct pl_err *err)
{
    double value;
    const char *at = s + number_scan(s, (size_t)(end - s), &value);

    if (at > s && (at == end || *at == delimiter || *at == '\n')) {
        *out_end = at;
        return matrix_add(m, (float)value, err);
    }
    for (at = s; at < end && *at != delimiter && *at != '\n'; at++)
        ;
    *out_end = at;
    return odd_cell(m, s, at, err);
}

enum pl_code decode_csv(struct matrix *m, const char *body, size_t n, struct pl_err *err)
{
    const char *s = body, *end = body + n;
    char delimiter;

    strip(&s, &end);
    if (s == end)
        return refuse(err, STATUS_UNSUPPORTED, "the body has no rows");
    delimiter = sniff(s, end);
    for (;; s++) {
        if (cell(m, s, end, delimiter, &s, err) != PL_OK)
            return PL_MODEL;
        if (s < end && *s == delimiter)
            continue;
        if (matrix_end_row(m, err) != PL_OK)
            return PL_MODEL;
        if (s == end)
            return PL_OK;
    }
}
