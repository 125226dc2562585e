#include "message.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void *at(const ProtobufCMessage *m, size_t offset)
{
    return (char *)(uintptr_t)m + offset;
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
    assert(f && "a field that the message lacks");
    return f;
}

ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *d)
{
    ProtobufCMessage *m = pl_new0(1, d->sizeof_message);
    protobuf_c_message_init(d, m);
    return m;
}

void message_free(ProtobufCMessage *m)
{
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
}

void message_free_p(ProtobufCMessage **m)
{
    message_free(*m);
}

ProtobufCMessage *message_copy(const ProtobufCMessage *m)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = pl_new0(1, n + 1);
    protobuf_c_message_pack(m, bytes);
    ProtobufCMessage *copy = protobuf_c_message_unpack(m->descriptor, NULL, n, bytes);
    free(bytes);
    if (!copy)
        pl_die("out of memory");
    return copy;
}

static void mark_set(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)at(m, f->quantifier_offset) = f->id;
}

void message_set_text(ProtobufCMessage *m, const char *field, const char *text)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    assert(f->type == PROTOBUF_C_TYPE_STRING && f->label != PROTOBUF_C_LABEL_REPEATED);
    char **slot = at(m, f->offset);
    if (*slot && *slot != f->default_value && *slot != protobuf_c_empty_string)
        free(*slot);
    *slot = pl_strdup(text);
    mark_set(m, f);
}

void message_set_int(ProtobufCMessage *m, const char *field, int64_t value)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    if (f->type == PROTOBUF_C_TYPE_INT64)
        *(int64_t *)at(m, f->offset) = value;
    else if (f->type == PROTOBUF_C_TYPE_INT32 || f->type == PROTOBUF_C_TYPE_ENUM)
        *(int32_t *)at(m, f->offset) = (int32_t)value;
    else
        assert(!"not an integer field");
    mark_set(m, f);
}

void message_set_double(ProtobufCMessage *m, const char *field, double value)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    assert(f->type == PROTOBUF_C_TYPE_DOUBLE);
    *(double *)at(m, f->offset) = value;
    mark_set(m, f);
}

ProtobufCMessage *message_sub(ProtobufCMessage *m, const char *field)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    assert(f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED);
    ProtobufCMessage **slot = at(m, f->offset);
    if (!*slot)
        *slot = message_new(f->descriptor);
    mark_set(m, f);
    return *slot;
}

ProtobufCMessage *message_append(ProtobufCMessage *m, const char *field)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    assert(f->type == PROTOBUF_C_TYPE_MESSAGE && f->label == PROTOBUF_C_LABEL_REPEATED);
    size_t *count = at(m, f->quantifier_offset);
    ProtobufCMessage ***list = at(m, f->offset);
    *list = pl_grow(*list, *count + 1, sizeof(**list));
    (*list)[*count] = message_new(f->descriptor);
    return (*list)[(*count)++];
}

const char *message_text(const ProtobufCMessage *m, const char *field)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    assert(f->type == PROTOBUF_C_TYPE_STRING && f->label != PROTOBUF_C_LABEL_REPEATED);
    const char *text = *(char **)at(m, f->offset);
    return text ? text : "";
}

ProtobufCMessage *message_take_sub(ProtobufCMessage *m, const char *field)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    assert(f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED);
    ProtobufCMessage **slot = at(m, f->offset);
    return pl_take(*slot);
}

size_t message_list(const ProtobufCMessage *m, const char *field, ProtobufCMessage *const **out)
{
    const ProtobufCFieldDescriptor *f = field_of(m, field);
    assert(f->type == PROTOBUF_C_TYPE_MESSAGE && f->label == PROTOBUF_C_LABEL_REPEATED);
    *out = *(ProtobufCMessage ***)at(m, f->offset);
    return *(size_t *)at(m, f->quantifier_offset);
}

/* ---- JSON ---- */

/* "ENDPOINT_STATUS_IN_SERVICE" of EndpointStatus -> "IN_SERVICE". */
static json_t *enum_json(const ProtobufCEnumDescriptor *d, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);
    if (!v)
        return json_integer(value);
    const char *rest = v->name;
    for (const char *t = d->short_name; *t; t++) {
        if (isupper((unsigned char)*t) && t != d->short_name && *rest == '_')
            rest++;
        if (toupper((unsigned char)*t) != *rest++)
            return json_string(v->name);
    }
    return json_string(*rest == '_' ? rest + 1 : v->name);
}

static json_t *text_json(const char *s, size_t n)
{
    json_t *j = json_stringn(s, n);
    return j ? j : json_string("(not UTF-8)");
}

static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *slot)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)slot);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)slot);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_integer(*(const int64_t *)slot);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)slot);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)slot);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)slot);
    case PROTOBUF_C_TYPE_ENUM:
        return enum_json(f->descriptor, *(const int *)slot);
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(char *const *)slot;
        return text_json(s ? s : "", s ? strlen(s) : 0);
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *b = slot;
        return text_json(b->data ? (const char *)b->data : "", b->len);
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *sub = *(ProtobufCMessage *const *)slot;
        return sub ? message_json(sub) : NULL;
    }
    }
    return NULL;
}

/* A map's entry or a tag: exactly the strings "key" and "value". */
static bool is_pair(const ProtobufCFieldDescriptor *f)
{
    const ProtobufCMessageDescriptor *d = f->descriptor;
    return f->type == PROTOBUF_C_TYPE_MESSAGE && d->n_fields == 2 && !strcmp(d->fields[0].name, "key") &&
           !strcmp(d->fields[1].name, "value") && d->fields[0].type == PROTOBUF_C_TYPE_STRING &&
           d->fields[1].type == PROTOBUF_C_TYPE_STRING;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return 4;
    }
}

static json_t *repeated_json(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t count = *(const size_t *)at(m, f->quantifier_offset);
    const char *items = *(char *const *)at(m, f->offset);
    if (is_pair(f)) {
        json_t *object = json_object();
        for (size_t i = 0; i < count; i++) {
            const ProtobufCMessage *pair = ((ProtobufCMessage *const *)(uintptr_t)items)[i];
            const char *value = message_text(pair, "value");
            json_object_set_new(object, message_text(pair, "key"), text_json(value, strlen(value)));
        }
        return object;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, value_json(f, items + i * size_of(f->type)));
    return array;
}

json_t *message_json(const ProtobufCMessage *m)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        bool chosen =
            !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || *(const uint32_t *)at(m, f->quantifier_offset) == f->id;
        json_t *value = NULL;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            value = repeated_json(m, f);
        else if (chosen)
            value = value_json(f, at(m, f->offset));
        if (value)
            json_object_set_new(object, f->name, value);
    }
    return object;
}
