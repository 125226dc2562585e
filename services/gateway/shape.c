#include "shape.h"

#include "aws_error.h"
#include "text_builder.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 256

struct failures {
    struct text text; /* "Value ... failed to satisfy constraint: ...; Value ..." */
    int count;
};

struct walk {
    struct aws_call *call;
    struct failures hard, soft;
    const char *wrong_type; /* what ends it at once */
    bool texts;             /* numbers and booleans may be texts: query */
};

char *shape_camel(struct arena *a, const char *name)
{
    char *out = arena_strdup(a, name);
    out[0] = (char)tolower((unsigned char)out[0]);
    return out;
}

/* ---- failures ---- */

static char *shown(struct walk *w, const json_t *v)
{
    if (json_is_string(v))
        return arena_format(w->call->arena, "%.*s", SHOWN, json_string_value(v));
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    char *cut = arena_format(w->call->arena, "%.*s", SHOWN, text ? text : "");
    free(text);
    return cut;
}

static void fail(struct walk *w, const struct shape *s, const char *path, const json_t *v, const char *constraint)
{
    struct failures *f = s->soft ? &w->soft : &w->hard;
    text_adds(&f->text, f->count++ ? "; " : "");
    if (v)
        text_addf(&f->text, "Value '%s' at '%s' failed to satisfy constraint: %s", shown(w, v), path, constraint);
    else
        text_addf(&f->text, "Value null at '%s' failed to satisfy constraint: %s", path, constraint);
}

static const char *limit_text(struct walk *w, const char *what, const char *relation, double limit)
{
    return arena_format(w->call->arena, "Member must have %s %s than or equal to %.15g", what, relation, limit);
}

static bool check_range(struct walk *w, const struct shape *s, const char *path, const json_t *v, const char *what,
                        double value)
{
    if (value < s->min) {
        fail(w, s, path, v, limit_text(w, what, "greater", s->min));
        return false;
    }
    if (s->max != 0 && value > s->max) {
        fail(w, s->soft_max ? &(const struct shape){ .soft = true } : s, path, v, limit_text(w, what, "less", s->max));
        return false;
    }
    return true;
}

static void wrong_type(struct walk *w, const char *path, const json_t *v, const char *wanted)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",   [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "a boolean", [JSON_FALSE] = "a boolean", [JSON_NULL] = "null",
    };
    if (!w->wrong_type)
        w->wrong_type = arena_format(w->call->arena, "'%s' is %s: it must be %s", path, names[json_typeof(v)], wanted);
}

/* ---- values ---- */

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void check_enumeration(struct walk *w, const struct shape *s, const char *path, const json_t *v)
{
    struct text all = { .arena = w->call->arena };
    text_adds(&all, "Member must satisfy enum value set: [");
    for (size_t i = 0; s->values[i]; i++) {
        if (strcmp(s->values[i], json_string_value(v)) == 0)
            return;
        text_addf(&all, "%s%s", i ? ", " : "", s->values[i]);
    }
    text_addc(&all, ']');
    fail(w, s, path, v, all.data);
}

static void check_string(struct walk *w, const struct shape *s, const char *path, const json_t *v)
{
    const char *text = json_string_value(v);
    if (!text) {
        wrong_type(w, path, v, "a string");
        return;
    }
    if (!check_range(w, s, path, v, "length", (double)characters(text)))
        return;
    if (s->matches && !s->matches(text))
        fail(w, s, path, v,
             arena_format(w->call->arena, "Member must satisfy regular expression pattern: %s", s->pattern));
    if (s->values)
        check_enumeration(w, s, path, v);
}

static void check_number(struct walk *w, const struct shape *s, const char *path, const json_t *v)
{
    json_t *holder = json_pack("{s:O}", "v", (json_t *)(uintptr_t)v);
    double value = 0;
    int64_t whole;
    bool good = (w->texts || json_is_number(v)) && aws_number(holder, "v", &value) &&
                (s->type == SHAPE_NUMBER || aws_integer(holder, "v", &whole));
    json_decref(holder);
    if (!good)
        wrong_type(w, path, v, s->type == SHAPE_NUMBER ? "a number" : "a whole number");
    else
        (void)check_range(w, s, path, v, "value", value);
}

static void check_value(struct walk *w, const struct shape *s, const char *path, json_t *v);

