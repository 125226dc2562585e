#include "base/text.h"

#include "base/err.h"
#include "utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

bool pl_utf8_valid(const char *s, size_t n)
{
    while (n > 0) {
        size_t step = utf8_step(s, n);
        if (step == 0)
            return false;
        s += step;
        n -= step;
    }
    return true;
}

void pl_utf8_clean(char *s, size_t n)
{
    while (n > 0) {
        size_t step = utf8_step(s, n);
        if (step == 0) {
            *s = '?';
            step = 1;
        }
        s += step;
        n -= step;
    }
}

/* The digits at the front of '*s', at least one; moves '*s' behind them. */
static bool digits(const char **s, uint64_t *out)
{
    const char *p = *s;
    uint64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return false;
    if (p == *s)
        return false;
    *s = p;
    *out = value;
    return true;
}

bool pl_parse_u64(const char *s, uint64_t max, uint64_t *out)
{
    uint64_t value;
    if (!s || !digits(&s, &value) || *s || value > max)
        return false;
    *out = value;
    return true;
}

bool pl_parse_i64(const char *s, int64_t min, int64_t max, int64_t *out)
{
    uint64_t size;
    bool negative = s && *s == '-';
    if (!s || !pl_parse_u64(s + negative, (uint64_t)INT64_MAX + negative, &size))
        return false;
    int64_t value = negative ? (int64_t)(0 - size) : (int64_t)size;
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool pl_parse_bytes(const char *s, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = { { "", 1 }, { "KiB", 1u << 10 }, { "MiB", 1u << 20 }, { "GiB", 1u << 30 } };
    uint64_t count;
    if (!s || !digits(&s, &count))
        return false;
    for (size_t i = 0; i < PL_COUNT(units); i++)
        if (strcmp(s, units[i].unit) == 0)
            return !__builtin_mul_overflow(count, units[i].bytes, out);
    return false;
}

/* ---- the nearest word ---- */

#define NEAR_MAX 64 /* longer words are not compared */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits that turn 'a' into 'b': a letter added, dropped or changed, or two neighbours swapped. Both at most NEAR_MAX.
 */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NEAR_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t k = 0; k <= b_len; k++)
        last[k] = before[k] = k;
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t k = 1; k <= b_len; k++) {
            now[k] = least(least(last[k], now[k - 1]) + 1, last[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                now[k] = least(now[k], before[k - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b_len];
}

const char *pl_nearest(const char *word, const char *const *known, size_t count)
{
    const char *best = NULL;
    size_t best_edits = SIZE_MAX, word_len = strlen(word);
    if (word_len > NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(known[i]);
        if (len > NEAR_MAX)
            continue;
        size_t edits = distance(word, word_len, known[i], len);
        if (edits * 3 <= len && edits < best_edits) {
            best = known[i];
            best_edits = edits;
        }
    }
    return best;
}

/* ---- random names ---- */

void pl_hex(const void *bytes, size_t n, char *out)
{
    static const char letters[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = letters[b[i] >> 4];
        *out++ = letters[b[i] & 15];
    }
    *out = '\0';
}

void pl_random(void *out, size_t n)
{
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            pl_die("getrandom: %s", strerror(errno));
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

uint64_t pl_random_u64(void)
{
    uint64_t value;
    pl_random(&value, sizeof(value));
    return value;
}

void pl_random_id(const char *prefix, char *out, size_t size)
{
    uint8_t bytes[8];
    size_t n = strlen(prefix);
    assert(size >= n + 2 + 2 * sizeof(bytes));
    (void)size;
    pl_random(bytes, sizeof(bytes));
    memcpy(out, prefix, n);
    out[n] = '-';
    pl_hex(bytes, sizeof(bytes), out + n + 1);
}
