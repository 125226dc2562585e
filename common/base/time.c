#include "base/time.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say. */
#define WALL_MIN_MS (-62135596800000)
#define WALL_MAX_MS 253402300799999

static int64_t read_us(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t pl_now_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t pl_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t pl_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

/* 'count' decimal digits, then 'after'; returns the end. */
static char *put_digits(char *out, int value, int count, char after)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    out[count] = after;
    return out + count + 1;
}

char *pl_wall_text(int64_t wall_ms, char out[25])
{
    if (wall_ms < WALL_MIN_MS)
        wall_ms = WALL_MIN_MS;
    if (wall_ms > WALL_MAX_MS)
        wall_ms = WALL_MAX_MS;
    int ms = (int)(wall_ms % 1000);
    if (ms < 0) /* before 1970 */
        ms += 1000;
    time_t seconds = (wall_ms - ms) / 1000;
    struct tm tm = { 0 };
    (void)gmtime_r(&seconds, &tm);
    char *p = put_digits(out, tm.tm_year + 1900, 4, '-');
    p = put_digits(p, tm.tm_mon + 1, 2, '-');
    p = put_digits(p, tm.tm_mday, 2, 'T');
    p = put_digits(p, tm.tm_hour, 2, ':');
    p = put_digits(p, tm.tm_min, 2, ':');
    p = put_digits(p, tm.tm_sec, 2, '.');
    p = put_digits(p, ms, 3, 'Z');
    *p = '\0';
    return out;
}

/* Largest first. */
static const struct {
    const char *name;
    int64_t ms;
} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

bool pl_duration_parse(const char *text, int64_t *out_ms)
{
    int64_t value = 0;
    const char *p = text;
    if (!p)
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
            return false;
    if (p == text)
        return false;
    if (*p == '\0') {
        *out_ms = value;
        return true;
    }
    for (size_t i = 0; i < PL_COUNT(units); i++)
        if (strcmp(p, units[i].name) == 0 && !__builtin_mul_overflow(value, units[i].ms, &value)) {
            *out_ms = value;
            return true;
        }
    return false;
}

char *pl_duration_text(int64_t ms, char out[24])
{
    size_t unit = PL_COUNT(units) - 1;
    if (ms == 0) {
        memcpy(out, "0s", 3);
        return out;
    }
    while (unit > 0 && ms % units[unit - 1].ms == 0)
        unit--;
    (void)snprintf(out, 24, "%lld%s", (long long)(ms / units[unit].ms), units[unit].name);
    return out;
}
