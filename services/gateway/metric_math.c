#include "math_value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A text is read once, from left to right, and computed on the way; what is not known yet ends the reading. */
struct parser {
    const char *at;
    struct math m;
    int depth;
};

static bool fine(const struct parser *p)
{
    return p->m.outcome == MATH_OK;
}

static struct math_value expression(struct parser *p);

static char peek(struct parser *p)
{
    p->at += strspn(p->at, " \t\n");
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
static struct math_value *arguments(struct parser *p, char end, size_t *out_count)
{
    struct arena *a = p->m.scope->arena;
    struct math_value *list = NULL;
    size_t room = 0;
    *out_count = 0;
    if (take(p, end))
        return list;
    do {
        if (*out_count == room) {
            size_t wanted = room ? 2 * room : 2;
            if (!math_charge(&p->m, wanted))
                return list;
            struct math_value *more = arena_get(a, wanted * sizeof(*more));
            if (room)
                memcpy(more, list, room * sizeof(*list));
            list = more;
            room = wanted;
        }
        list[(*out_count)++] = expression(p);
    } while (fine(p) && take(p, ','));
    if (fine(p) && !take(p, end))
        (void)math_wrong(&p->m, "'%c' is missing at \"%.20s\"", end, p->at);
    return list;
}

static struct math_value array(struct parser *p)
{
    struct math_value out = { .kind = MATH_LIST };
    out.items = arguments(p, ']', &out.item_count);
    for (size_t i = 0; i < out.item_count && fine(p); i++)
        if (out.items[i].kind != MATH_SERIES)
            return math_wrong(&p->m, "an array may have only time series");
    return out;
}

static struct math_value function(struct parser *p, const char *name)
{
    size_t count;
    if (!math_is_function(name))
        return math_wrong(
            &p->m, "there is no function %.32s: SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR, FILL and METRICS are offered",
            name);
    if (!take(p, '('))
        return math_wrong(&p->m, "'(' is missing behind %.32s", name);
    struct math_value *args = arguments(p, ')', &count);
    return fine(p) ? math_call(&p->m, name, args, count) : math_scalar(NAN);
}

static struct math_value named(struct parser *p)
{
    const struct math_scope *s = p->m.scope;
    const char *start = p->at;
    while (isalnum((unsigned char)*p->at) || *p->at == '_')
        p->at++;
    char *name = arena_strndup(s->arena, start, (size_t)(p->at - start));
    if (isupper((unsigned char)*name))
        return function(p, name);
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->named[i].id, name) != 0)
            continue;
        if (!s->named[i].known) {
            p->m.outcome = MATH_WAITS;
            p->m.waits_for = i;
        }
        return (struct math_value){ .kind = MATH_SERIES, .series = s->named[i].series };
    }
    return math_wrong(&p->m, "there is no query with the id \"%.64s\"", name);
}

static struct math_value number(struct parser *p)
{
    char *end;
    size_t n = strspn(p->at, "0123456789.");
    char *text = arena_strndup(p->m.scope->arena, p->at, n);
    double v = strtod(text, &end);
    p->at += n;
    return *end || end == text ? math_wrong(&p->m, "\"%.32s\" is no number", text) : math_scalar(v);
}

static struct math_value primary(struct parser *p)
{
    char c = peek(p);
    if (isdigit((unsigned char)c) || c == '.')
        return number(p);
    if (isalpha((unsigned char)c) || c == '_')
        return named(p);
    if (take(p, '['))
        return array(p);
    if (!c)
        return math_wrong(&p->m, "the expression ends too early");
    if (!take(p, '('))
        return math_wrong(&p->m, "\"%.20s\" was not expected", p->at);
    struct math_value v = expression(p);
    if (fine(p) && !take(p, ')'))
        return math_wrong(&p->m, "')' is missing at \"%.20s\"", p->at);
    return v;
}

static struct math_value unary(struct parser *p)
{
    bool negative = false;
    while (take(p, '-'))
        negative = !negative;
    struct math_value v = primary(p), zero = math_scalar(0);
    return negative && fine(p) ? math_combine(&p->m, '-', &zero, &v) : v;
}

static struct math_value chain(struct parser *p, const char *operators, struct math_value (*inner)(struct parser *p))
{
    struct math_value left = inner(p);
    while (fine(p) && peek(p) && strchr(operators, peek(p))) {
        char op = *p->at++;
        struct math_value right = inner(p);
        if (fine(p))
            left = math_combine(&p->m, op, &left, &right);
    }
    return left;
}

static struct math_value product(struct parser *p)
{
    return chain(p, "*/", unary);
}

static struct math_value expression(struct parser *p)
{
    if (++p->depth > MATH_DEPTH_MAX)
        return math_wrong(&p->m, "it has more than %d brackets inside each other", MATH_DEPTH_MAX);
    struct math_value v = chain(p, "+-", product);
    p->depth--;
    return v;
}

enum math_outcome math_evaluate(const char *text, struct math_scope *scope, struct math_series *out,
                                size_t *out_waits_for, const char **out_why)
{
    struct parser p = { .at = text, .m.scope = scope };
    struct math_value v = math_scalar(NAN);
    if (strlen(text) > MATH_TEXT_MAX)
        (void)math_wrong(&p.m, "it has more than %d characters", MATH_TEXT_MAX);
    else
        v = expression(&p);
    if (fine(&p) && peek(&p))
        (void)math_wrong(&p.m, "\"%.20s\" was not expected", p.at);
    if (fine(&p) && v.kind == MATH_LIST)
        (void)math_wrong(&p.m, "it is an array: one time series is wanted");
    if (fine(&p) && v.kind == MATH_SCALAR)
        v = math_spread(&p.m, v.scalar);
    if (fine(&p))
        *out = v.series;
    *out_why = p.m.why;
    *out_waits_for = p.m.waits_for;
    return p.m.outcome;
}
