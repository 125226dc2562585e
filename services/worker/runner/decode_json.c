/* Rows of numbers in JSON, by a loop over tokens: the format is two levels deep, so three flags replace a stack. */
#include "decode.h"

#include "matrix.h"
#include "base/number.h"
#include "refuse.h"

#include <math.h>
#include <string.h>

/* Of values beside "instances", which are skipped. */
#define SKIP_DEPTH_MAX 64

struct cursor {
    const char *start, *s, *end;
};

static void skip_space(struct cursor *c)
{
    while (c->s < c->end && (*c->s == ' ' || *c->s == '\t' || *c->s == '\n' || *c->s == '\r'))
        c->s++;
}

/* Takes 'ch' when it is next, white space before it aside. */
static bool take(struct cursor *c, char ch)
{
    skip_space(c);
    if (c->s == c->end || *c->s != ch)
        return false;
    c->s++;
    return true;
}

/* The text at the cursor for a message: up to the next delimiter. */
static struct refuse_quote here(const struct cursor *c)
{
    size_t n = 0, left = (size_t)(c->end - c->s);

    while (n < left && !strchr(",]} \t\r\n", c->s[n] ? c->s[n] : 'x'))
        n++;
    return refuse_quote(c->s, n ? n : left > 0);
}

static enum pl_code expected(const struct cursor *c, const char *what, struct pl_err *err)
{
    struct refuse_quote q = here(c);

    if (c->s == c->end)
        return refuse(err, STATUS_UNSUPPORTED, "the JSON ends where %s is expected", what);
    return refuse(err, STATUS_UNSUPPORTED, "byte %zu of the JSON: %s expected, found '%s'",
                  (size_t)(c->s - c->start) + 1, what, q.text);
}

/* JSON's grammar is narrower than number_scan()'s: no "+1", "01", ".5", "1." or "inf". */
static bool strict_number(const char *s, size_t n)
{
    const char *end = s + n, *dot;

    if (s < end && *s == '-')
        s++;
    if (s == end || *s < '0' || *s > '9')
        return false;
    if (*s == '0' && s + 1 < end && s[1] >= '0' && s[1] <= '9')
        return false;
    dot = memchr(s, '.', (size_t)(end - s));
    return !dot || (dot + 1 < end && dot[1] >= '0' && dot[1] <= '9');
}

/* null, and the three words that Python's json module writes for values JSON does not have. */
static size_t scan_word(const char *s, size_t n, double *out)
{
    static const struct {
        const char *word;
        size_t len;
        double value;
    } words[] = { { "null", 4, NAN }, { "NaN", 3, NAN }, { "Infinity", 8, INFINITY }, { "-Infinity", 9, -INFINITY } };

    for (size_t i = 0; i < PL_COUNT(words); i++) {
        if (n >= words[i].len && memcmp(s, words[i].word, words[i].len) == 0) {
            *out = words[i].value;
            return words[i].len;
        }
    }
    return 0;
}

static bool ends_value(const struct cursor *c, size_t used)
{
    return c->s + used == c->end || strchr(",] \t\r\n", c->s[used] ? c->s[used] : 'x');
}

static enum pl_code value(struct cursor *c, struct matrix *m, struct pl_err *err)
{
    size_t left = (size_t)(c->end - c->s), used, column;
    struct refuse_quote q;
    double number;

    used = scan_word(c->s, left, &number);
    if (used == 0) {
        used = number_scan(c->s, left, &number);
        if (used > 0 && !strict_number(c->s, used))
            used = 0;
    }
    if (used == 0 || !ends_value(c, used)) {
        if (left == 0)
            return expected(c, "a number or null", err);
        q = here(c);
        column = m->count - m->rows * m->cols;
        return refuse(err, STATUS_UNSUPPORTED, "row %zu, column %zu: '%s' is not a number or null", m->rows + 1,
                      column + 1, q.text);
    }
    c->s += used;
    return matrix_add(m, (float)number, err);
}

/* The numbers of one row, after its "[". */
static enum pl_code row(struct cursor *c, struct matrix *m, struct pl_err *err)
{
    do {
        skip_space(c);
        if (value(c, m, err) != PL_OK)
            return PL_MODEL;
    } while (take(c, ','));
    if (!take(c, ']'))
        return expected(c, "',' or ']'", err);
    return matrix_end_row(m, err);
}

