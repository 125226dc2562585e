/* What protobuf-c lets through and nobody may rely on: so every unpacked message is walked along its descriptor once.
 * The depth is that of the message types, none of which contains itself.
 *
 * Of a string protobuf-c keeps what stands before its first NUL byte, and nobody sees that there was more: a name would
 * be taken for another. So the bytes are walked too, where there is a zero byte at all, which is seldom.
 *
 * proto3 strings are UTF-8 by definition. A field number is 1..2^29-1: protobuf-c keeps one of 0 with the unknown
 * fields, but refuses to read what it has packed of it, so that such a message could be kept and never be read again.
 */
#include "core.h"

#include "base/text.h"
#include "wire/wire.h"

#include <stdio.h>
#include <string.h>

struct walk {
    char *path;
    size_t size;
    const char *reason; /* what is wrong, as soon as something is */
};

static bool walk_message(struct walk *w, size_t at, const ProtobufCMessage *m);

/* "name" or "name[3]" after what is at 'at' already; returns the new end, cut at the size. */
static size_t walk_name(struct walk *w, size_t at, const ProtobufCFieldDescriptor *f, size_t index)
{
    const char *dot = at > 0 ? "." : "";
    int n = f->label == PROTOBUF_C_LABEL_REPEATED
                ? snprintf(w->path + at, w->size - at, "%s%s[%zu]", dot, f->name, index)
                : snprintf(w->path + at, w->size - at, "%s%s", dot, f->name);
    size_t end = at + (n > 0 ? (size_t)n : 0);
    return end < w->size ? end : w->size - 1;
}

static bool walk_value(struct walk *w, size_t at, const ProtobufCFieldDescriptor *f, const void *value, size_t index)
{
    const void *p = *(void *const *)value;
    if (!p)
        return true;
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        if (pl_utf8_valid(p, strlen(p)))
            return true;
        walk_name(w, at, f, index);
        w->reason = "INVALID_UTF8";
        return false;
    }
    return walk_message(w, walk_name(w, at, f, index), p);
}

static bool walk_field(struct walk *w, size_t at, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *m)
{
    const char *base = (const char *)m;
    const void *member = base + f->offset;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)(base + f->quantifier_offset);
        void *const *array = *(void *const *const *)member;
        for (size_t i = 0; i < count; i++)
            if (!walk_value(w, at, f, &array[i], i))
                return false;
        return true;
    }
    bool in_oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    if (in_oneof && *(const uint32_t *)(const void *)(base + f->quantifier_offset) != f->id)
        return true;
    return walk_value(w, at, f, member, 0);
}

static bool walk_message(struct walk *w, size_t at, const ProtobufCMessage *m)
{
    for (unsigned i = 0; i < m->n_unknown_fields; i++) {
        if (m->unknown_fields[i].tag == 0) {
            w->reason = "MALFORMED_PROTOBUF";
            return false;
        }
    }
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (!walk_field(w, at, f, m))
            return false;
    }
    return true;
}

/* The how-manieth of its repeated field the value is. */
static size_t wire_index(const void *data, size_t len, const struct wire_field *which)
{
    struct iovec span;
    struct wire_reader r;
    struct wire_field f;
    size_t index = 0;
    wire_read_flat(&r, &span, data, len);
    while (wire_next(&r, &f) && f.offset < which->offset)
        index += f.number == which->number && f.type == WIRE_BYTES;
    return index;
}

/* The first field that is, or holds, a string with a NUL byte. */
static const ProtobufCFieldDescriptor *wire_nul(const ProtobufCMessageDescriptor *d, const void *data, size_t len,
                                                struct wire_field *out)
{
    struct iovec span;
    struct wire_reader r;
    struct wire_field inner;
    if (len == 0 || !memchr(data, 0, len))
        return NULL;
    wire_read_flat(&r, &span, data, len);
    while (wire_next(&r, out)) {
        const ProtobufCFieldDescriptor *f =
            out->type == WIRE_BYTES ? protobuf_c_message_descriptor_get_field(d, out->number) : NULL;
        if (f && ((f->type == PROTOBUF_C_TYPE_STRING && out->len > 0 && memchr(out->bytes, 0, out->len)) ||
                  (f->type == PROTOBUF_C_TYPE_MESSAGE && wire_nul(f->descriptor, out->bytes, out->len, &inner))))
            return f;
    }
    return NULL;
}

/* Names it, from the outermost message to the string. */
static bool walk_wire(struct walk *w, const ProtobufCMessageDescriptor *d, const void *data, size_t len)
{
    struct wire_field v;
    size_t at = 0;
    for (const ProtobufCFieldDescriptor *f; (f = wire_nul(d, data, len, &v)); d = f->descriptor) {
        at = walk_name(w, at, f, wire_index(data, len, &v));
        if (f->type == PROTOBUF_C_TYPE_STRING) {
            w->reason = "NUL_IN_STRING";
            return false;
        }
        data = v.bytes;
        len = v.len;
    }
    return true;
}

const char *rpc_message_check(const ProtobufCMessage *m, const void *data, size_t len, char *path, size_t size)
{
    struct walk w = { path, size, NULL };
    path[0] = '\0';
    if (!walk_wire(&w, m->descriptor, data, len))
        return w.reason;
    return walk_message(&w, 0, m) ? NULL : w.reason;
}
