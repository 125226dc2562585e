/* value - one text becomes one member of the target, or is refused with the row's limits; and back. */
#include "private.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MAP_KEY_BYTES 256 /* libyaml reads no plain key beyond 1024; ours are names */

static enum pl_code refuse(const struct config_row *row, const char *text, struct pl_err *err)
{
    pl_cleanup(pl_buf_done) struct pl_buf limits = { 0 };
    config_limits_text(row, &limits);
    return pl_fail(err, PL_INVALID, row->key, "%s is '%.100s': it must be %s", row->key, text,
                   limits.data ? limits.data : "text");
}

/* ---- numbers: text -> number in the row's range ---- */

static bool parse_bool(const char *text, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = { { "true", true },   { "yes", true }, { "on", true },
                  { "false", false }, { "no", false }, { "off", false } };
    for (size_t i = 0; i < PL_COUNT(words); i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_double(const char *text, double *out)
{
    char *end;
    if (text[strspn(text, "+-.0123456789eE")] != '\0') /* no hex, inf, nan, white space */
        return false;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

static bool parse_bytes(const char *text, int64_t *out)
{
    uint64_t n;
    if (!pl_parse_bytes(text, &n) || n > INT64_MAX)
        return false;
    *out = (int64_t)n;
    return true;
}

static bool parse_choice(const struct config_row *row, const char *text, int *out)
{
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(text, row->choices[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool in_range(const struct config_row *row, double v)
{
    return v >= row->min && v <= row->max;
}

static bool set_number(const struct config_row *row, void *member, const char *text)
{
    int64_t i = 0;
    double d;
    switch (row->type) {
    case CONFIG_TYPE_BOOL:
        return parse_bool(text, member);
    case CONFIG_TYPE_ENUM:
        return parse_choice(row, text, member);
    case CONFIG_TYPE_DOUBLE:
        if (!parse_double(text, &d) || !in_range(row, d))
            return false;
        *(double *)member = d;
        return true;
    case CONFIG_TYPE_INT:
        if (!pl_parse_i64(text, INT64_MIN, INT64_MAX, &i))
            return false;
        break;
    case CONFIG_TYPE_DURATION: /* "5" would be 5 of what? */
        if (!pl_duration_parse(text, &i) || (i != 0 && text[strspn(text, "0123456789")] == '\0'))
            return false;
        break;
    default:
        if (!parse_bytes(text, &i))
            return false;
        break;
    }
    if (!in_range(row, (double)i))
        return false;
    *(int64_t *)member = i;
    return true;
}

/* ---- strings and lists ---- */

static enum pl_code check_text(const struct config_row *row, const char *text, size_t len, struct pl_err *err)
{
    if (memchr(text, '\0', len))
        return pl_fail(err, PL_INVALID, row->key, "%s holds a NUL character", row->key);
    if (!pl_utf8_valid(text, len))
        return pl_fail(err, PL_INVALID, row->key, "%s is not valid UTF-8", row->key);
    return PL_OK;
}

static void push(struct config_strings *list, char *item)
{
    list->items = pl_grow(list->items, list->count + 1, sizeof(char *));
    list->items[list->count++] = item;
}

enum pl_code config_append_pair(const struct config_row *row, void *target, const char *key, size_t key_len,
                                const char *value, size_t value_len, struct pl_err *err)
{
    struct config_strings *list = config_member(row, target);
    if (check_text(row, key, key_len, err) != PL_OK || check_text(row, value, value_len, err) != PL_OK)
        return err->code;
    if (key_len == 0 || key_len > MAX_MAP_KEY_BYTES || memchr(key, '=', key_len))
        return pl_fail(err, PL_INVALID, row->key, "%s has the name '%.*s': a name has 1 to %d bytes and no '='",
                       row->key, (int)(key_len < 100 ? key_len : 100), key, MAX_MAP_KEY_BYTES);
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->items[i], key, key_len) == 0 && list->items[i][key_len] == '=')
            return pl_fail(err, PL_INVALID, row->key, "%s has the name '%.*s' twice", row->key, (int)key_len, key);
    push(list, pl_format("%.*s=%.*s", (int)key_len, key, (int)value_len, value));
    return PL_OK;
}

enum pl_code config_append(const struct config_row *row, void *target, const char *text, size_t len, struct pl_err *err)
{
    if (row->type == CONFIG_TYPE_MAP) {
        const char *equals = memchr(text, '=', len);
        if (!equals)
            return pl_fail(err, PL_INVALID, row->key, "%s is '%.*s': it must be name=value", row->key,
                           (int)(len < 100 ? len : 100), text);
        size_t key_len = (size_t)(equals - text);
        return config_append_pair(row, target, text, key_len, equals + 1, len - key_len - 1, err);
    }
    if (check_text(row, text, len, err) != PL_OK)
        return err->code;
    push(config_member(row, target), pl_strndup(text, len));
    return PL_OK;
}

/* "a, b": items without the blanks around them; "" is the empty list. */
static enum pl_code split(const struct config_row *row, void *target, const char *text, size_t len, struct pl_err *err)
{
    const char *end = text + len;
    config_clear(row, target);
    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma ? comma : end;
        while (text < stop && isspace((unsigned char)*text))
            text++;
        const char *last = stop;
        while (last > text && isspace((unsigned char)last[-1]))
            last--;
        if (last > text && config_append(row, target, text, (size_t)(last - text), err) != PL_OK)
            return err->code;
        text = comma ? comma + 1 : end;
    }
    return PL_OK;
}

/* ---- both ---- */

enum pl_code config_set(const struct config_row *row, void *target, const char *text, size_t len, struct pl_err *err)
{
    void *member = config_member(row, target);
    if (config_is_list(row))
        return split(row, target, text, len, err);
    if (check_text(row, text, len, err) != PL_OK)
        return err->code;
    if (row->type != CONFIG_TYPE_STRING)
        return set_number(row, member, text) ? PL_OK : refuse(row, text, err);
    config_clear(row, target);
    *(char **)member = pl_strdup(row->secret && strcmp(text, CONFIG_MASK) == 0 ? "" : text);
    return PL_OK;
}

void config_clear(const struct config_row *row, void *target)
{
    void *member = config_member(row, target);
    if (config_is_list(row)) {
        struct config_strings *list = member;
        for (size_t i = 0; i < list->count; i++)
            free(list->items[i]);
        free(list->items);
        *list = (struct config_strings){ 0 };
    } else if (row->type == CONFIG_TYPE_STRING) {
        free(*(char **)member);
        *(char **)member = NULL;
    }
}

/* ---- back to text ---- */

static void add_bytes(struct pl_buf *out, int64_t n)
{
    static const char *const units[] = { "", "KiB", "MiB", "GiB" };
    size_t u = 0;
    while (n != 0 && n % 1024 == 0 && u + 1 < PL_COUNT(units)) {
        n /= 1024;
        u++;
    }
    pl_buf_addf(out, "%lld%s", (long long)n, units[u]);
}

/* The shortest decimal that reads back as exactly 'd'. */
static void add_double(struct pl_buf *out, double d)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    pl_buf_adds(out, text);
}

static void add_number(const struct config_row *row, struct pl_buf *out, int64_t n)
{
    char text[24];
    if (row->type == CONFIG_TYPE_DURATION)
        pl_buf_adds(out, pl_duration_text(n, text));
    else if (row->type == CONFIG_TYPE_BYTES)
        add_bytes(out, n);
    else
        pl_buf_addf(out, "%lld", (long long)n);
}

void config_value_text(const struct config_row *row, const void *target, struct pl_buf *out)
{
    const void *member = (const char *)target + row->offset;
    switch (row->type) {
    case CONFIG_TYPE_STRING: {
        const char *s = *(char *const *)member;
        config_quote(out, row->secret && s && *s ? CONFIG_MASK : s ? s : "");
        break;
    }
    case CONFIG_TYPE_BOOL:
        pl_buf_adds(out, *(const bool *)member ? "true" : "false");
        break;
    case CONFIG_TYPE_DOUBLE:
        add_double(out, *(const double *)member);
        break;
    case CONFIG_TYPE_ENUM:
        pl_buf_adds(out, row->choices[*(const int *)member]);
        break;
    default:
        add_number(row, out, *(const int64_t *)member);
        break;
    }
}

static void add_choices(struct pl_buf *out, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++)
        pl_buf_addf(out, "%s%s", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
}

void config_limits_text(const struct config_row *row, struct pl_buf *out)
{
    static const char *const kinds[] = {
        [CONFIG_TYPE_INT] = "a number",
        [CONFIG_TYPE_DOUBLE] = "a number",
        [CONFIG_TYPE_DURATION] = "a time",
        [CONFIG_TYPE_BYTES] = "a size",
    };
    switch (row->type) {
    case CONFIG_TYPE_BOOL:
        pl_buf_adds(out, "true or false");
        break;
    case CONFIG_TYPE_ENUM:
        add_choices(out, row->choices);
        break;
    case CONFIG_TYPE_DOUBLE:
        pl_buf_addf(out, "%s, ", kinds[row->type]);
        add_double(out, row->min);
        pl_buf_adds(out, " to ");
        add_double(out, row->max);
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_DURATION:
    case CONFIG_TYPE_BYTES:
        pl_buf_addf(out, "%s, ", kinds[row->type]);
        add_number(row, out, (int64_t)row->min);
        pl_buf_adds(out, " to ");
        add_number(row, out, (int64_t)row->max);
        break;
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_STRINGS:
    case CONFIG_TYPE_MAP:
        break;
    }
}
