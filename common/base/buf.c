#include "base/buf.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

static size_t limit_of(const struct pl_buf *b)
{
    return b->limit > 0 ? b->limit : PL_BUF_DEFAULT_LIMIT;
}

/* The smallest doubling of the capacity that holds 'need' bytes; when that would pass what the limit can use, that. */
static size_t next_cap(const struct pl_buf *b, size_t need)
{
    size_t cap = b->cap > 0 ? b->cap : FIRST_CAP, most = limit_of(b) + 1;
    while (cap < need)
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : need;
    return cap > most && need <= most ? most : cap;
}

/* Room for 'n' more bytes and their NUL; on failure the contents are as they were. */
static bool reserve(struct pl_buf *b, size_t n)
{
    size_t limit = limit_of(b);
    if (b->failed)
        return false;
    if (limit == SIZE_MAX) /* the NUL needs a byte too */
        limit--;
    if (b->len > limit || n > limit - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    size_t cap = next_cap(b, need);
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

void pl_buf_done(struct pl_buf *b)
{
    free(b->data);
    *b = PL_BUF_INIT(b->limit);
}

void pl_buf_clear(struct pl_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

bool pl_buf_add(struct pl_buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n))
        return false;
    if (n > 0)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
    return true;
}

bool pl_buf_adds(struct pl_buf *b, const char *s)
{
    return pl_buf_add(b, s, strlen(s));
}

bool pl_buf_addc(struct pl_buf *b, char c)
{
    return pl_buf_add(b, &c, 1);
}

bool pl_buf_addf(struct pl_buf *b, const char *fmt, ...)
{
    if (!reserve(b, 0))
        return false;
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t spare = b->cap - b->len;
    int n = vsnprintf(b->data + b->len, spare, fmt, args);
    va_end(args);
    bool ok = n >= 0;
    if (ok && (size_t)n >= spare) {
        ok = reserve(b, (size_t)n);
        if (ok)
            ok = vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again) == n;
    } else if (ok && (size_t)n > limit_of(b) - b->len) {
        ok = false; /* the memory would hold it, the limit does not */
    }
    va_end(again);
    if (!ok) {
        b->failed = true;
        b->data[b->len] = '\0';
        return false;
    }
    b->len += (size_t)n;
    return true;
}

char *pl_buf_room(struct pl_buf *b, size_t n)
{
    return reserve(b, n) ? b->data + b->len : NULL;
}

/* How JSON writes the one-byte character 'c'; NULL when as it is. 'out' is scratch for \u00XX. */
static const char *json_escape(unsigned char c, char out[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        if (c >= 0x20 && c != 0x7f)
            return NULL;
        (void)snprintf(out, 8, "\\u%04x", c);
        return out;
    }
}

static void add_json_text(struct pl_buf *b, const char *s, size_t n)
{
    size_t plain = 0; /* bytes before 's' that go out as they are, not added yet */
    while (n > 0 && !b->failed) {
        char scratch[8];
        size_t step = utf8_step(s, n);
        const char *instead = step == 0 ? "\xef\xbf\xbd" : step == 1 ? json_escape((unsigned char)*s, scratch) : NULL;
        step = step > 0 ? step : 1;
        if (instead) {
            (void)pl_buf_add(b, s - plain, plain);
            (void)pl_buf_adds(b, instead);
            plain = 0;
        } else {
            plain += step;
        }
        s += step;
        n -= step;
    }
    (void)pl_buf_add(b, s - plain, plain);
}

bool pl_buf_add_json(struct pl_buf *b, const char *s, size_t n)
{
    size_t before = b->len;
    if (!pl_buf_addc(b, '"'))
        return false;
    if (n > 0)
        add_json_text(b, s, n);
    if (pl_buf_addc(b, '"'))
        return true;
    b->len = before;
    b->data[before] = '\0';
    return false;
}

char *pl_buf_take(struct pl_buf *b, size_t *out_len)
{
    if (!reserve(b, 0)) {
        pl_buf_done(b);
        return NULL;
    }
    b->data[b->len] = '\0'; /* whoever wrote into pl_buf_room() may not have */
    if (out_len)
        *out_len = b->len;
    char *data = b->data;
    b->data = NULL;
    pl_buf_done(b);
    return data;
}
