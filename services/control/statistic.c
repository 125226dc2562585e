#include "statistic.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *prefix;
    int kind;
} extended[] = {
    { "tm", STATISTIC_TRIMMED_MEAN }, { "wm", STATISTIC_WINSORIZED_MEAN }, { "tc", STATISTIC_TRIMMED_COUNT },
    { "ts", STATISTIC_TRIMMED_SUM },  { "pr", STATISTIC_PERCENTILE_RANK },
};

static const char *const plain[] = {
    [STATISTIC_SAMPLE_COUNT] = "sample_count", [STATISTIC_SUM] = "sum",         [STATISTIC_AVERAGE] = "average",
    [STATISTIC_MINIMUM] = "minimum",           [STATISTIC_MAXIMUM] = "maximum",
};

/* Digits with at most one point, at the whole of [from, to); at most 40 of them. */
static bool number(const char *from, const char *to, bool may_be_negative, double *out)
{
    char text[41];
    size_t n = (size_t)(to - from), digits = 0, points = 0;
    if (n == 0 || n >= sizeof(text))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool sign = i == 0 && from[i] == '-' && may_be_negative;
        digits += isdigit((unsigned char)from[i]) != 0;
        points += from[i] == '.';
        if (!isdigit((unsigned char)from[i]) && from[i] != '.' && !sign)
            return false;
    }
    if (digits == 0 || points > 1)
        return false;
    memcpy(text, from, n);
    text[n] = '\0';
    *out = strtod(text, NULL);
    return true;
}

/* One side of "(10%:90%)": empty means no limit. '*percent' says whether there was a '%'. */
static bool side(const char *from, const char *to, double *out, bool *percent, bool *given)
{
    *given = to > from;
    *percent = *given && to[-1] == '%';
    if (!*given)
        return true;
    return number(from, to - *percent, !*percent, out) && (!*percent || (*out >= 0 && *out <= 100));
}

static bool range(const char *text, struct statistic *out)
{
    const char *end = text + strlen(text) - 1, *colon = strchr(text, ':');
    double low = 0, high = 0;
    bool low_percent, high_percent, low_given, high_given;
    if (*text != '(' || *end != ')' || !colon || !side(text + 1, colon, &low, &low_percent, &low_given) ||
        !side(colon + 1, end, &high, &high_percent, &high_given) || (!low_given && !high_given) ||
        (low_given && high_given && low_percent != high_percent))
        return false;
    out->by_value = low_given ? !low_percent : !high_percent;
    out->low = low_given ? low : out->by_value ? -HUGE_VAL : 0;
    out->high = high_given ? high : out->by_value ? HUGE_VAL : 100;
    return out->low < out->high && (out->kind != STATISTIC_PERCENTILE_RANK || out->by_value);
}

static bool percentage(const char *text, double *out)
{
    return number(text, text + strlen(text), false, out) && *out <= 100;
}

bool statistic_parse(const char *text, struct statistic *out)
{
    *out = (struct statistic){ .high = 100 };
    for (size_t i = 0; i < PL_COUNT(plain); i++) {
        if (strcasecmp(text, plain[i]) == 0) {
            out->kind = (int)i;
            return true;
        }
    }
    if (strcasecmp(text, "iqm") == 0) {
        *out = (struct statistic){ .kind = STATISTIC_TRIMMED_MEAN, .low = 25, .high = 75 };
        return true;
    }
    for (size_t i = 0; i < PL_COUNT(extended); i++) {
        if (strncasecmp(text, extended[i].prefix, 2) != 0)
            continue;
        out->kind = extended[i].kind;
        if (text[2] == '(')
            return range(text + 2, out);
        return out->kind != STATISTIC_PERCENTILE_RANK && percentage(text + 2, &out->high);
    }
    out->kind = STATISTIC_PERCENTILE;
    return tolower((unsigned char)*text) == 'p' && percentage(text + 1, &out->high);
}

bool statistic_is_extended(const struct statistic *s)
{
    return s->kind >= STATISTIC_PERCENTILE;
}

/* ---- over the distribution ---- */

static double clamp(const struct point *p, double value)
{
    return fmin(fmax(value, p->min), p->max);
}

/* How many of n values are at or below percentile p. */
static uint64_t rank_of(double percent, uint64_t n)
{
    double r = ceil(percent / 100 * (double)n - 1e-9 * (double)n);
    return r <= 0 ? 0 : r >= (double)n ? n : (uint64_t)r;
}

static double percentile(const struct point *p, double percent)
{
    uint64_t rank = rank_of(percent, sketch_total(&p->sketch));
    if (percent >= 100)
        return p->max;
    return rank <= 1 ? p->min : clamp(p, sketch_at(&p->sketch, rank - 1));
}

struct kept {
    double count, sum;
    double low, high; /* the outermost values that were kept */
    double below, above;
};

/* Values whose rank is in (from, to], or which are within two values. */
static void keep(const struct statistic *s, const struct point *p, struct kept *out)
{
    uint64_t n = sketch_total(&p->sketch), seen = 0;
    uint64_t from = s->by_value ? 0 : rank_of(s->low, n), to = s->by_value ? n : rank_of(s->high, n);
    *out = (struct kept){ 0 };
    for (uint32_t i = 0; i < p->sketch.len; i++) {
        uint64_t count = p->sketch.buckets[i].count, first = seen, last = seen + count;
        double value = clamp(p, sketch_value(p->sketch.buckets[i].index));
        seen = last;
        if (s->by_value && (value < s->low || value > s->high))
            first = last = value < s->low ? 0 : n;
        uint64_t low = first > from ? first : from, high = last < to ? last : to;
        uint64_t inside = high > low ? high - low : 0;
        if (inside && out->count <= 0)
            out->low = value;
        if (inside)
            out->high = value;
        out->count += (double)inside;
        out->sum += value * (double)inside;
        *(out->count > 0 || inside ? &out->above : &out->below) += (double)(count - inside);
    }
}

static double winsorized(const struct statistic *s, const struct kept *k, const struct point *p)
{
    if (s->by_value) {
        double low = isfinite(s->low) ? s->low : k->low, high = isfinite(s->high) ? s->high : k->high;
        return (k->sum + k->below * low + k->above * high) / p->count;
    }
    uint64_t n = sketch_total(&p->sketch);
    double below = (double)rank_of(s->low, n), above = (double)(n - rank_of(s->high, n));
    return (k->sum + below * k->low + above * k->high) / p->count;
}

static double of_distribution(const struct statistic *s, const struct point *p)
{
    struct kept k;
    keep(s, p, &k);
    if (s->kind == STATISTIC_TRIMMED_COUNT)
        return k.count;
    if (s->kind == STATISTIC_TRIMMED_SUM)
        return k.sum;
    if (s->kind == STATISTIC_PERCENTILE_RANK)
        return 100 * k.count / p->count;
    if (k.count <= 0)
        return NAN;
    return s->kind == STATISTIC_WINSORIZED_MEAN ? winsorized(s, &k, p) : k.sum / k.count;
}

double statistic_of(const struct statistic *s, const struct point *p)
{
    switch ((int)s->kind) {
    case STATISTIC_SAMPLE_COUNT:
        return p->count;
    case STATISTIC_SUM:
        return p->sum;
    case STATISTIC_AVERAGE:
        return p->sum / p->count;
    case STATISTIC_MINIMUM:
        return p->min;
    case STATISTIC_MAXIMUM:
        return p->max;
    default:
        if (!point_distribution_known(p))
            return NAN;
        return s->kind == STATISTIC_PERCENTILE ? percentile(p, s->high) : of_distribution(s, p);
    }
}
