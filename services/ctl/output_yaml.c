/* output_yaml - JSON values as YAML, by libyaml's emitter, so that quoting is its concern. */
#include "output.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>
#include <yaml.h>

static void emit(yaml_emitter_t *e, yaml_event_t *event)
{
    if (!yaml_emitter_emit(e, event))
        pl_die("cannot write YAML: %s", e->problem);
}

/* A plain text that a reader would take for a number, a truth value or nothing is quoted. */
static bool looks_typed(const char *s)
{
    static const char *const words[] = { "",      "~",     "null",  "Null", "NULL", "true", "True", "TRUE",
                                         "false", "False", "FALSE", "on",   "On",   "ON",   "off",  "Off",
                                         "OFF",   "yes",   "Yes",   "YES",  "no",   "No",   "NO",   "y",
                                         "Y",     "n",     "N",     ".nan", ".inf", "=",    "<<" };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!strcmp(words[i], s))
            return true;
    }
    return strchr("+-.0123456789", *s) != NULL;
}

static void emit_scalar(yaml_emitter_t *e, const char *text, size_t len, bool quoted)
{
    yaml_event_t event;
    yaml_scalar_style_t style = quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
    if (!yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, 1, 1, style))
        pl_die("cannot write YAML");
    emit(e, &event);
}

static void emit_string(yaml_emitter_t *e, const json_t *value)
{
    const char *text = json_string_value(value);
    emit_scalar(e, text, json_string_length(value), looks_typed(text));
}

static void emit_value(yaml_emitter_t *e, const json_t *value);

static void emit_object(yaml_emitter_t *e, const json_t *value)
{
    yaml_event_t event;
    yaml_mapping_style_t style = json_object_size(value) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style);
    emit(e, &event);
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        emit_scalar(e, key, strlen(key), looks_typed(key));
        emit_value(e, member);
    }
    yaml_mapping_end_event_initialize(&event);
    emit(e, &event);
}

static void emit_array(yaml_emitter_t *e, const json_t *value)
{
    yaml_event_t event;
    yaml_sequence_style_t style = json_array_size(value) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style);
    emit(e, &event);
    size_t i;
    json_t *entry;
    json_array_foreach(value, i, entry) emit_value(e, entry);
    yaml_sequence_end_event_initialize(&event);
    emit(e, &event);
}

static void emit_value(yaml_emitter_t *e, const json_t *value)
{
    char text[64];
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        emit_object(e, value);
        return;
    case JSON_ARRAY:
        emit_array(e, value);
        return;
    case JSON_STRING:
        emit_string(e, value);
        return;
    case JSON_INTEGER:
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(text, sizeof(text), "%.15g", json_real_value(value));
        break;
    case JSON_TRUE:
        strcpy(text, "true");
        break;
    case JSON_FALSE:
        strcpy(text, "false");
        break;
    case JSON_NULL:
        strcpy(text, "null");
        break;
    }
    emit_scalar(e, text, strlen(text), false);
}

void output_yaml(const json_t *value, FILE *out)
{
    yaml_emitter_t e;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&e))
        pl_die("out of memory");
    yaml_emitter_set_output_file(&e, out);
    yaml_emitter_set_unicode(&e, 1);
    yaml_emitter_set_width(&e, -1);
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&e, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&e, &event);
    emit_value(&e, value);
    yaml_document_end_event_initialize(&event, 1);
    emit(&e, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&e, &event);
    yaml_emitter_delete(&e);
}
