#include "text_number.h"

#include "base/number.h"

#include <stdlib.h>
#include <string.h>

int64_t text_integer(struct doc *d, int64_t min, int64_t max)
{
    struct doc_text text;
    double value;

    if (doc_peek(d) == DOC_NUMBER)
        return doc_integer(d, min, max);
    text = doc_text(d);
    if (d->wrong)
        return min;
    if (text.n > 0 && number_scan(text.s, text.n, &value) == text.n && value >= (double)min && value <= (double)max &&
        value == (double)(int64_t)value)
        return (int64_t)value;
    doc_fail(d, "a parameter is no whole number, or out of its range");
    return min;
}

static bool separator(char c)
{
    return c == ' ' || c == ',' || c == '[' || c == ']';
}

size_t text_floats(struct doc *d, float **out, bool *out_list)
{
    struct doc_text text = doc_text(d);
    size_t at = 0, count = 0;
    float *values = malloc((text.n / 2 + 1) * sizeof(*values));

    *out_list = text.n > 0 && text.s[0] == '[';
    while (values && !d->wrong) {
        double value;
        size_t n;

        while (at < text.n && separator(text.s[at]))
            at++;
        if (at == text.n)
            break;
        n = number_scan(text.s + at, text.n - at, &value);
        if (n == 0 || (at + n < text.n && !separator(text.s[at + n]))) {
            doc_fail(d, "a parameter is no number");
        } else {
            values[count++] = (float)value;
            at += n;
        }
    }
    if (count == 0 || (count > 1 && !*out_list))
        doc_fail(d, values ? "a parameter is no number" : "no memory for a parameter");
    if (d->wrong) {
        free(values);
        return 0;
    }
    *out = values;
    return count;
}
