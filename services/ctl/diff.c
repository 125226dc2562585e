#include "diff.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "message.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What the server sets by itself: not part of what a person wants. */
static const char *const observed[] = {
    "created_at_unix_ms", "updated_at_unix_ms",           "status",  "failure_reason",
    "waiting_reason",     "pending_endpoint_config_name", "version", "name"
};

/* The server's defaults, as the .proto files state them. */
static void fill_defaults(json_t *spec)
{
    json_t *runtime = json_object_get(spec, "runtime");
    if (runtime && !*json_string_value(runtime))
        json_object_set_new(spec, "runtime", json_string("xgboost"));
    size_t i;
    json_t *variant;
    json_array_foreach(json_object_get(spec, "variants"), i, variant)
    {
        if (!json_object_get(variant, "weight"))
            json_object_set_new(variant, "weight", json_real(1));
        if (!json_integer_value(json_object_get(variant, "invoke_timeout_ms")))
            json_object_set_new(variant, "invoke_timeout_ms", json_integer(60000));
        if (!json_integer_value(json_object_get(variant, "start_timeout_ms")))
            json_object_set_new(variant, "start_timeout_ms", json_integer(180000));
    }
}

static json_t *spec_of(const struct kind *kind, const ProtobufCMessage *m)
{
    json_t *spec = message_json(m);
    if (kind->id == KIND_ENDPOINT) {
        /* Variants are the config's; while an update runs, the config that is wanted is the pending one. */
        json_object_del(spec, "variants");
        json_t *pending = json_object_get(spec, "pending_endpoint_config_name");
        if (pending && *json_string_value(pending))
            json_object_set(spec, "endpoint_config_name", pending);
    }
    for (size_t i = 0; i < PL_COUNT(observed); i++)
        json_object_del(spec, observed[i]);
    fill_defaults(spec);
    return spec;
}

/* A leaf as people write it. */
static char *leaf_text(const json_t *value)
{
    if (json_is_string(value))
        return pl_strdup(json_string_value(value));
    if (json_is_real(value))
        return pl_format("%g", json_real_value(value));
    if (json_is_integer(value))
        return pl_format("%lld", (long long)json_integer_value(value));
    return pl_strdup(json_is_true(value) ? "true" : "false");
}

static void add(struct diff *d, const char *path, const json_t *old_value, const json_t *new_value)
{
    d->changes = pl_grow(d->changes, d->count + 1, sizeof(*d->changes));
    d->changes[d->count++] = (struct diff_change){
        .path = pl_strdup(path),
        .old_value = old_value ? leaf_text(old_value) : NULL,
        .new_value = new_value ? leaf_text(new_value) : NULL,
    };
}

/* Entries of a list by their name, so that a moved variant is no change. */
static json_t *by_name(const json_t *array)
{
    json_t *object = json_object(), *entry;
    size_t i;
    json_array_foreach(array, i, entry)
    {
        json_t *name = json_object_get(entry, "name");
        pl_cleanup(pl_free_p) char *key = pl_format("[%s]", json_is_string(name) ? json_string_value(name) : "");
        json_object_set(object, key, entry);
    }
    return object;
}

static void compare(struct diff *d, const char *path, const json_t *old_value, const json_t *new_value);

static void compare_members(struct diff *d, const char *path, const json_t *old_object, const json_t *new_object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)new_object, key, value)
    {
        pl_cleanup(pl_free_p) char *member = pl_format("%s%s%s", path, *path && *key != '[' ? "." : "", key);
        compare(d, member, json_object_get(old_object, key), value);
    }
    json_object_foreach((json_t *)(uintptr_t)old_object, key, value)
    {
        pl_cleanup(pl_free_p) char *member = pl_format("%s%s%s", path, *path && *key != '[' ? "." : "", key);
        if (!json_object_get(new_object, key))
            compare(d, member, value, NULL);
    }
}

static void compare(struct diff *d, const char *path, const json_t *old_value, const json_t *new_value)
{
    const json_t *shape = new_value ? new_value : old_value;
    if (json_is_array(shape)) {
        json_t *old_object = by_name(old_value), *new_object = by_name(new_value);
        compare_members(d, path, old_object, new_object);
        json_decref(old_object);
        json_decref(new_object);
    } else if (json_is_object(shape)) {
        json_t *none = json_object();
        compare_members(d, path, old_value ? old_value : none, new_value ? new_value : none);
        json_decref(none);
    } else if (!old_value || !new_value || !json_equal(old_value, new_value)) {
        add(d, path, old_value, new_value);
    }
}

void diff_resources(const struct kind *kind, const ProtobufCMessage *live, const ProtobufCMessage *wanted,
                    struct diff *out)
{
    *out = (struct diff){ 0 };
    json_t *old_spec = spec_of(kind, live), *new_spec = spec_of(kind, wanted);
    compare(out, "", old_spec, new_spec);
    json_decref(old_spec);
    json_decref(new_spec);
}

void diff_done(struct diff *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->changes[i].path);
        free(d->changes[i].old_value);
        free(d->changes[i].new_value);
    }
    free(d->changes);
    *d = (struct diff){ 0 };
}

bool diff_is_tag(const struct diff_change *c)
{
    return !strncmp(c->path, "tags.", 5);
}

size_t diff_count_spec(const struct diff *d)
{
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++)
        count += !diff_is_tag(&d->changes[i]);
    return count;
}
