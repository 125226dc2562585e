#include "schedule.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY_S     INT64_C(86400)
#define TEXT_MAX  256
#define RATE_MOST 100000

/* ---- cron fields ---- */

struct field {
    const char *name;
    int min, max;
    const char *const *names; /* of min, min + 1, ...; NULL: numbers only */
    bool may_be_any;          /* '?' */
};

static const char *const month_names[] = { "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL",
                                           "AUG", "SEP", "OCT", "NOV", "DEC", NULL };
static const char *const weekday_names[] = { "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL };

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR, FIELDS };
static const struct field fields[FIELDS] = {
    [MINUTE] = { "minute", 0, 59, NULL, false },
    [HOUR] = { "hour", 0, 23, NULL, false },
    [DAY] = { "day-of-month", 1, 31, NULL, true },
    [MONTH] = { "month", 1, 12, month_names, false },
    [WEEKDAY] = { "day-of-week", 1, 7, weekday_names, true },
    [YEAR] = { "year", SCHEDULE_FIRST_YEAR, SCHEDULE_FIRST_YEAR + SCHEDULE_YEARS - 1, NULL, false },
};

static bool read_value(const struct field *f, const char *text, int *out)
{
    int64_t n;
    for (int i = 0; f->names && f->names[i]; i++) {
        if (strcasecmp(text, f->names[i]) == 0) {
            *out = f->min + i;
            return true;
        }
    }
    if (!pl_parse_i64(text, f->min, f->max, &n))
        return false;
    *out = (int)n;
    return true;
}

/* "*", "5", "MON", "1-5", "*" or "0-30" with "/10"; sets the flags of 'on', which starts at f->min. */
static bool read_part(const struct field *f, char *part, bool *on)
{
    char *rest = part, *range = strsep(&rest, "/");
    int64_t step = 1;
    int from = f->min, to = f->max;
    if (rest && !pl_parse_i64(rest, 1, f->max, &step))
        return false;
    if (strcmp(range, "*") != 0) {
        char *high = range, *low = strsep(&high, "-");
        if (!read_value(f, low, &from))
            return false;
        to = rest && !high ? f->max : from;
        if (high && !read_value(f, high, &to))
            return false;
    }
    if (from > to)
        return false;
    for (int i = from; i <= to; i += (int)step)
        on[i - f->min] = true;
    return true;
}

static bool read_field(const struct field *f, char *text, bool *on)
{
    char any[] = "*";
    if (f->may_be_any && strcmp(text, "?") == 0)
        text = any;
    for (char *part; (part = strsep(&text, ","));)
        if (!read_part(f, part, on))
            return false;
    return true;
}

static uint64_t bits(const struct field *f, const bool *on, int first_bit)
{
    uint64_t out = 0;
    for (int i = f->min; i <= f->max; i++)
        if (on[i - f->min])
            out |= UINT64_C(1) << (first_bit + i - f->min);
    return out;
}

static enum pl_code parse_cron(const char *field, char *inside, struct schedule *out, struct pl_err *err)
{
    bool on[FIELDS][SCHEDULE_YEARS] = { { false } };
    char *texts[FIELDS];
    int n = 0;
    for (char *t; (t = strsep(&inside, " "));) {
        if (*t == '\0')
            continue;
        if (n == FIELDS)
            return pl_fail(err, PL_INVALID, field, "%s: cron has more than six fields", field);
        texts[n++] = t;
    }
    if (n != FIELDS)
        return pl_fail(err, PL_INVALID, field, "%s: cron has %d fields: it must have six", field, n);
    if (strcmp(texts[DAY], "?") != 0 && strcmp(texts[WEEKDAY], "?") != 0)
        return pl_fail(err, PL_INVALID, field, "%s: one of day-of-month and day-of-week must be '?'", field);
    for (int i = 0; i < FIELDS; i++) {
        pl_cleanup(pl_free_p) char *shown = pl_strdup(texts[i]);
        if (!read_field(&fields[i], texts[i], on[i]))
            return pl_fail(err, PL_INVALID, field,
                           "%s: \"%.40s\" is no %s of cron (%d to %d, *, lists, ranges and steps)", field, shown,
                           fields[i].name, fields[i].min, fields[i].max);
    }
    out->minutes = bits(&fields[MINUTE], on[MINUTE], 0);
    out->hours = (uint32_t)bits(&fields[HOUR], on[HOUR], 0);
    out->days = (uint32_t)bits(&fields[DAY], on[DAY], 1);
    out->months = (uint32_t)bits(&fields[MONTH], on[MONTH], 1);
    out->weekdays = (uint8_t)bits(&fields[WEEKDAY], on[WEEKDAY], 0);
    memcpy(out->years, on[YEAR], sizeof(out->years));
    return PL_OK;
}

