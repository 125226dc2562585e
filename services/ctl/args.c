#include "args.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct args_value {
    const struct args_option *option;
    const char *text;
    int64_t number;
};

#define KNOWN_MAX 64 /* options of one command, for the nearest name */

static const struct args_option *find(const struct args_option *const *sets, char letter, const char *name, size_t len)
{
    for (; *sets; sets++) {
        for (const struct args_option *o = *sets; o->name; o++) {
            if (name ? strlen(o->name) == len && !memcmp(o->name, name, len) : o->letter == letter)
                return o;
        }
    }
    return NULL;
}

static enum pl_code unknown(const struct args_option *const *sets, const char *word, size_t name_len,
                            struct pl_err *err)
{
    const char *known[KNOWN_MAX];
    size_t count = 0;
    for (; *sets; sets++) {
        for (const struct args_option *o = *sets; o->name && count < KNOWN_MAX; o++)
            known[count++] = o->name;
    }
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)(name_len < 63 ? name_len : 63), word + 2);
    const char *near = word[1] == '-' ? pl_nearest(name, known, count) : NULL;
    if (near)
        return pl_fail(err, PL_INVALID, NULL, "unknown option '--%s'; did you mean '--%s'?", name, near);
    if (word[1] == '-')
        return pl_fail(err, PL_INVALID, NULL, "unknown option '--%s'", name);
    return pl_fail(err, PL_INVALID, NULL, "unknown option '%.32s'", word);
}

static enum pl_code check_choice(const struct args_option *o, const char *text, struct pl_err *err)
{
    char all[256] = "";
    for (const char *const *c = o->choices; *c; c++) {
        if (!strcmp(*c, text))
            return PL_OK;
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", *all ? ", " : "", *c);
    }
    return pl_fail(err, PL_INVALID, o->name, "--%s: '%.64s' is none of: %s", o->name, text, all);
}

/* As in manifests: "5" would be 5 of what? */
static bool has_unit(const char *text)
{
    return text[strspn(text, "0123456789.")] != '\0' || !strcmp(text, "0");
}

static enum pl_code read_value(struct args_value *v, struct pl_err *err)
{
    const struct args_option *o = v->option;
    char low[24], high[24];
    switch (o->type) {
    case ARGS_CHOICE:
        return check_choice(o, v->text, err);
    case ARGS_COUNT:
        if (!pl_parse_i64(v->text, o->min, o->max, &v->number))
            return pl_fail(err, PL_INVALID, o->name, "--%s: '%.64s' is not a whole number from %lld to %lld", o->name,
                           v->text, (long long)o->min, (long long)o->max);
        return PL_OK;
    case ARGS_DURATION:
        if (!has_unit(v->text) || !pl_duration_parse(v->text, &v->number) || v->number < o->min || v->number > o->max)
            return pl_fail(err, PL_INVALID, o->name,
                           "--%s: '%.64s' is not a duration with its unit from %s to %s, like 500ms, 10s or 5m",
                           o->name, v->text, pl_duration_text(o->min, low), pl_duration_text(o->max, high));
        return PL_OK;
    case ARGS_FLAG:
    case ARGS_TEXT:
    case ARGS_LIST:
        break;
    }
    return PL_OK;
}

static enum pl_code add(struct args *a, const struct args_option *o, const char *text, struct pl_err *err)
{
    struct args_value v = { .option = o, .text = text };
    if (text && read_value(&v, err) != PL_OK)
        return err->code;
    a->values = pl_grow(a->values, a->value_count + 1, sizeof(*a->values));
    a->values[a->value_count++] = v;
    return PL_OK;
}

