#include "alarm_rule.h"

#include <stdarg.h>
#include <stdio.h>

#define STATE(name)   PILOTLIGHT__V1__ALARM_STATE__ALARM_STATE_##name
#define MISSING(name) PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_##name

typedef Pilotlight__V1__AlarmState alarm_state;

const char *alarm_state_name(alarm_state state)
{
    return state == STATE(OK) ? "OK" : state == STATE(ALARM) ? "ALARM" : "INSUFFICIENT_DATA";
}

bool alarm_rule_breaches(const Pilotlight__V1__Alarm *a, double value)
{
    switch ((int)a->comparison) {
    case PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER:
        return value > a->threshold;
    case PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER_OR_EQUAL:
        return value >= a->threshold;
    case PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_LESS:
        return value < a->threshold;
    default:
        return value <= a->threshold;
    }
}

static const char *comparison_text(const Pilotlight__V1__Alarm *a)
{
    switch ((int)a->comparison) {
    case PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER:
        return "greater than";
    case PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER_OR_EQUAL:
        return "greater than or equal to";
    case PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_LESS:
        return "less than";
    default:
        return "less than or equal to";
    }
}

/* What the datapoints say. */
struct tally {
    size_t need;              /* M */
    size_t taken;             /* datapoints that count, at most N */
    size_t breaching;         /* of them */
    size_t missing;           /* N - taken */
    size_t oldest_breach_age; /* in periods, the newest is 1; 0 = none */
    const struct alarm_datapoint *points;
    size_t count;
};

static void tally_up(const Pilotlight__V1__Alarm *a, const struct alarm_datapoint *points, size_t count,
                     struct tally *out)
{
    size_t n = (size_t)a->evaluation_periods;
    *out = (struct tally){ .points = points, .count = count };
    out->need = a->datapoints_to_alarm > 0 ? (size_t)a->datapoints_to_alarm : n;
    for (size_t age = 1; age <= count && out->taken < n; age++) {
        const struct alarm_datapoint *p = &points[count - age];
        if (!p->known)
            continue;
        out->taken++;
        if (!alarm_rule_breaches(a, p->value))
            continue;
        out->breaching++;
        out->oldest_breach_age = age;
    }
    out->missing = n - out->taken;
}

static alarm_state judge(const Pilotlight__V1__Alarm *a, const struct tally *t, alarm_state state)
{
    size_t breaching = t->breaching + (a->missing_data == MISSING(BREACHING) ? t->missing : 0);
    if (breaching >= t->need)
        return STATE(ALARM);
    if (t->missing == 0 || a->missing_data == MISSING(BREACHING) || a->missing_data == MISSING(NOT_BREACHING) ||
        t->breaching < t->taken)
        return STATE(OK);
    if (a->missing_data == MISSING(IGNORE))
        return state;
    if (t->taken == 0)
        return STATE(INSUFFICIENT_DATA);
    return t->oldest_breach_age >= t->need ? STATE(ALARM) : state;
}

/* ---- the sentence ---- */

struct text {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->at, t->left, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < t->left ? (size_t)n : t->left - 1;
    t->at += used;
    t->left -= used;
}

/* The datapoints that made the difference, newest last. */
static void add_values(struct text *out, const Pilotlight__V1__Alarm *a, const struct tally *t)
{
    const char *separator = "";
    add(out, "[");
    for (size_t i = t->count > 10 ? t->count - 10 : 0; i < t->count; i++) {
        const struct alarm_datapoint *p = &t->points[i];
        if (!p->known || !alarm_rule_breaches(a, p->value))
            continue;
        add(out, "%s%g", separator, p->value);
        separator = ", ";
    }
    add(out, "]");
}

static void explain(const Pilotlight__V1__Alarm *a, const struct tally *t, alarm_state to, char *out_reason)
{
    struct text out = { .at = out_reason, .left = ALARM_REASON_SIZE };
    size_t n = (size_t)a->evaluation_periods;
    if (to == STATE(INSUFFICIENT_DATA) || t->taken == 0) {
        add(&out, "%s: no datapoints were received for %zu periods",
            to == STATE(INSUFFICIENT_DATA) ? "Insufficient data"
            : to == STATE(ALARM)           ? "Threshold crossed"
                                           : "Threshold not crossed",
            t->count);
        if (to != STATE(INSUFFICIENT_DATA))
            add(&out, ", which count as %sbreaching", to == STATE(ALARM) ? "" : "not ");
        add(&out, ".");
        return;
    }
    add(&out, "Threshold %s: %zu of the last %zu datapoints%s", to == STATE(ALARM) ? "crossed" : "not crossed",
        t->breaching, t->taken, t->breaching > 0 ? " " : "");
    if (t->breaching > 0)
        add_values(&out, a, t);
    add(&out, " %s %s the threshold %g", t->breaching == 1 ? "was" : "were", comparison_text(a), a->threshold);
    if (t->missing > 0)
        add(&out, ", %zu of %zu %s missing", t->missing, n, t->missing == 1 ? "is" : "are");
    add(&out, "; %zu of %zu are needed for the alarm.", t->need, n);
}

alarm_state alarm_rule_state(const Pilotlight__V1__Alarm *a, const struct alarm_datapoint *points, size_t count,
                             alarm_state state, char out_reason[ALARM_REASON_SIZE])
{
    struct tally t;
    tally_up(a, points, count, &t);
    alarm_state to = judge(a, &t, state);
    if (to != state)
        explain(a, &t, to, out_reason);
    return to;
}
