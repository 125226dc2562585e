#include "manifest_fields.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "message.h"
#include "paths.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_type {
    FIELD_TEXT,
    FIELD_ARTIFACT,   /* a URI, or a path that becomes one          */
    FIELD_INT,        /* int32                                      */
    FIELD_DOUBLE,     /* finite, not negative                       */
    FIELD_DURATION,   /* "10s" into a field of milliseconds         */
    FIELD_KEEP_ALIVE, /* "10s" into KeepAlive.idle_ms               */
    FIELD_MAP,        /* text to text                               */
    FIELD_VARIANTS,   /* sequence of mappings                       */
    FIELD_HEAD,       /* kind and name: read before the others      */
    FIELD_SPEC,       /* the kind's own table                       */
};

struct field {
    const char *key;
    enum field_type type;
    bool required;
    const char *target; /* field of the message; NULL = 'key' */
    const char *help;
};

static const struct field document_fields[] = {
    { "kind", FIELD_HEAD, true, NULL, "Model, EndpointConfig or Endpoint" },
    { "name", FIELD_HEAD, true, NULL, "1 to 63 letters, digits and inner hyphens" },
    { "tags", FIELD_MAP, false, NULL, "labels, may be changed later" },
    { "annotations", FIELD_MAP, false, NULL, "kept and returned as given" },
    { "spec", FIELD_SPEC, true, NULL, "what it is; `pilotlight help manifest` lists the keys of each kind" },
    { 0 },
};

static const struct field model_fields[] = {
    { "artifact_uri", FIELD_ARTIFACT, true, NULL,
      "file://, https:// or s3:// URI (http:// where worker hosts allow it), or a path relative to this file" },
    { "artifact_sha256", FIELD_TEXT, false, NULL, "hex digest that the artifact must have" },
    { "runtime", FIELD_TEXT, false, NULL, "xgboost (the default), python or http" },
    { "environment", FIELD_MAP, false, NULL, "what the model's process finds in its environment" },
    { 0 },
};

static const struct field variant_fields[] = {
    { "name", FIELD_TEXT, true, NULL, "unique in the config" },
    { "model_name", FIELD_TEXT, true, NULL, "which model it serves" },
    { "memory_size_mb", FIELD_INT, true, NULL, "memory limit of an instance: 1024, 2048, ... 6144" },
    { "max_concurrency", FIELD_INT, true, NULL, "requests in flight at once, 1..200" },
    { "provisioned_concurrency", FIELD_INT, false, NULL, "instances kept warm regardless; default 0" },
    { "weight", FIELD_DOUBLE, false, NULL, "share of the requests, relative to the other variants; default 1" },
    { "keep_alive", FIELD_KEEP_ALIVE, false, NULL,
      "how long an idle instance stays, as 10s or 5m; default: the router's" },
    { "invoke_timeout", FIELD_DURATION, false, "invoke_timeout_ms", "longest invocation; default and most 60s" },
    { "start_timeout", FIELD_DURATION, false, "start_timeout_ms", "longest cold start; default and most 180s" },
    { 0 },
};

static const struct field config_fields[] = {
    { "variants", FIELD_VARIANTS, true, NULL, "1 to 10 production variants" },
    { 0 },
};

static const struct field endpoint_fields[] = {
    { "endpoint_config_name", FIELD_TEXT, true, NULL, "the config that it serves" },
    { 0 },
};

static const struct field *const spec_fields[KIND_COUNT] = {
    [KIND_MODEL] = model_fields,
    [KIND_ENDPOINT_CONFIG] = config_fields,
    [KIND_ENDPOINT] = endpoint_fields,
};

enum pl_code manifest_fail(const struct manifest_reader *r, const yaml_node_t *node, const char *field,
                           struct pl_err *err, const char *fmt, ...)
{
    char text[768];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    yaml_mark_t mark = node ? node->start_mark : r->document->start_mark;
    return pl_fail(err, PL_INVALID, field, "%s:%zu:%zu: %s", r->source, mark.line + 1, mark.column + 1, text);
}