static void check_list(struct walk *w, const struct shape *s, const char *path, json_t *v)
{
    size_t i;
    json_t *item;
    if (w->texts && json_is_string(v) && json_string_length(v) == 0) { /* an empty list in a form */
        (void)check_range(w, s, path, v, "length", 0);
        return;
    }
    if (!json_is_array(v)) {
        wrong_type(w, path, v, "a list");
        return;
    }
    if (!check_range(w, s, path, v, "length", (double)json_array_size(v)))
        return;
    json_array_foreach(v, i, item)
    {
        check_value(w, s->element, arena_format(w->call->arena, "%s.%zu.member", path, i + 1), item);
    }
}

/* Failures inside of a map are told of the map as a whole, as AWS does. */
static void check_map(struct walk *w, const struct shape *s, const char *path, json_t *v)
{
    const char *key;
    json_t *item;
    if (!json_is_object(v)) {
        wrong_type(w, path, v, "an object");
        return;
    }
    if (!check_range(w, s, path, v, "length", (double)json_object_size(v)))
        return;
    json_object_foreach(v, key, item)
    {
        json_t *name = json_string(key);
        check_value(w, s->key, arena_format(w->call->arena, "%s.%.64s.key", path, key), name);
        check_value(w, s->element, arena_format(w->call->arena, "%s.%.64s.member", path, key), item);
        json_decref(name);
    }
}

static void remove_unknown(const struct shape *s, json_t *v)
{
    const char *key;
    json_t *item;
    void *next;
    json_object_foreach_safe(v, next, key, item)
    {
        const struct shape_member *m = s->members;
        while (m->name && strcmp(m->name, key) != 0)
            m++;
        if (!m->name || json_is_null(item))
            json_object_del(v, key);
    }
}

static void check_object(struct walk *w, const struct shape *s, const char *path, json_t *v)
{
    if (!json_is_object(v)) {
        wrong_type(w, *path ? path : "the body", v, "an object");
        return;
    }
    remove_unknown(s, v);
    for (const struct shape_member *m = s->members; m->name; m++) {
        json_t *item = json_object_get(v, m->name);
        char *name = shape_camel(w->call->arena, m->name);
        char *inner = *path ? arena_format(w->call->arena, "%s.%s", path, name) : name;
        if (item)
            check_value(w, m->shape, inner, item);
        else if (m->required)
            fail(w, &(const struct shape){ 0 }, inner, NULL, "Member must not be null");
    }
}

static void check_value(struct walk *w, const struct shape *s, const char *path, json_t *v)
{
    int64_t ms;
    switch (s->type) {
    case SHAPE_STRING:
        check_string(w, s, path, v);
        break;
    case SHAPE_INTEGER:
    case SHAPE_NUMBER:
        check_number(w, s, path, v);
        break;
    case SHAPE_BOOL:
        if (!json_is_boolean(v) && !(w->texts && json_is_string(v)))
            wrong_type(w, path, v, "a boolean");
        break;
    case SHAPE_TIME:
        if (!aws_read_time(v, &ms))
            wrong_type(w, path, v, "a time: seconds since 1970, or ISO 8601 text");
        break;
    case SHAPE_LIST:
        check_list(w, s, path, v);
        break;
    case SHAPE_MAP:
        check_map(w, s, path, v);
        break;
    case SHAPE_OBJECT:
        check_object(w, s, path, v);
        break;
    case SHAPE_ANY:
        break;
    }
}

static char *message_of(struct aws_call *c, const struct failures *f)
{
    return arena_format(c->arena, "%d validation error%s detected: %s", f->count, f->count == 1 ? "" : "s",
                        f->text.data);
}

bool shape_check(struct aws_call *c, const struct shape *s)
{
    struct walk w = { .call = c, .texts = c->protocol == AWS_QUERY };
    w.hard.text.arena = w.soft.text.arena = c->arena;
    check_value(&w, s, "", c->input);
    if (w.wrong_type) {
        aws_fail(c, AWS_SERIALIZATION, "%s", w.wrong_type);
        return false;
    }
    c->soft_failures = w.soft.count ? message_of(c, &w.soft) : NULL;
    if (w.hard.count == 0)
        return true;
    aws_fail(c, AWS_VALIDATION, "%s", message_of(c, &w.hard));
    return false;
}

const char *shape_soft(const struct aws_call *c)
{
    return c->soft_failures;
}