/* --name, --name=value, --name value. '*at' moves past what was used. */
static enum pl_code long_option(struct args *a, int argc, const char *const *argv, int *at, struct pl_err *err)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    const struct args_option *o = find(a->sets, 0, word + 2, len);
    if (!o)
        return unknown(a->sets, word, len, err);
    if (o->type == ARGS_FLAG) {
        if (equals)
            return pl_fail(err, PL_INVALID, o->name, "--%s takes no value, but '%.64s' was given", o->name, equals + 1);
        return add(a, o, NULL, err);
    }
    if (equals)
        return add(a, o, equals + 1, err);
    if (*at + 1 >= argc)
        return pl_fail(err, PL_INVALID, o->name, "--%s needs a value: %s", o->name, o->value);
    return add(a, o, argv[++*at], err);
}

/* -v, -vx for two flags, -oVALUE, -o VALUE. */
static enum pl_code short_options(struct args *a, int argc, const char *const *argv, int *at, struct pl_err *err)
{
    for (const char *c = argv[*at] + 1; *c; c++) {
        const struct args_option *o = find(a->sets, *c, NULL, 0);
        if (!o)
            return unknown(a->sets, (char[]){ '-', *c, '\0' }, 0, err);
        if (o->type != ARGS_FLAG && !c[1] && *at + 1 >= argc)
            return pl_fail(err, PL_INVALID, o->name, "-%c needs a value: %s", *c, o->value);
        if (o->type != ARGS_FLAG)
            return add(a, o, c[1] ? c + 1 : argv[++*at], err);
        if (add(a, o, NULL, err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

static bool is_word(const char *s)
{
    return s[0] != '-' || s[1] == '\0' || s[1] == '.' || isdigit((unsigned char)s[1]);
}

enum pl_code args_parse(struct args *out, const struct args_option *const *sets, int argc, const char *const *argv,
                        struct pl_err *err)
{
    struct args a = { .sets = sets, .words = pl_new0((size_t)argc + 1, sizeof(char *)) };
    bool options = true;
    enum pl_code code = PL_OK;
    for (int i = 0; i < argc && code == PL_OK; i++) {
        if (options && !strcmp(argv[i], "--"))
            options = false;
        else if (!options || is_word(argv[i]))
            a.words[a.word_count++] = argv[i];
        else if (argv[i][1] == '-')
            code = long_option(&a, argc, argv, &i, err);
        else
            code = short_options(&a, argc, argv, &i, err);
    }
    if (code != PL_OK)
        args_done(&a);
    else
        *out = a;
    return code;
}

void args_done(struct args *a)
{
    free(a->values);
    free(a->words);
    *a = (struct args){ 0 };
}

static const struct args_value *last(const struct args *a, const char *name, struct args_value *fallback)
{
    const struct args_option *o = find(a->sets, 0, name, strlen(name));
    assert(o && "an option that the command's table lacks");
    for (size_t i = a->value_count; i > 0; i--) {
        if (a->values[i - 1].option == o)
            return &a->values[i - 1];
    }
    if (!o->fallback)
        return NULL;
    struct pl_err err;
    *fallback = (struct args_value){ .option = o, .text = o->fallback };
    if (read_value(fallback, &err) != PL_OK)
        pl_die("option --%s: its fallback is refused: %s", name, err.message);
    return fallback;
}

bool args_given(const struct args *a, const char *name)
{
    struct args_value unused;
    const struct args_value *v = last(a, name, &unused);
    return v && v != &unused;
}

bool args_flag(const struct args *a, const char *name)
{
    return args_given(a, name);
}

const char *args_text(const struct args *a, const char *name)
{
    struct args_value fallback;
    const struct args_value *v = last(a, name, &fallback);
    return v ? v->text : NULL;
}

int64_t args_number(const struct args *a, const char *name)
{
    struct args_value fallback;
    const struct args_value *v = last(a, name, &fallback);
    return v ? v->number : 0;
}

size_t args_list(const struct args *a, const char *name, const char **out, size_t max)
{
    const struct args_option *o = find(a->sets, 0, name, strlen(name));
    assert(o && o->type == ARGS_LIST);
    size_t count = 0;
    for (size_t i = 0; i < a->value_count; i++) {
        if (a->values[i].option != o)
            continue;
        if (count < max)
            out[count] = a->values[i].text;
        count++;
    }
    return count;
}
