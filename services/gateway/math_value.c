#include "math_value.h"

#include <math.h>
#include <string.h>

bool math_charge(struct math *m, size_t points)
{
    if (points < (size_t)m->scope->points_left) {
        m->scope->points_left -= (int64_t)points;
        return true;
    }
    m->scope->points_left = 0;
    (void)math_wrong(m, "the expressions of one call would make more than %d points", MATH_POINTS_MAX);
    return false;
}

/* A series with room for 'most' points; false: there may be no more. */
static bool make_series(struct math *m, size_t most, struct math_value *out)
{
    struct arena *a = m->scope->arena;
    *out = math_scalar(NAN);
    if (!math_charge(m, most + 1))
        return false;
    *out = (struct math_value){ .kind = MATH_SERIES,
                                .series = { .times = arena_get(a, (most + 1) * sizeof(int64_t)),
                                            .values = arena_get(a, (most + 1) * sizeof(double)) } };
    return true;
}

static void push(struct math_series *s, int64_t time, double value)
{
    if (!isfinite(value))
        return;
    s->times[s->count] = time;
    s->values[s->count++] = value;
}

struct math_value math_scalar(double v)
{
    return (struct math_value){ .kind = MATH_SCALAR, .scalar = v };
}

struct math_value math_wrong(struct math *m, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (m->outcome != MATH_WRONG)
        m->why = arena_vformat(m->scope->arena, fmt, args);
    va_end(args);
    m->outcome = MATH_WRONG;
    return math_scalar(NAN);
}

/* ---- arithmetic ---- */

static double apply(char op, double a, double b)
{
    switch (op) {
    case '+':
        return a + b;
    case '-':
        return a - b;
    case '*':
        return a * b;
    default:
        return b == 0 ? NAN : a / b; /* NOLINT: exactly nothing */
    }
}

static struct math_value with_scalar(struct math *m, char op, const struct math_value *s, double n, bool scalar_first)
{
    struct math_value out;
    if (!make_series(m, s->series.count, &out))
        return out;
    for (size_t i = 0; i < s->series.count; i++)
        push(&out.series, s->series.times[i],
             scalar_first ? apply(op, n, s->series.values[i]) : apply(op, s->series.values[i], n));
    return out;
}

static struct math_value both_series(struct math *m, char op, const struct math_series *a, const struct math_series *b)
{
    struct math_value out;
    if (!make_series(m, a->count, &out))
        return out;
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        if (a->times[i] == b->times[k]) {
            push(&out.series, a->times[i], apply(op, a->values[i], b->values[k]));
            i++;
            k++;
        } else if (a->times[i] < b->times[k]) {
            i++;
        } else {
            k++;
        }
    }
    return out;
}

struct math_value math_combine(struct math *m, char op, const struct math_value *a, const struct math_value *b)
{
    if (a->kind == MATH_LIST || b->kind == MATH_LIST)
        return math_wrong(m, "an array cannot be used with '%c'", op);
    if (a->kind == MATH_SCALAR && b->kind == MATH_SCALAR)
        return math_scalar(apply(op, a->scalar, b->scalar));
    if (a->kind == MATH_SCALAR)
        return with_scalar(m, op, b, a->scalar, true);
    if (b->kind == MATH_SCALAR)
        return with_scalar(m, op, a, b->scalar, false);
    return both_series(m, op, &a->series, &b->series);
}

/* ---- functions ---- */

enum fold { FOLD_SUM, FOLD_AVG, FOLD_MIN, FOLD_MAX };

struct function {
    const char *name;
    struct math_value (*call)(struct math *m, const struct function *f, const struct math_value *args, size_t count);
    enum fold fold;         /* SUM to MAX */
    double (*each)(double); /* ABS to FLOOR */
};

struct folded {
    double sum, min, max;
    size_t n;
};

static void fold_in(struct folded *f, double v)
{
    f->min = f->n ? fmin(f->min, v) : v;
    f->max = f->n ? fmax(f->max, v) : v;
    f->sum += v;
    f->n++;
}

static double fold_out(const struct folded *f, enum fold kind)
{
    if (f->n == 0)
        return NAN;
    return kind == FOLD_SUM ? f->sum : kind == FOLD_AVG ? f->sum / (double)f->n : kind == FOLD_MIN ? f->min : f->max;
}

/* One number of one series. */
static struct math_value fold_series(const struct math_series *s, enum fold kind)
{
    struct folded f = { 0 };
    for (size_t i = 0; i < s->count; i++)
        fold_in(&f, s->values[i]);
    return math_scalar(fold_out(&f, kind));
}

/* The earliest time that is not behind the positions; false: all are at their ends. */
static bool next_time(const struct math_value *items, size_t count, const size_t *at, int64_t *out)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const struct math_series *s = &items[i].series;
        if (at[i] < s->count && (!found || s->times[at[i]] < *out)) {
            *out = s->times[at[i]];
            found = true;
        }
    }
    return found;
}