/* ---- values ---- */

/* The text of a scalar, or NULL after filling 'err'. A key without a value is an error: '' is the empty text. */
static const char *scalar(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                          struct pl_err *err)
{
    static const char *const shapes[] = { [YAML_SEQUENCE_NODE] = "a sequence", [YAML_MAPPING_NODE] = "a mapping" };
    if (node->type != YAML_SCALAR_NODE) {
        (void)manifest_fail(r, node, path, err, "%s must be a single value, not %s", path, shapes[node->type]);
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        (void)manifest_fail(r, node, path, err, "%s holds a NUL byte", path);
        return NULL;
    }
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (!*text || !strcmp(text, "~") || !strcmp(text, "null"))) {
        (void)manifest_fail(r, node, path, err, "%s has no value (write '' for the empty text)", path);
        return NULL;
    }
    return text;
}

static enum pl_code read_int(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                             const char *target, ProtobufCMessage *out, struct pl_err *err)
{
    const char *text = scalar(r, node, path, err);
    int64_t value;
    if (!text)
        return err->code;
    if (!pl_parse_i64(text, INT32_MIN, INT32_MAX, &value))
        return manifest_fail(r, node, path, err, "%s: '%.64s' is not a whole number", path, text);
    message_set_int(out, target, value);
    return PL_OK;
}

static enum pl_code read_double(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                                const char *target, ProtobufCMessage *out, struct pl_err *err)
{
    const char *text = scalar(r, node, path, err);
    if (!text)
        return err->code;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < 0)
        return manifest_fail(r, node, path, err, "%s: '%.64s' is not a number >= 0", path, text);
    message_set_double(out, target, value);
    return PL_OK;
}

/* A plain number would be milliseconds to some and seconds to others: a unit must be there, except for 0. */
static enum pl_code read_duration(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                                  const char *target, ProtobufCMessage *out, struct pl_err *err)
{
    const char *text = scalar(r, node, path, err);
    int64_t ms, unused;
    if (!text)
        return err->code;
    bool bare = pl_parse_i64(text, INT64_MIN, INT64_MAX, &unused) && unused != 0;
    if (bare || !pl_duration_parse(text, &ms))
        return manifest_fail(r, node, path, err, "%s: '%.64s' is not a duration with its unit, like 500ms, 10s or 5m",
                             path, text);
    if (!strcmp(target, "keep_alive")) {
        message_set_int(message_sub(out, "keep_alive"), "idle_ms", ms);
        return PL_OK;
    }
    if (ms > INT32_MAX)
        return manifest_fail(r, node, path, err, "%s: '%.64s' is too long", path, text);
    message_set_int(out, target, ms);
    return PL_OK;
}

static enum pl_code read_artifact(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                                  const char *target, ProtobufCMessage *out, struct pl_err *err)
{
    const char *text = scalar(r, node, path, err);
    if (!text)
        return err->code;
    if (!*text)
        return manifest_fail(r, node, path, err, "%s is empty", path);
    if (strstr(text, "://")) {
        message_set_text(out, target, text);
        return PL_OK;
    }
    pl_cleanup(pl_free_p) char *full = paths_resolve(r->folder, text);
    pl_cleanup(pl_free_p) char *uri = pl_format("file://%s", full);
    message_set_text(out, target, uri);
    return PL_OK;
}

