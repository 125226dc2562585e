#include "aws_xml.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void xml_add_escaped(struct text *out, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&':
            text_adds(out, "&amp;");
            break;
        case '<':
            text_adds(out, "&lt;");
            break;
        case '>':
            text_adds(out, "&gt;");
            break;
        case '"':
            text_adds(out, "&quot;");
            break;
        case '\r':
            text_adds(out, "&#13;");
            break;
        case '\n':
        case '\t':
            text_addc(out, *s);
            break;
        default:
            text_addc(out, (unsigned char)*s < 0x20 ? '?' : *s);
        }
    }
}

void xml_element(struct text *out, const char *name, const char *value)
{
    text_addf(out, "<%s>", name);
    xml_add_escaped(out, value);
    text_addf(out, "</%s>", name);
}

void xml_elementf(struct text *out, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    xml_element(out, name, arena_vformat(out->arena, fmt, args));
    va_end(args);
}

static void add_list(struct text *out, const json_t *v)
{
    size_t i;
    const json_t *item;
    json_array_foreach(v, i, item)
    {
        text_adds(out, "<member>");
        xml_add_value(out, item);
        text_adds(out, "</member>");
    }
}

static void add_structure(struct text *out, const json_t *v)
{
    const char *key;
    json_t *inner;
    json_object_foreach((json_t *)(uintptr_t)v, key, inner)
    {
        text_addf(out, "<%s>", key);
        xml_add_value(out, inner);
        text_addf(out, "</%s>", key);
    }
}

static void add_map(struct text *out, const json_t *v)
{
    const char *key;
    json_t *inner;
    json_object_foreach((json_t *)(uintptr_t)v, key, inner)
    {
        text_adds(out, "<entry>");
        xml_element(out, "key", key);
        text_adds(out, "<value>");
        xml_add_value(out, inner);
        text_adds(out, "</value></entry>");
    }
}

void xml_add_value(struct text *out, const json_t *v)
{
    const json_t *map;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        map = json_object_get(v, XML_MAP_MARK);
        if (map)
            add_map(out, map);
        else
            add_structure(out, v);
        break;
    case JSON_ARRAY:
        add_list(out, v);
        break;
    case JSON_STRING:
        xml_add_escaped(out, json_string_value(v));
        break;
    case JSON_INTEGER:
        text_addf(out, "%lld", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        text_addf(out, "%.16g", json_real_value(v));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        text_adds(out, json_is_true(v) ? "true" : "false");
        break;
    case JSON_NULL:
        break;
    }
}
