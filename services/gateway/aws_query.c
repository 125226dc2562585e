#include "aws_query.h"

#include "base/text.h"
#include "uri.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A parameter of the tree that is being built. Lists and maps stay objects, by position, until finish(). */

/* Walks "A.member.1.B" down from 'root', making objects on the way, and puts 'value' at the end. */
static bool put(json_t *root, char *name, const char *value)
{
    json_t *at = root;
    for (int depth = 0; depth < AWS_QUERY_DEPTH; depth++) {
        char *part = strsep(&name, ".");
        if (!part || !*part)
            return false;
        json_t *inner = json_object_get(at, part);
        if (!name) {
            if (inner)
                return false; /* twice, or both a value and a structure */
            return json_object_set_new(at, part, json_string(value)) == 0;
        }
        if (!inner) {
            inner = json_object();
            json_object_set_new(at, part, inner);
        }
        if (!json_is_object(inner))
            return false;
        at = inner;
    }
    return false;
}

static json_t *finish(json_t *v);

/* {"1": x, "2": y} in order; NULL when there is a gap or another key. */
static json_t *to_list(json_t *positions)
{
    json_t *list = json_array();
    size_t count = json_object_size(positions);
    for (size_t i = 1; i <= count; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "%zu", i);
        json_t *item = finish(json_object_get(positions, key));
        if (!item) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, item);
    }
    return list;
}

/* {"1": {"key": "a", "value": x}} -> {"a": x} */
static json_t *to_map(json_t *positions)
{
    json_t *list = to_list(positions), *map = json_object(), *entry;
    bool good = list != NULL;
    size_t i;
    json_array_foreach(list, i, entry)
    {
        const char *key = json_string_value(json_object_get(entry, "key"));
        good = good && key && json_object_get(entry, "value") && !json_object_get(map, key);
        if (good)
            json_object_set(map, key, json_object_get(entry, "value"));
    }
    json_decref(list);
    if (good)
        return map;
    json_decref(map);
    return NULL;
}

/* A new reference, lists and maps in their right form; NULL when some are not well formed. Depth is bounded by put().
 */
static json_t *finish(json_t *v)
{
    if (!json_is_object(v))
        return json_incref(v);
    if (json_object_size(v) == 1 && json_is_object(json_object_get(v, "member")))
        return to_list(json_object_get(v, "member"));
    if (json_object_size(v) == 1 && json_is_object(json_object_get(v, "entry")))
        return to_map(json_object_get(v, "entry"));
    json_t *out = json_object(), *inner;
    const char *key;
    json_object_foreach(v, key, inner)
    {
        json_t *done = finish(inner);
        if (!done) {
            json_decref(out);
            return NULL;
        }
        json_object_set_new(out, key, done);
    }
    return out;
}

static bool is_text(const char *s, size_t n)
{
    return strlen(s) == n && pl_utf8_valid(s, n);
}

static bool add_parameters(json_t *root, const char *form, size_t n, struct arena *a, const char **out_why)
{
    size_t count = 0;
    for (const char *p = form, *end = form + n; p < end;) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        size_t len = stop ? (size_t)(stop - p) : (size_t)(end - p), name_len, value_len = 0;
        const char *equals = memchr(p, '=', len);
        char *name = uri_decode(p, equals ? (size_t)(equals - p) : len, true, a, &name_len);
        char *value =
            equals ? uri_decode(equals + 1, len - (size_t)(equals + 1 - p), true, a, &value_len) : arena_strdup(a, "");
        p += len + 1;
        if (len == 0)
            continue;
        if (++count > AWS_QUERY_PARAMETERS) {
            *out_why = arena_format(a, "more than %d parameters", AWS_QUERY_PARAMETERS);
            return false;
        }
        const char *shown = arena_strndup(a, name, strnlen(name, 100));
        if (!is_text(name, name_len) || !is_text(value, value_len)) {
            *out_why = "a parameter is not UTF-8 text";
            return false;
        }
        if (!put(root, name, value)) {
            *out_why = arena_format(a, "parameter \"%s\" contradicts another one, or is malformed", shown);
            return false;
        }
    }
    return true;
}

json_t *aws_query_read(const char *form, size_t n, struct arena *a, const char **out_why)
{
    json_t *root = json_object(), *out = NULL;
    if (add_parameters(root, form, n, a, out_why)) {
        out = finish(root);
        if (!json_is_object(out)) {
            json_decref(out);
            out = NULL;
            *out_why = "list positions must be 1, 2, 3, ... without a gap, and map entries have a key and a value";
        }
    }
    json_decref(root);
    return out;
}