/* One row, or a list of rows. */
static enum pl_code rows(struct cursor *c, struct matrix *m, struct pl_err *err)
{
    if (!take(c, '['))
        return expected(c, "'[' (rows of numbers)", err);
    skip_space(c);
    if (c->s < c->end && *c->s == ']')
        return refuse(err, STATUS_UNSUPPORTED, "the JSON has no rows");
    if (c->s < c->end && *c->s != '[')
        return row(c, m, err);
    do {
        if (!take(c, '['))
            return expected(c, "'[' (a row of numbers)", err);
        if (row(c, m, err) != PL_OK)
            return PL_MODEL;
    } while (take(c, ','));
    if (!take(c, ']'))
        return expected(c, "',' or ']'", err);
    return PL_OK;
}

/* ---- an object: {"instances": rows} and whatever else a client sends along ---- */

/* After its first quote; ends past its last. */
static bool skip_string(struct cursor *c)
{
    for (; c->s < c->end && *c->s != '"'; c->s++)
        if (*c->s == '\\' && c->s + 1 < c->end)
            c->s++;
    if (c->s == c->end)
        return false;
    c->s++;
    return true;
}

/* A value of any kind, of which only the brackets and quotes are looked at. */
static enum pl_code skip_value(struct cursor *c, struct pl_err *err)
{
    char open[SKIP_DEPTH_MAX];
    const char *start;
    size_t depth = 0;

    skip_space(c);
    start = c->s;
    for (; c->s < c->end; c->s++) {
        char ch = *c->s;

        if (depth == 0 && (ch == ',' || ch == '}'))
            return c->s > start ? PL_OK : expected(c, "a value", err);
        if (ch == '"') {
            c->s++;
            if (!skip_string(c))
                break;
            c->s--;
        } else if (ch == '[' || ch == '{') {
            if (depth == SKIP_DEPTH_MAX)
                return refuse(err, STATUS_UNSUPPORTED, "the JSON is nested more than %d deep", SKIP_DEPTH_MAX);
            open[depth++] = ch;
        } else if (ch == ']' || ch == '}') {
            if (depth == 0 || open[--depth] != (ch == ']' ? '[' : '{'))
                return expected(c, "a value", err);
        }
    }
    return expected(c, "the end of a value", err);
}

static enum pl_code member(struct cursor *c, struct matrix *m, bool *seen, struct pl_err *err)
{
    static const char instances[] = "instances";
    const char *key;
    size_t n;

    if (!take(c, '"'))
        return expected(c, "a key", err);
    key = c->s;
    if (!skip_string(c))
        return expected(c, "the end of a key", err);
    n = (size_t)(c->s - 1 - key);
    if (!take(c, ':'))
        return expected(c, "':'", err);
    if (n != sizeof(instances) - 1 || memcmp(key, instances, n) != 0)
        return skip_value(c, err);
    if (*seen)
        return refuse(err, STATUS_UNSUPPORTED, "the JSON has \"instances\" twice");
    *seen = true;
    return rows(c, m, err);
}

/* After its "{". */
static enum pl_code object(struct cursor *c, struct matrix *m, struct pl_err *err)
{
    bool seen = false;

    if (take(c, '}'))
        return refuse(err, STATUS_UNSUPPORTED, "the JSON has no \"instances\"");
    do {
        if (member(c, m, &seen, err) != PL_OK)
            return PL_MODEL;
    } while (take(c, ','));
    if (!take(c, '}'))
        return expected(c, "',' or '}'", err);
    return seen ? PL_OK : refuse(err, STATUS_UNSUPPORTED, "the JSON has no \"instances\"");
}

enum pl_code decode_json(struct matrix *m, const char *body, size_t n, struct pl_err *err)
{
    struct cursor c = { .start = body, .s = body, .end = body + n };
    enum pl_code code = take(&c, '{') ? object(&c, m, err) : rows(&c, m, err);

    skip_space(&c);
    if (code == PL_OK && c.s != c.end)
        return expected(&c, "the end", err);
    return code;
}