/* By timestamp over several. */
static struct math_value fold_list(struct math *m, const struct math_value *list, enum fold kind)
{
    size_t most = list->item_count, *at = arena_get(m->scope->arena, (most + 1) * sizeof(*at));
    int64_t time = 0;
    for (size_t i = 0; i < list->item_count; i++)
        most += list->items[i].series.count;
    struct math_value out;
    if (!make_series(m, most, &out))
        return out;
    while (next_time(list->items, list->item_count, at, &time)) {
        struct folded f = { 0 };
        for (size_t i = 0; i < list->item_count; i++) {
            const struct math_series *s = &list->items[i].series;
            if (at[i] < s->count && s->times[at[i]] == time)
                fold_in(&f, s->values[at[i]++]);
        }
        push(&out.series, time, fold_out(&f, kind));
    }
    return out;
}

static struct math_value call_fold(struct math *m, const struct function *f, const struct math_value *args,
                                   size_t count)
{
    if (count != 1 || args[0].kind == MATH_SCALAR)
        return math_wrong(m, "SUM, AVG, MIN and MAX take one time series or one array of them");
    return args[0].kind == MATH_SERIES ? fold_series(&args[0].series, f->fold) : fold_list(m, &args[0], f->fold);
}

static struct math_value call_each(struct math *m, const struct function *f, const struct math_value *args,
                                   size_t count)
{
    if (count != 1 || args[0].kind == MATH_LIST)
        return math_wrong(m, "ABS, CEIL and FLOOR take one time series or number");
    if (args[0].kind == MATH_SCALAR)
        return math_scalar(f->each(args[0].scalar));
    struct math_value out;
    if (!make_series(m, args[0].series.count, &out))
        return out;
    for (size_t i = 0; i < args[0].series.count; i++)
        push(&out.series, args[0].series.times[i], f->each(args[0].series.values[i]));
    return out;
}

static struct math_value all_metrics(struct math *m)
{
    struct math_value out = { .kind = MATH_LIST };
    if (!math_charge(m, m->scope->count + 1))
        return out;
    out.items = arena_get(m->scope->arena, (m->scope->count + 1) * sizeof(*out.items));
    for (size_t i = 0; i < m->scope->count; i++)
        if (m->scope->named[i].is_metric)
            out.items[out.item_count++] =
                (struct math_value){ .kind = MATH_SERIES, .series = m->scope->named[i].series };
    return out;
}

static struct math_value call_fill(struct math *m, const struct function *f, const struct math_value *args,
                                   size_t count)
{
    (void)f;
    if (count != 2 || args[0].kind != MATH_SERIES || args[1].kind != MATH_SCALAR)
        return math_wrong(m, "FILL takes a time series and a number");
    struct math_value all = all_metrics(m), times = fold_list(m, &all, FOLD_SUM);
    struct math_value out;
    if (!make_series(m, times.series.count + args[0].series.count, &out))
        return out;
    const struct math_series *s = &args[0].series, *t = &times.series;
    for (size_t i = 0, k = 0; i < s->count || k < t->count;) {
        if (i < s->count && (k >= t->count || s->times[i] <= t->times[k])) {
            k += k < t->count && s->times[i] == t->times[k];
            push(&out.series, s->times[i], s->values[i]);
            i++;
        } else {
            push(&out.series, t->times[k++], args[1].scalar);
        }
    }
    return out;
}

static struct math_value call_metrics(struct math *m, const struct function *f, const struct math_value *args,
                                      size_t count)
{
    (void)f;
    (void)args;
    return count == 0 ? all_metrics(m) : math_wrong(m, "METRICS takes nothing");
}

static const struct function functions[] = {
    { "SUM", call_fold, FOLD_SUM, NULL },        { "AVG", call_fold, FOLD_AVG, NULL },
    { "MIN", call_fold, FOLD_MIN, NULL },        { "MAX", call_fold, FOLD_MAX, NULL },
    { "ABS", call_each, FOLD_SUM, fabs },        { "CEIL", call_each, FOLD_SUM, ceil },
    { "FLOOR", call_each, FOLD_SUM, floor },     { "FILL", call_fill, FOLD_SUM, NULL },
    { "METRICS", call_metrics, FOLD_SUM, NULL },
};

static const struct function *find(const char *name)
{
    for (size_t i = 0; i < PL_COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

bool math_is_function(const char *name)
{
    return find(name) != NULL;
}

struct math_value math_call(struct math *m, const char *name, const struct math_value *args, size_t count)
{
    const struct function *f = find(name);
    return f->call(m, f, args, count);
}

struct math_value math_spread(struct math *m, double number)
{
    struct math_value all = all_metrics(m), times = fold_list(m, &all, FOLD_SUM), out;
    if (m->outcome != MATH_OK || !make_series(m, times.series.count, &out))
        return math_scalar(NAN);
    for (size_t i = 0; i < times.series.count; i++)
        push(&out.series, times.series.times[i], number);
    return out;
}