/* Appends the pairs of a mapping to a map field or to a list of tags: both are lists of messages {key, value}. */
static enum pl_code read_map(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                             const char *target, ProtobufCMessage *out, struct pl_err *err)
{
    if (node->type != YAML_MAPPING_NODE)
        return manifest_fail(r, node, path, err, "%s must be a mapping, 'key: value' on each line", path);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key_node = yaml_document_get_node(r->document, p->key);
        const yaml_node_t *value_node = yaml_document_get_node(r->document, p->value);
        const char *key = scalar(r, key_node, path, err);
        if (!key)
            return err->code;
        ProtobufCMessage *const *pairs;
        for (size_t i = 0, n = message_list(out, target, &pairs); i < n; i++) {
            if (!strcmp(message_text(pairs[i], "key"), key))
                return manifest_fail(r, key_node, path, err, "%s: '%.64s' is there twice", path, key);
        }
        pl_cleanup(pl_free_p) char *value_path = pl_format("%s.%.64s", path, key);
        const char *value = scalar(r, value_node, value_path, err);
        if (!value)
            return err->code;
        ProtobufCMessage *pair = message_append(out, target);
        message_set_text(pair, "key", key);
        message_set_text(pair, "value", value);
    }
    return PL_OK;
}

/* ---- mappings by table ---- */

static enum pl_code read_mapping(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                                 const struct field *fields, ProtobufCMessage *out, struct pl_err *err);

