#include "manifest.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "manifest_fields.h"
#include "message.h"
#include "paths.h"

#include <stdlib.h>
#include <string.h>

const char *manifest_name(const struct manifest_item *item)
{
    return message_text(item->message, "name");
}

static void item_done(struct manifest_item *item)
{
    message_free(item->message);
    free(item->source);
}

void manifest_done(struct manifest *m)
{
    for (size_t i = 0; i < m->count; i++)
        item_done(&m->items[i]);
    free(m->items);
    *m = (struct manifest){ 0 };
}

/* Behind the last item of the same or an earlier kind. */
static void insert(struct manifest *m, struct manifest_item item)
{
    size_t at = m->count;
    while (at > 0 && m->items[at - 1].kind->id > item.kind->id)
        at--;
    m->items = pl_grow(m->items, m->count + 1, sizeof(*m->items));
    memmove(&m->items[at + 1], &m->items[at], (m->count - at) * sizeof(*m->items));
    m->items[at] = item;
    m->count++;
}

static const struct manifest_item *find(const struct manifest *m, const struct kind *kind, const char *name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->items[i].kind == kind && !strcmp(manifest_name(&m->items[i]), name))
            return &m->items[i];
    }
    return NULL;
}

static enum pl_code add_document(struct manifest *m, const struct manifest_reader *r, yaml_node_t *root,
                                 struct pl_err *err)
{
    struct manifest_item item = { 0 };
    if (manifest_read(r, root, &item.kind, &item.message, err) != PL_OK)
        return err->code;
    const char *name = manifest_name(&item);
    const struct manifest_item *other = find(m, item.kind, name);
    if (other)
        (void)manifest_fail(r, root, "name", err, "%s '%s' is there twice; the other is at %s:%zu", item.kind->title,
                            name, other->source, other->line);
    else if (m->count == MANIFEST_MAX_ITEMS)
        (void)manifest_fail(r, root, NULL, err, "more than %d documents", MANIFEST_MAX_ITEMS);
    if (other || m->count == MANIFEST_MAX_ITEMS) {
        item_done(&item);
        return err->code;
    }
    item.source = pl_strdup(r->source);
    item.line = root->start_mark.line + 1;
    insert(m, item);
    return PL_OK;
}

static enum pl_code parse_error(const yaml_parser_t *p, const char *source, struct pl_err *err)
{
    if (p->error == YAML_READER_ERROR)
        return pl_fail(err, PL_INVALID, NULL, "%s: not valid UTF-8 text: %s at byte %zu", source, p->problem,
                       p->problem_offset);
    return pl_fail(err, PL_INVALID, NULL, "%s:%zu:%zu: not YAML: %s%s%s", source, p->problem_mark.line + 1,
                   p->problem_mark.column + 1, p->problem ? p->problem : "unreadable", p->context ? " " : "",
                   p->context ? p->context : "");
}

static enum pl_code add_all(struct manifest *m, yaml_parser_t *parser, struct manifest_reader *r, struct pl_err *err)
{
    for (;;) {
        yaml_document_t document;
        if (!yaml_parser_load(parser, &document))
            return parse_error(parser, r->source, err);
        yaml_node_t *root = yaml_document_get_root_node(&document);
        if (!root) {
            yaml_document_delete(&document);
            return PL_OK;
        }
        r->document = &document;
        /* "---" with nothing behind it is a document of one empty scalar: skipped, as people leave such lines. */
        bool empty = root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0;
        enum pl_code code = empty ? PL_OK : add_document(m, r, root, err);
        yaml_document_delete(&document);
        if (code != PL_OK)
            return code;
    }
}

/* Takes away what came after the first 'count' items were there. */
static void roll_back(struct manifest *m, const struct manifest_item *before, size_t count)
{
    for (size_t i = 0; i < m->count; i++) {
        bool known = false;
        for (size_t k = 0; k < count && !known; k++)
            known = before[k].message == m->items[i].message;
        if (!known)
            item_done(&m->items[i]);
    }
    if (count)
        memcpy(m->items, before, count * sizeof(*before));
    m->count = count;
}

enum pl_code manifest_add_text(struct manifest *m, const char *source, const char *folder, const char *text, size_t len,
                               struct pl_err *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        pl_die("out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    size_t count = m->count;
    pl_cleanup(pl_free_p) struct manifest_item *before = pl_new0(count + 1, sizeof(*before));
    if (count)
        memcpy(before, m->items, count * sizeof(*before));
    struct manifest_reader r = { .source = source, .folder = folder };
    enum pl_code code = add_all(m, &parser, &r, err);
    yaml_parser_delete(&parser);
    if (code == PL_OK && m->count == count)
        code = pl_fail(err, PL_INVALID, NULL, "%s: no document", source);
    if (code != PL_OK)
        roll_back(m, before, count);
    return code;
}

enum pl_code manifest_add_file(struct manifest *m, const char *path, struct pl_err *err)
{
    pl_cleanup(pl_buf_done) struct pl_buf text = PL_BUF_INIT(MANIFEST_MAX_BYTES);
    if (paths_read(path, &text, err) != PL_OK)
        return err->code;
    pl_cleanup(pl_free_p) char *folder = strcmp(path, "-") ? paths_folder(path) : pl_strdup(".");
    return manifest_add_text(m, path, folder, text.data ? text.data : "", text.len, err);
}
