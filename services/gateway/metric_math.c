#include "metric_math.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

struct value {
    enum { SCALAR, SERIES, LIST } kind;
    double scalar;
    struct math_series series;
    struct value *items; /* all of them series */
    size_t item_count;
};

struct parser {
    const char *at;
    const struct math_named *named;
    size_t count;
    struct arena *arena;
    int depth;
    enum math_outcome outcome;
    const char *why;
};

static struct math_series series_of(struct arena *a, size_t most)
{
    return (struct math_series){ .times = arena_get(a, (most + 1) * sizeof(int64_t)),
                                 .values = arena_get(a, (most + 1) * sizeof(double)) };
}

static void push(struct math_series *s, int64_t time, double value)
{
    if (!isfinite(value))
        return;
    s->times[s->count] = time;
    s->values[s->count++] = value;
}

static struct value scalar(double v)
{
    return (struct value){ .kind = SCALAR, .scalar = v };
}

static struct value wrong(struct parser *p, const char *fmt, ...) PL_PRINTF(2, 3);
static struct value wrong(struct parser *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (p->outcome != MATH_WRONG)
        p->why = arena_vformat(p->arena, fmt, args);
    va_end(args);
    p->outcome = MATH_WRONG;
    return scalar(NAN);
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

static struct value with_scalar(struct parser *p, char op, const struct value *s, double n, bool scalar_first)
{
    struct value out = { .kind = SERIES, .series = series_of(p->arena, s->series.count) };
    for (size_t i = 0; i < s->series.count; i++)
        push(&out.series, s->series.times[i],
             scalar_first ? apply(op, n, s->series.values[i]) : apply(op, s->series.values[i], n));
    return out;
}

static struct value both_series(struct parser *p, char op, const struct math_series *a, const struct math_series *b)
{
    struct value out = { .kind = SERIES, .series = series_of(p->arena, a->count) };
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

static struct value combine(struct parser *p, char op, const struct value *a, const struct value *b)
{
    if (a->kind == LIST || b->kind == LIST)
        return wrong(p, "an array cannot be used with '%c'", op);
    if (a->kind == SCALAR && b->kind == SCALAR)
        return scalar(apply(op, a->scalar, b->scalar));
    if (a->kind == SCALAR)
        return with_scalar(p, op, b, a->scalar, true);
    if (b->kind == SCALAR)
        return with_scalar(p, op, a, b->scalar, false);
    return both_series(p, op, &a->series, &b->series);
}

/* ---- functions ---- */

enum fold { FOLD_SUM, FOLD_AVG, FOLD_MIN, FOLD_MAX };

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
static struct value fold_series(const struct math_series *s, enum fold kind)
{
    struct folded f = { 0 };
    for (size_t i = 0; i < s->count; i++)
        fold_in(&f, s->values[i]);
    return scalar(fold_out(&f, kind));
}

/* The earliest time that is not behind the positions; false: all are at their ends. */
static bool next_time(const struct value *items, size_t count, const size_t *at, int64_t *out)
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
static struct value fold_list(struct parser *p, const struct value *list, enum fold kind)
{
    size_t most = 0, *at = arena_get(p->arena, (list->item_count + 1) * sizeof(*at));
    int64_t time;
    for (size_t i = 0; i < list->item_count; i++)
        most += list->items[i].series.count;
    struct value out = { .kind = SERIES, .series = series_of(p->arena, most) };
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

static struct value call_fold(struct parser *p, enum fold kind, const struct value *args, size_t count)
{
    if (count != 1 || args[0].kind == SCALAR)
        return wrong(p, "SUM, AVG, MIN and MAX take one time series or one array of them");
    return args[0].kind == SERIES ? fold_series(&args[0].series, kind) : fold_list(p, &args[0], kind);
}

static struct value call_each(struct parser *p, double (*f)(double), const struct value *args, size_t count)
{
    if (count != 1 || args[0].kind == LIST)
        return wrong(p, "ABS, CEIL and FLOOR take one time series or number");
    if (args[0].kind == SCALAR)
        return scalar(f(args[0].scalar));
    struct value out = { .kind = SERIES, .series = series_of(p->arena, args[0].series.count) };
    for (size_t i = 0; i < args[0].series.count; i++)
        push(&out.series, args[0].series.times[i], f(args[0].series.values[i]));
    return out;
}

static struct value all_metrics(struct parser *p)
{
    struct value out = { .kind = LIST, .items = arena_get(p->arena, (p->count + 1) * sizeof(struct value)) };
    for (size_t i = 0; i < p->count; i++)
        if (p->named[i].is_metric)
            out.items[out.item_count++] = (struct value){ .kind = SERIES, .series = p->named[i].series };
    return out;
}

static struct value call_fill(struct parser *p, const struct value *args, size_t count)
{
    if (count != 2 || args[0].kind != SERIES || args[1].kind != SCALAR)
        return wrong(p, "FILL takes a time series and a number");
    struct value all = all_metrics(p), times = fold_list(p, &all, FOLD_SUM);
    struct value out = { .kind = SERIES, .series = series_of(p->arena, times.series.count + args[0].series.count) };
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

static struct value call(struct parser *p, const char *name, const struct value *args, size_t count)
{
    static const struct {
        const char *name;
        enum fold kind;
    } folds[] = { { "SUM", FOLD_SUM }, { "AVG", FOLD_AVG }, { "MIN", FOLD_MIN }, { "MAX", FOLD_MAX } };
    for (size_t i = 0; i < PL_COUNT(folds); i++)
        if (strcmp(name, folds[i].name) == 0)
            return call_fold(p, folds[i].kind, args, count);
    if (strcmp(name, "ABS") == 0)
        return call_each(p, fabs, args, count);
    if (strcmp(name, "CEIL") == 0)
        return call_each(p, ceil, args, count);
    if (strcmp(name, "FLOOR") == 0)
        return call_each(p, floor, args, count);
    if (strcmp(name, "FILL") == 0)
        return call_fill(p, args, count);
    if (strcmp(name, "METRICS") == 0 && count == 0)
        return all_metrics(p);
    return wrong(p, "there is no function %.32s with these arguments: SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR, FILL and METRICS "
                    "are offered",
                 name);
}

/* ---- grammar ---- */

static struct value expression(struct parser *p);

static char peek(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')
        p->at++;
    return *p->at;
}

static bool take(struct parser *p, char c)
{
    if (peek(p) != c)
        return false;
    p->at++;
    return true;
}

/* Up to 'end'; the first is at p->at. */
static struct value *arguments(struct parser *p, char end, size_t *out_count)
{
    struct value *list = arena_get(p->arena, 16 * sizeof(*list));
    size_t room = 16;
    *out_count = 0;
    if (take(p, end))
        return list;
    do {
        if (*out_count == room) {
            struct value *more = arena_get(p->arena, 2 * room * sizeof(*more));
            memcpy(more, list, room * sizeof(*list));
            list = more;
            room *= 2;
        }
        list[(*out_count)++] = expression(p);
    } while (p->outcome != MATH_WRONG && take(p, ','));
    if (p->outcome != MATH_WRONG && !take(p, end))
        (void)wrong(p, "'%c' is missing at \"%.20s\"", end, p->at);
    return list;
}

static struct value array(struct parser *p)
{
    struct value out = { .kind = LIST };
    out.items = arguments(p, ']', &out.item_count);
    for (size_t i = 0; i < out.item_count && p->outcome != MATH_WRONG; i++)
        if (out.items[i].kind != SERIES && p->outcome == MATH_OK)
            return wrong(p, "an array may have only time series");
    return out;
}

static struct value named(struct parser *p)
{
    const char *start = p->at;
    while (isalnum((unsigned char)*p->at) || *p->at == '_')
        p->at++;
    char *name = arena_strndup(p->arena, start, (size_t)(p->at - start));
    if (isupper((unsigned char)*name)) {
        size_t count;
        if (!take(p, '('))
            return wrong(p, "'(' is missing behind %.32s", name);
        struct value *args = arguments(p, ')', &count);
        return p->outcome == MATH_OK ? call(p, name, args, count) : scalar(NAN);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->named[i].id, name) != 0)
            continue;
        if (!p->named[i].known && p->outcome == MATH_OK)
            p->outcome = MATH_WAITS;
        return (struct value){ .kind = SERIES, .series = p->named[i].series };
    }
    return wrong(p, "there is no query with the id \"%.64s\"", name);
}

static struct value number(struct parser *p)
{
    char *end;
    size_t n = strspn(p->at, "0123456789.");
    char *text = arena_strndup(p->arena, p->at, n);
    double v = strtod(text, &end);
    p->at += n;
    return *end ? wrong(p, "\"%.32s\" is no number", text) : scalar(v);
}

static struct value primary(struct parser *p)
{
    char c = peek(p);
    if (isdigit((unsigned char)c) || c == '.')
        return number(p);
    if (isalpha((unsigned char)c) || c == '_')
        return named(p);
    if (take(p, '['))
        return array(p);
    if (!take(p, '('))
        return wrong(p, c ? "\"%.20s\" was not expected" : "the expression ends too early%s", p->at);
    struct value v = expression(p);
    if (p->outcome != MATH_WRONG && !take(p, ')'))
        return wrong(p, "')' is missing at \"%.20s\"", p->at);
    return v;
}

static struct value unary(struct parser *p)
{
    bool negative = false;
    while (take(p, '-'))
        negative = !negative;
    struct value v = primary(p), zero = scalar(0);
    return negative && p->outcome == MATH_OK ? combine(p, '-', &zero, &v) : v;
}

static struct value chain(struct parser *p, const char *operators, struct value (*inner)(struct parser *p))
{
    struct value left = inner(p);
    while (p->outcome != MATH_WRONG && peek(p) && strchr(operators, peek(p))) {
        char op = *p->at++;
        struct value right = inner(p);
        if (p->outcome == MATH_OK)
            left = combine(p, op, &left, &right);
    }
    return left;
}

static struct value product(struct parser *p)
{
    return chain(p, "*/", unary);
}

static struct value expression(struct parser *p)
{
    if (++p->depth > MATH_DEPTH_MAX)
        return wrong(p, "it has more than %d brackets inside each other", MATH_DEPTH_MAX);
    struct value v = chain(p, "+-", product);
    p->depth--;
    return v;
}

/* A number stands at every time that a metric has. */
static void as_series(struct parser *p, const struct value *v, struct math_series *out)
{
    struct value all = all_metrics(p), times = fold_list(p, &all, FOLD_SUM);
    *out = series_of(p->arena, times.series.count);
    for (size_t i = 0; i < times.series.count; i++)
        push(out, times.series.times[i], v->scalar);
}

enum math_outcome math_evaluate(const char *text, const struct math_named *given, size_t count, struct arena *a,
                                struct math_series *out, const char **out_why)
{
    struct parser p = { .at = text, .named = given, .count = count, .arena = a };
    if (strlen(text) > MATH_TEXT_MAX) {
        *out_why = arena_format(a, "it has more than %d characters", MATH_TEXT_MAX);
        return MATH_WRONG;
    }
    struct value v = expression(&p);
    if (p.outcome != MATH_WRONG && peek(&p))
        v = wrong(&p, "\"%.20s\" was not expected", p.at);
    if (p.outcome == MATH_OK && v.kind == LIST)
        v = wrong(&p, "it is an array: one time series is wanted");
    *out_why = p.why;
    if (p.outcome == MATH_OK && v.kind == SERIES)
        *out = v.series;
    else if (p.outcome == MATH_OK)
        as_series(&p, &v, out);
    return p.outcome;
}
