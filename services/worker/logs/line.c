#include "logs/line.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Length of the UTF-8 character at 's', or 0 when there is none. As RFC 3629: no overlong forms, no surrogates. */
static size_t character(const unsigned char *s, size_t n)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max;
        size_t length;
    } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    if (s[0] < 0x80)
        return 1;
    for (size_t i = 0; i < PL_COUNT(forms); i++) {
        if (s[0] < forms[i].first_min || s[0] > forms[i].first_max)
            continue;
        if (n < forms[i].length || s[1] < forms[i].second_min || s[1] > forms[i].second_max)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

/* What a character that begins with 'byte' is long; 1 when none does. */
static size_t length_from(unsigned char byte)
{
    return byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 && byte <= 0xef ? 3 : byte >= 0xc2 && byte <= 0xdf ? 2 : 1;
}

size_t log_whole_characters(const char *s, size_t n)
{
    size_t back = 0;

    while (back < 3 && back < n && ((unsigned char)s[n - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < n && length_from((unsigned char)s[n - 1 - back]) > back + 1)
        return n - 1 - back;
    return n;
}

/* C1 control characters, and what turns text around or hides it, are as unwelcome as bytes below space. */
static bool shows(const unsigned char *s, size_t length)
{
    if (length == 1)
        return (s[0] >= 0x20 && s[0] != 0x7f) || s[0] == '\t';
    if (length == 2)
        return s[0] != 0xc2 || s[1] >= 0xa0;
    if (length == 3 && s[0] == 0xe2 && (s[1] == 0x80 || s[1] == 0x81)) {
        unsigned low = s[2];

        return s[1] == 0x80 ? !(low >= 0xa8 && low <= 0xae) : !(low >= 0xa6 && low <= 0xa9);
    }
    return true;
}

static void add_escaped(struct pl_buf *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    char text[4] = { '\\', 'x', digits[byte >> 4], digits[byte & 15] };

    (void)pl_buf_add(out, text, sizeof(text));
}

static void add_text(struct pl_buf *out, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t end = out->len + LOG_TEXT_MAX - 16; /* the widest thing added at once: a character as \xNN\xNN\xNN\xNN */

    while (n > 0 && out->len <= end && !out->failed) {
        size_t plain = 0, length;

        while (plain < n && plain < end - out->len && s[plain] >= 0x20 && s[plain] < 0x7f)
            plain++;
        (void)pl_buf_add(out, s, plain);
        s += plain;
        n -= plain;
        if (n == 0 || plain > 0)
            continue;
        length = character(s, n);
        if (length > 0 && shows(s, length))
            (void)pl_buf_add(out, s, length);
        else
            for (size_t i = 0; i < (length ? length : 1); i++)
                add_escaped(out, s[i]);
        s += length ? length : 1;
        n -= length ? length : 1;
    }
}

bool log_line_write(struct pl_buf *out, const struct log_line *l)
{
    size_t before = out->len;

    assert(l->variant_len <= LOG_VARIANT_MAX);
    (void)pl_buf_addf(out, "%" PRId64 " %.*s %" PRIu64 " ", l->at_us, (int)l->variant_len, l->variant, l->instance);
    if (l->request)
        (void)pl_buf_addf(out, "%016" PRIx64 " ", l->request);
    else
        (void)pl_buf_adds(out, "- ");
    add_text(out, l->text, l->text_len);
    (void)pl_buf_addc(out, '\n');
    if (!out->failed)
        return true;
    out->len = before;
    out->failed = false;
    if (out->data)
        out->data[before] = '\0';
    return false;
}

/* A number in 'base' up to the next space, which is passed. */
static bool take_number(const char **s, const char *end, unsigned base, uint64_t *out)
{
    uint64_t value = 0;
    const char *p = *s;

    for (; p < end && *p != ' '; p++) {
        unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                         : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
                                                  : 16;

        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    if (p == end || p == *s)
        return false;
    *out = value;
    *s = p + 1;
    return true;
}

bool log_line_read(struct log_line *out, const char *s, size_t n)
{
    const char *end = s + n, *space;
    uint64_t at;

    if (!take_number(&s, end, 10, &at) || at > INT64_MAX)
        return false;
    out->at_us = (int64_t)at;
    for (space = s; space<end && * space> ' ' && *space < 0x7f; space++)
        ;
    if (space == end || *space != ' ' || space == s || space - s > LOG_VARIANT_MAX)
        return false;
    out->variant = s;
    out->variant_len = (size_t)(space - s);
    s = space + 1;
    if (!take_number(&s, end, 10, &out->instance))
        return false;
    if (end - s >= 2 && s[0] == '-' && s[1] == ' ') {
        out->request = 0;
        s += 2;
    } else if (!take_number(&s, end, 16, &out->request)) {
        return false;
    }
    out->text = s;
    out->text_len = (size_t)(end - s);
    return true;
}
