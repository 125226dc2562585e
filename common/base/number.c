#include "base/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Powers of ten that a double holds exactly. */
static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
#define MAX_EXACT_POWER 22
#define MAX_EXACT_INT   (UINT64_C(1) << 53)
#define MAX_DIGITS      19 /* of which any fit a uint64_t */
#define MAX_EXPONENT    100000

/* What a scan found: value = mantissa * 10^exponent, unless digits were dropped. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    unsigned kept; /* digits in the mantissa, without leading zeros */
    bool dropped;  /* more digits than the mantissa holds: not exact */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void add_digit(struct decimal *d, char c, bool fraction)
{
    if (d->kept >= MAX_DIGITS) {
        d->dropped = true;
        return;
    }
    d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
    d->kept += d->mantissa != 0;
    d->exponent -= fraction;
}

/* "e-12" at 's': how many characters, 0 when it is no exponent (then the number ends before the 'e'). */
static size_t scan_exponent(const char *s, size_t n, int *out)
{
    size_t at = 1;
    bool negative = false;
    int value = 0;

    if (n == 0 || (s[0] | 0x20) != 'e')
        return 0;
    if (at < n && (s[at] == '-' || s[at] == '+'))
        negative = s[at++] == '-';
    if (at >= n || !is_digit(s[at]))
        return 0;
    for (; at < n && is_digit(s[at]); at++)
        value = value < MAX_EXPONENT ? value * 10 + (s[at] - '0') : value;
    *out = negative ? -value : value;
    return at;
}

static size_t scan_word(const char *s, size_t n, double *out)
{
    static const struct {
        const char *word;
        size_t len;
        double value;
    } words[] = { { "nan", 3, NAN }, { "infinity", 8, INFINITY }, { "inf", 3, INFINITY } };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (n >= words[i].len && strncasecmp(s, words[i].word, words[i].len) == 0) {
            *out = words[i].value;
            return words[i].len;
        }
    }
    return 0;
}

/* strtod() needs a terminator, which the caller's bytes do not have. */
static double slow(const char *s, size_t n)
{
    char copy[NUMBER_MAX_CHARS + 1];

    memcpy(copy, s, n);
    copy[n] = '\0';
    return strtod(copy, NULL);
}

static size_t scan_decimal(const char *s, size_t n, double *out)
{
    struct decimal d = { 0 };
    size_t at = 0, digits = 0;
    int exponent = 0;

    for (; at < n && is_digit(s[at]); at++, digits++)
        add_digit(&d, s[at], false);
    if (at < n && s[at] == '.') {
        size_t point = at++;
        for (; at < n && is_digit(s[at]); at++, digits++)
            add_digit(&d, s[at], true);
        if (digits == 0)
            at = point;
    }
    if (digits == 0)
        return 0;
    at += scan_exponent(s + at, n - at, &exponent);
    if (at > NUMBER_MAX_CHARS)
        return 0;
    exponent += d.exponent;
    if (!d.dropped && d.mantissa <= MAX_EXACT_INT && exponent >= -MAX_EXACT_POWER && exponent <= MAX_EXACT_POWER)
        *out = exponent < 0 ? (double)d.mantissa / powers[-exponent] : (double)d.mantissa * powers[exponent];
    else
        *out = slow(s, at);
    return at;
}

size_t number_scan(const char *s, size_t n, double *out)
{
    size_t sign = n > 0 && (s[0] == '-' || s[0] == '+');
    size_t used = scan_decimal(s + sign, n - sign, out);

    if (used == 0)
        used = scan_word(s + sign, n - sign, out);
    if (used == 0)
        return 0;
    if (sign && s[0] == '-')
        *out = -*out;
    return sign + used;
}