static enum pl_code read_variants(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                                  const char *target, ProtobufCMessage *out, struct pl_err *err)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return manifest_fail(r, node, path, err, "%s must be a sequence, each entry starting with '- name: ...'", path);
    size_t i = 0;
    for (yaml_node_item_t *it = node->data.sequence.items.start; it < node->data.sequence.items.top; it++, i++) {
        pl_cleanup(pl_free_p) char *entry_path = pl_format("%s[%zu]", path, i);
        if (read_mapping(r, yaml_document_get_node(r->document, *it), entry_path, variant_fields,
                         message_append(out, target), err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

static enum pl_code read_field(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                               const struct field *f, ProtobufCMessage *out, struct pl_err *err)
{
    const char *target = f->target ? f->target : f->key;
    switch (f->type) {
    case FIELD_TEXT: {
        const char *text = scalar(r, node, path, err);
        if (!text)
            return err->code;
        message_set_text(out, target, text);
        return PL_OK;
    }
    case FIELD_ARTIFACT:
        return read_artifact(r, node, path, target, out, err);
    case FIELD_INT:
        return read_int(r, node, path, target, out, err);
    case FIELD_DOUBLE:
        return read_double(r, node, path, target, out, err);
    case FIELD_DURATION:
    case FIELD_KEEP_ALIVE:
        return read_duration(r, node, path, target, out, err);
    case FIELD_MAP:
        return read_map(r, node, path, target, out, err);
    case FIELD_VARIANTS:
        return read_variants(r, node, path, target, out, err);
    case FIELD_HEAD:
    case FIELD_SPEC:
        break; /* manifest_read() has these */
    }
    return PL_OK;
}

static enum pl_code unknown_key(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                                const char *key, const struct field *fields, struct pl_err *err)
{
    const char *known[16], *near;
    size_t count = 0;
    char all[512] = "";
    for (const struct field *f = fields; f->key; f++) {
        known[count++] = f->key;
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", *all ? ", " : "", f->key);
    }
    near = pl_nearest(key, known, count);
    if (near)
        return manifest_fail(r, node, path, err, "unknown key '%.64s'%s%s; did you mean '%s'?", key,
                             *path ? " in " : "", path, near);
    return manifest_fail(r, node, path, err, "unknown key '%.64s'%s%s; known are %s", key, *path ? " in " : "", path,
                         all);
}

/* Finds the row of each key once and reports what is unknown, double or missing. Values come out in 'nodes', by row. */
static enum pl_code match_keys(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                               const struct field *fields, const yaml_node_t **nodes, struct pl_err *err)
{
    if (node->type != YAML_MAPPING_NODE)
        return manifest_fail(r, node, path, err, "%s must be a mapping, 'key: value' on each line",
                             *path ? path : "a document");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key_node = yaml_document_get_node(r->document, p->key);
        const char *key = scalar(r, key_node, "a key", err);
        if (!key)
            return err->code;
        size_t i = 0;
        while (fields[i].key && strcmp(fields[i].key, key))
            i++;
        if (!fields[i].key)
            return unknown_key(r, key_node, path, key, fields, err);
        if (nodes[i])
            return manifest_fail(r, key_node, path, err, "'%s' is there twice", key);
        nodes[i] = yaml_document_get_node(r->document, p->value);
    }
    for (size_t i = 0; fields[i].key; i++) {
        if (fields[i].required && !nodes[i])
            return manifest_fail(r, node, path, err, "%s%s'%s' is missing: %s", path, *path ? ": " : "", fields[i].key,
                                 fields[i].help);
    }
    return PL_OK;
}

#define FIELDS_MAX 16 /* rows of one table */

static enum pl_code read_mapping(const struct manifest_reader *r, const yaml_node_t *node, const char *path,
                                 const struct field *fields, ProtobufCMessage *out, struct pl_err *err)
{
    const yaml_node_t *nodes[FIELDS_MAX] = { NULL };
    if (match_keys(r, node, path, fields, nodes, err) != PL_OK)
        return err->code;
    for (size_t i = 0; fields[i].key; i++) {
        pl_cleanup(pl_free_p) char *field_path = pl_format("%s%s%s", path, *path ? "." : "", fields[i].key);
        if (nodes[i] && read_field(r, nodes[i], field_path, &fields[i], out, err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

static enum pl_code read_kind(const struct manifest_reader *r, const yaml_node_t *node, const struct kind **out_kind,
                              struct pl_err *err)
{
    const char *title = scalar(r, node, "kind", err);
    if (!title)
        return err->code;
    *out_kind = kind_by_title(title);
    if (*out_kind)
        return PL_OK;
    const char *titles[KIND_COUNT];
    for (size_t i = 0; i < KIND_COUNT; i++)
        titles[i] = kinds[i].title;
    const char *near = pl_nearest(title, titles, KIND_COUNT);
    return manifest_fail(r, node, "kind", err, "unknown kind '%.64s'; %s%s%s", title,
                         near ? "did you mean '" : "known are ", near ? near : "Model, EndpointConfig and Endpoint",
                         near ? "'?" : "");
}

enum pl_code manifest_read(const struct manifest_reader *r, yaml_node_t *root, const struct kind **out_kind,
                           ProtobufCMessage **out_message, struct pl_err *err)
{
    enum { AT_KIND, AT_NAME, AT_TAGS, AT_ANNOTATIONS, AT_SPEC };
    const yaml_node_t *nodes[FIELDS_MAX] = { NULL };
    const struct kind *kind;
    if (match_keys(r, root, "", document_fields, nodes, err) != PL_OK ||
        read_kind(r, nodes[AT_KIND], &kind, err) != PL_OK)
        return err->code;
    pl_cleanup(message_free_p) ProtobufCMessage *m = message_new(kind->resource);
    const char *name = scalar(r, nodes[AT_NAME], "name", err);
    if (!name)
        return err->code;
    message_set_text(m, "name", name);
    for (size_t i = AT_TAGS; i <= AT_ANNOTATIONS; i++) {
        if (nodes[i] && read_field(r, nodes[i], document_fields[i].key, &document_fields[i], m, err) != PL_OK)
            return err->code;
    }
    if (read_mapping(r, nodes[AT_SPEC], "spec", spec_fields[kind->id], m, err) != PL_OK)
        return err->code;
    *out_kind = kind;
    *out_message = pl_take(m);
    return PL_OK;
}

/* ---- help ---- */

static void print_fields(FILE *out, const char *title, const struct field *fields)
{
    fprintf(out, "%s\n", title);
    for (; fields->key; fields++)
        fprintf(out, "  %-24s %s%s\n", fields->key, fields->required ? "(required) " : "", fields->help);
}

void manifest_fields_print(FILE *out)
{
    print_fields(out, "Every document:", document_fields);
    print_fields(out, "spec of a Model:", model_fields);
    print_fields(out, "spec of an EndpointConfig:", config_fields);
    print_fields(out, "each of its variants:", variant_fields);
    print_fields(out, "spec of an Endpoint:", endpoint_fields);
}
