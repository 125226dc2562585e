#include "descriptors.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Field numbers of google/protobuf/descriptor.proto. */
enum { SET_FILE = 1 };
enum { FILE_NAME = 1, FILE_PACKAGE = 2, FILE_IMPORT = 3, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, MESSAGE_ONEOF = 8 };
enum { ENUM_VALUE = 2, SERVICE_METHOD = 2, ANY_NAME = 1 };

struct part {
    const char *p;
    size_t n;
};

struct file {
    struct part bytes, name, package;
};

struct descriptors {
    size_t count;
    struct file files[];
};

/* ---- opening ---- */

static struct part part_of(const struct wire_field *f)
{
    return (struct part){ f->bytes, f->len };
}

static bool scan_file(struct file *out, struct part bytes)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    *out = (struct file){ .bytes = bytes };
    wire_read_flat(&r, &span, bytes.p, bytes.n);
    while (wire_next(&r, &f)) {
        if (f.number == FILE_NAME && f.type == WIRE_BYTES)
            out->name = part_of(&f);
        if (f.number == FILE_PACKAGE && f.type == WIRE_BYTES)
            out->package = part_of(&f);
    }
    return !r.malformed && out->name.n > 0;
}

/* Counts, and fills 'files' when it is not NULL; false: malformed. */
static bool scan_set(const void *set, size_t len, struct file *files, size_t *out_count)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    size_t n = 0;
    wire_read_flat(&r, &span, set, len);
    while (wire_next(&r, &f)) {
        if (f.number != SET_FILE || f.type != WIRE_BYTES)
            continue;
        if (files && !scan_file(&files[n], part_of(&f)))
            return false;
        n++;
    }
    *out_count = n;
    return !r.malformed;
}

struct descriptors *descriptors_open(const void *set, size_t len)
{
    size_t count;
    if (!scan_set(set, len, NULL, &count))
        return NULL;
    struct descriptors *d = pl_new0(1, sizeof(*d) + count * sizeof(d->files[0]));
    if (scan_set(set, len, d->files, &d->count))
        return d;
    free(d);
    return NULL;
}

void descriptors_close(struct descriptors *d)
{
    free(d);
}

/* ---- look-ups ---- */

static bool part_is(struct part a, const char *p, size_t n)
{
    return a.n == n && memcmp(a.p, p, n) == 0;
}

/* When 'symbol' is 'name' or begins with "name.", the rest behind the dot ("" for the whole); else NULL. */
static const char *rest_after(const char *symbol, struct part name)
{
    if (strncmp(symbol, name.p, name.n) != 0)
        return NULL;
    const char *rest = symbol + name.n;
    if (*rest == '.')
        return rest[1] ? rest + 1 : NULL;
    return *rest == '\0' ? rest : NULL;
}

/* The message's 'name' field, number 1 in every kind of descriptor. */
static struct part name_of(struct part bytes)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    wire_read_flat(&r, &span, bytes.p, bytes.n);
    while (wire_next(&r, &f))
        if (f.number == ANY_NAME && f.type == WIRE_BYTES)
            return part_of(&f);
    return (struct part){ "", 0 };
}

static bool in_message(struct part bytes, const char *symbol);
static bool in_enum(struct part bytes, const char *symbol);
static bool in_service(struct part bytes, const char *symbol);
static bool in_leaf(struct part bytes, const char *symbol);

/* What may stand where: the kind of descriptor behind a field number, and how it is searched. */
struct child {
    uint32_t field;
    bool (*has)(struct part bytes, const char *symbol);
};
static const struct child of_file[] = {
    { FILE_MESSAGE, in_message }, { FILE_ENUM, in_enum }, { FILE_SERVICE, in_service }, { 0 }
};
static const struct child of_message[] = { { MESSAGE_FIELD, in_leaf },
                                           { MESSAGE_NESTED, in_message },
                                           { MESSAGE_ENUM, in_enum },
                                           { MESSAGE_ONEOF, in_leaf },
                                           { 0 } };
static const struct child of_enum[] = { { ENUM_VALUE, in_leaf }, { 0 } };
static const struct child of_service[] = { { SERVICE_METHOD, in_leaf }, { 0 } };

static bool in_children(struct part bytes, const struct child *children, const char *symbol)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    wire_read_flat(&r, &span, bytes.p, bytes.n);
    while (wire_next(&r, &f))
        for (const struct child *c = children; c->field; c++)
            if (f.number == c->field && f.type == WIRE_BYTES && c->has(part_of(&f), symbol))
                return true;
    return false;
}

/* 'symbol' is this descriptor or something in it. Depth is that of the schema, which is our own. */
static bool in_named(struct part bytes, const struct child *children, const char *symbol)
{
    const char *rest = rest_after(symbol, name_of(bytes));
    return rest && (*rest == '\0' || in_children(bytes, children, rest));
}

static bool in_message(struct part bytes, const char *symbol)
{
    return in_named(bytes, of_message, symbol);
}

static bool in_enum(struct part bytes, const char *symbol)
{
    /* An enum's values live beside it, as in C; protoc accepts both spellings in look-ups. */
    return in_named(bytes, of_enum, symbol) || in_children(bytes, of_enum, symbol);
}

static bool in_service(struct part bytes, const char *symbol)
{
    return in_named(bytes, of_service, symbol);
}

static bool in_leaf(struct part bytes, const char *symbol)
{
    struct part name = name_of(bytes);
    return part_is(name, symbol, strlen(symbol));
}

static int find_file(const struct descriptors *d, const char *name, size_t n)
{
    for (size_t i = 0; i < d->count; i++)
        if (part_is(d->files[i].name, name, n))
            return (int)i;
    return -1;
}

int descriptors_find_file(const struct descriptors *d, const char *name)
{
    return find_file(d, name, strlen(name));
}

int descriptors_find_symbol(const struct descriptors *d, const char *symbol)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct file *f = &d->files[i];
        const char *rest = f->package.n > 0 ? rest_after(symbol, f->package) : symbol;
        if (rest && *rest && in_children(f->bytes, of_file, rest))
            return (int)i;
    }
    return -1;
}

/* ---- imports ---- */

/* Appends the imports of file 'at' that are not in 'order' yet; returns the new count. */
static size_t add_imports(const struct descriptors *d, size_t at, size_t *order, bool *added, size_t count)
{
    struct wire_reader r;
    struct iovec span;
    struct wire_field f;
    wire_read_flat(&r, &span, d->files[at].bytes.p, d->files[at].bytes.n);
    while (wire_next(&r, &f)) {
        int import = f.number == FILE_IMPORT && f.type == WIRE_BYTES ? find_file(d, f.bytes, f.len) : -1;
        if (import < 0 || added[import])
            continue;
        added[import] = true;
        order[count++] = (size_t)import;
    }
    return count;
}

size_t descriptors_with_imports(const struct descriptors *d, int file, ProtobufCBinaryData **out)
{
    pl_cleanup(pl_free_p) bool *added = pl_new0(d->count, sizeof(*added));
    pl_cleanup(pl_free_p) size_t *order = pl_new0(d->count, sizeof(*order));
    size_t count = 1;
    order[0] = (size_t)file;
    added[file] = true;
    for (size_t i = 0; i < count; i++)
        count = add_imports(d, order[i], order, added, count);
    *out = pl_new0(count, sizeof(**out));
    for (size_t i = 0; i < count; i++) {
        const struct part *bytes = &d->files[order[i]].bytes;
        (*out)[i] = (ProtobufCBinaryData){ bytes->n, (uint8_t *)(uintptr_t)bytes->p };
    }
    return count;
}
