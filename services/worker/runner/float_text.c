#include "float_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_POINT  (-4) /* decimal exponents printed without "e" */
#define MAX_POINT  16
#define MAX_DIGITS 17 /* enough for any double */

/* value = 0.d1d2d3... * 10^(exponent + 1), digits[0] != '0' */
struct decimal {
    char digits[MAX_DIGITS + 1];
    int count;
    int exponent;
};

/* 'count' significant digits, correctly rounded. */
static void to_digits(double value, int count, struct decimal *out)
{
    char text[MAX_DIGITS + 16];

    (void)snprintf(text, sizeof(text), "%.*e", count - 1, value); /* d.ddde[+-]dd */
    out->digits[0] = text[0];
    memcpy(out->digits + 1, text + 2, (size_t)count - 1);
    out->count = count;
    out->exponent = atoi(text + 2 + (count - 1) + 1);
}

static double from_digits(const struct decimal *d)
{
    char text[MAX_DIGITS + 16];

    (void)snprintf(text, sizeof(text), "%.*se%d", d->count, d->digits, d->exponent - (d->count - 1));
    return strtod(text, NULL);
}

/* The next decimal of as many digits; false: it would need one more. */
static bool next_up(struct decimal *d)
{
    int at = d->count - 1;

    while (at >= 0 && d->digits[at] == '9')
        d->digits[at--] = '0';
    if (at < 0)
        return false;
    d->digits[at]++;
    return true;
}

/* The shortest digits that read back as 'value'. Up to 15 digits are always right when they read back; of 16, the
 * nearest may lie outside the interval of a power of two, which is narrower below than above, while the next one is
 * inside. */
static void shortest(double value, struct decimal *out)
{
    to_digits(value, 15, out);
    if (from_digits(out) == value)
        return;
    to_digits(value, 16, out);
    if (from_digits(out) == value || (next_up(out) && from_digits(out) == value))
        return;
    to_digits(value, 17, out);
}

static size_t put_exponent(const struct decimal *d, char *out)
{
    size_t at = 0;

    out[at++] = d->digits[0];
    if (d->count > 1) {
        out[at++] = '.';
        memcpy(out + at, d->digits + 1, (size_t)d->count - 1);
        at += (size_t)d->count - 1;
    }
    return at + (size_t)sprintf(out + at, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
}

static size_t put_plain(const struct decimal *d, char *out)
{
    size_t at = 0;
    int point = d->exponent + 1; /* digits before the point */

    if (point <= 0) {
        memcpy(out, "0.0000", 2 + (size_t)-point);
        at = 2 + (size_t)-point;
    }
    for (int i = 0; i < d->count || i < point; i++) {
        if (i == point && i > 0)
            out[at++] = '.';
        out[at++] = i < d->count ? d->digits[i] : '0';
    }
    if (d->count <= point) {
        memcpy(out + at, ".0", 2);
        at += 2;
    }
    return at;
}

static size_t put_word(const char *word, char *out)
{
    memcpy(out, word, strlen(word));
    return strlen(word);
}

size_t float_text(float value, char out[FLOAT_TEXT_MAX])
{
    struct decimal d;
    size_t sign = 0;

    if (isnan(value))
        return put_word("nan", out);
    if (signbit(value)) {
        out[sign++] = '-';
        value = -value;
    }
    if (isinf(value))
        return sign + put_word("inf", out + sign);
    if (value == 0)
        return sign + put_word("0.0", out + sign);
    shortest(value, &d);
    while (d.count > 1 && d.digits[d.count - 1] == '0')
        d.count--;
    if (d.exponent < MIN_POINT || d.exponent >= MAX_POINT)
        return sign + put_exponent(&d, out + sign);
    return sign + put_plain(&d, out + sign);
}