/* ---- at and rate ---- */

static bool parse_at(const char *inside, int64_t *out_s)
{
    struct tm tm = { 0 }, again;
    char extra;
    if (strlen(inside) != 19 || strspn(inside, "0123456789-:T") != 19 ||
        sscanf(inside, "%4d-%2d-%2dT%2d:%2d:%2d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec, &extra) != 6)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const struct tm given = tm;
    time_t at = timegm(&tm);
    *out_s = at;
    return at >= 0 && gmtime_r(&at, &again) && again.tm_mon == given.tm_mon && again.tm_mday == given.tm_mday &&
           again.tm_hour == given.tm_hour && again.tm_min == given.tm_min && again.tm_sec == given.tm_sec;
}

static bool parse_rate(char *inside, int64_t *out_s)
{
    static const struct {
        const char *one, *many;
        int64_t s;
    } units[] = { { "minute", "minutes", 60 }, { "hour", "hours", 3600 }, { "day", "days", DAY_S } };
    char *unit = inside, *count = strsep(&unit, " ");
    int64_t n;
    if (!unit || !pl_parse_i64(count, 1, RATE_MOST, &n))
        return false;
    for (size_t i = 0; i < PL_COUNT(units); i++) {
        if (strcmp(unit, units[i].one) != 0 && strcmp(unit, units[i].many) != 0)
            continue;
        *out_s = n * units[i].s;
        return true;
    }
    return false;
}

enum pl_code schedule_parse(const char *field, const char *text, struct schedule *out, struct pl_err *err)
{
    size_t len = strlen(text);
    *out = (struct schedule){ 0 };
    if (len < TEXT_MAX && len > 0 && text[len - 1] == ')') {
        pl_cleanup(pl_free_p) char *copy = pl_strndup(text, len - 1);
        char *inside = copy, *kind = strsep(&inside, "(");
        if (inside && strcmp(kind, "cron") == 0) {
            out->kind = SCHEDULE_CRON;
            return parse_cron(field, inside, out, err);
        }
        out->kind = inside && strcmp(kind, "at") == 0 ? SCHEDULE_AT : SCHEDULE_RATE;
        if (inside && ((strcmp(kind, "at") == 0 && parse_at(inside, &out->at_s)) ||
                       (strcmp(kind, "rate") == 0 && parse_rate(inside, &out->every_s))))
            return PL_OK;
    }
    return pl_fail(err, PL_INVALID, field,
                   "%s \"%.80s\" is no schedule: it must be like at(2026-02-11T08:00:00), rate(5 minutes) or "
                   "cron(0 8 ? * MON-FRI *)",
                   field, text);
}

/* ---- when ---- */

static bool day_matches(const struct schedule *s, const struct tm *tm)
{
    int year = tm->tm_year + 1900 - SCHEDULE_FIRST_YEAR;
    return year >= 0 && year < SCHEDULE_YEARS && s->years[year] && (s->months >> (tm->tm_mon + 1) & 1) &&
           (s->days >> tm->tm_mday & 1) && (s->weekdays >> tm->tm_wday & 1);
}

/* The first minute of that day, from 'minute' on; -1: none. */
static int minute_of_day(const struct schedule *s, int minute)
{
    for (; minute < 1440; minute++)
        if ((s->hours >> (minute / 60) & 1) && (s->minutes >> (minute % 60) & 1))
            return minute;
    return -1;
}

static int64_t next_cron(const struct schedule *s, int64_t after_s)
{
    int64_t from_s = after_s < 0 ? 0 : after_s / 60 * 60 + 60, day = from_s / DAY_S;
    int64_t end = (int64_t)SCHEDULE_YEARS * 366;
    for (int first = (int)(from_s % DAY_S / 60); day < end; day++, first = 0) {
        struct tm tm;
        time_t at = (time_t)(day * DAY_S);
        if (!gmtime_r(&at, &tm) || !day_matches(s, &tm))
            continue;
        int minute = minute_of_day(s, first);
        if (minute >= 0)
            return day * DAY_S + minute * 60;
    }
    return -1;
}

int64_t schedule_next(const struct schedule *s, int64_t anchor_s, int64_t after_s)
{
    switch (s->kind) {
    case SCHEDULE_AT:
        return s->at_s > after_s ? s->at_s : -1;
    case SCHEDULE_RATE:
        return after_s < anchor_s ? anchor_s : anchor_s + ((after_s - anchor_s) / s->every_s + 1) * s->every_s;
    default:
        return next_cron(s, after_s);
    }
}
