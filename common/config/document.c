/* document - walks the events of one YAML document down the paths of the table.
 *
 * A mapping is entered only when some row lies below its path, so nesting is as deep as the table and no deeper. There
 * are no anchors: a config has no use for them, and without them a document is no larger than its text. */
#include "private.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct document {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const struct config_row *rows;
    void *target;
    const char *source;
    bool *seen; /* by row */
    struct pl_err *err;
};

/* ---- failures, with their place ---- */

static enum pl_code at(struct document *d, yaml_mark_t mark)
{
    return pl_err_prefix(d->err, "%s:%zu:%zu", d->source, mark.line + 1, mark.column + 1);
}

static enum pl_code syntax_error(struct document *d)
{
    const yaml_parser_t *p = &d->parser;
    (void)pl_fail(d->err, PL_INVALID, "config", "%s%s%s", p->problem ? p->problem : "cannot be read",
                  p->context ? " " : "", p->context ? p->context : "");
    if (p->error == YAML_READER_ERROR)
        return pl_err_prefix(d->err, "%s: byte %zu", d->source, p->problem_offset);
    return at(d, p->problem_mark);
}

/* "log.levle" -> "log.level" by its spelling; "level" -> "log.level" by its last part. */
static const char *guess(const struct document *d, const char *path)
{
    size_t count = 0;
    while (d->rows[count].key)
        count++;
    pl_cleanup(pl_free_p) const char **keys = pl_new0(count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        keys[i] = d->rows[i].key;
    const char *near = pl_nearest(path, keys, count);
    for (size_t i = 0; i < count && !near; i++) {
        const char *dot = strrchr(keys[i], '.');
        if (dot && strcmp(dot + 1, path) == 0)
            near = keys[i];
    }
    return near;
}

static enum pl_code unknown_key(struct document *d, const char *path, yaml_mark_t mark)
{
    const char *near = guess(d, path), *field = *path ? path : "config";
    if (near)
        (void)pl_fail(d->err, PL_INVALID, field, "unknown key '%.200s': did you mean '%s'?", path, near);
    else
        (void)pl_fail(d->err, PL_INVALID, field, "unknown key '%.200s'", path);
    return at(d, mark);
}

/* ---- events ---- */

/* The next event; anchors are refused here, for all of them. */
static enum pl_code next(struct document *d)
{
    yaml_event_delete(&d->event);
    if (!yaml_parser_parse(&d->parser, &d->event))
        return syntax_error(d);
    const yaml_event_t *e = &d->event;
    if (e->type == YAML_ALIAS_EVENT || (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
        (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
        (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor)) {
        (void)pl_fail(d->err, PL_INVALID, "config", "anchors and aliases are not supported");
        return at(d, e->start_mark);
    }
    return PL_OK;
}

static const char *scalar(const struct document *d, size_t *out_len)
{
    *out_len = d->event.data.scalar.length;
    return (const char *)d->event.data.scalar.value;
}

/* "key:", "key: ~", "key: null": the key's default. */
static bool is_null(const struct document *d)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
    if (d->event.type != YAML_SCALAR_EVENT || d->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < PL_COUNT(nulls); i++)
        if (strcmp((const char *)d->event.data.scalar.value, nulls[i]) == 0)
            return true;
    return false;
}

/* ---- values: the current event is the value's first ---- */

static enum pl_code want(struct document *d, const struct config_row *row, const char *what)
{
    (void)pl_fail(d->err, PL_INVALID, row->key, "%s must be %s", row->key, what);
    return at(d, d->event.start_mark);
}

static enum pl_code read_sequence(struct document *d, const struct config_row *row)
{
    config_clear(row, d->target);
    for (;;) {
        if (next(d) != PL_OK)
            return d->err->code;
        if (d->event.type == YAML_SEQUENCE_END_EVENT)
            return PL_OK;
        if (d->event.type != YAML_SCALAR_EVENT)
            return want(d, row, "a list of strings");
        size_t len;
        const char *text = scalar(d, &len);
        if (config_append(row, d->target, text, len, d->err) != PL_OK)
            return at(d, d->event.start_mark);
    }
}

static enum pl_code read_pairs(struct document *d, const struct config_row *row)
{
    config_clear(row, d->target);
    for (;;) {
        if (next(d) != PL_OK)
            return d->err->code;
        if (d->event.type == YAML_MAPPING_END_EVENT)
            return PL_OK;
        if (d->event.type != YAML_SCALAR_EVENT)
            return want(d, row, "a mapping of names to strings");
        size_t key_len, len;
        const char *text = scalar(d, &key_len);
        yaml_mark_t mark = d->event.start_mark;
        pl_cleanup(pl_free_p) char *key = pl_new0(key_len + 1, 1);
        memcpy(key, text, key_len);
        if (next(d) != PL_OK)
            return d->err->code;
        if (d->event.type != YAML_SCALAR_EVENT)
            return want(d, row, "a mapping of names to strings");
        text = scalar(d, &len);
        if (config_append_pair(row, d->target, key, key_len, text, len, d->err) != PL_OK)
            return at(d, mark);
    }
}

static enum pl_code read_value(struct document *d, const struct config_row *row)
{
    if (is_null(d))
        return PL_OK;
    if (d->event.type == YAML_SEQUENCE_START_EVENT && row->type == CONFIG_TYPE_STRINGS)
        return read_sequence(d, row);
    if (d->event.type == YAML_MAPPING_START_EVENT && row->type == CONFIG_TYPE_MAP)
        return read_pairs(d, row);
    if (d->event.type != YAML_SCALAR_EVENT)
        return want(d, row,
                    row->type == CONFIG_TYPE_STRINGS ? "a list of strings"
                    : row->type == CONFIG_TYPE_MAP   ? "a mapping of names to strings"
                                                     : "one value, not a list or a mapping");
    size_t len;
    const char *text = scalar(d, &len);
    if (config_set(row, d->target, text, len, d->err) != PL_OK)
        return at(d, d->event.start_mark);
    return PL_OK;
}

/* ---- keys ---- */

static const struct config_row *find_row(const struct document *d, const char *path)
{
    for (const struct config_row *row = d->rows; row->key; row++)
        if (strcmp(row->key, path) == 0)
            return row;
    return NULL;
}

static bool is_group(const struct document *d, const char *path)
{
    size_t n = strlen(path);
    for (const struct config_row *row = d->rows; row->key; row++)
        if (strncmp(row->key, path, n) == 0 && row->key[n] == '.')
            return true;
    return false;
}

static enum pl_code read_row(struct document *d, const struct config_row *row, yaml_mark_t key_mark)
{
    if (d->seen[row - d->rows]) {
        (void)pl_fail(d->err, PL_INVALID, row->key, "%s is given twice", row->key);
        return at(d, key_mark);
    }
    d->seen[row - d->rows] = true;
    return next(d) == PL_OK ? read_value(d, row) : d->err->code;
}

static enum pl_code read_mapping(struct document *d, const char *prefix);

static enum pl_code read_group(struct document *d, const char *path)
{
    if (next(d) != PL_OK)
        return d->err->code;
    if (is_null(d))
        return PL_OK;
    if (d->event.type != YAML_MAPPING_START_EVENT) {
        (void)pl_fail(d->err, PL_INVALID, path, "%s is a group of settings: it must be a mapping", path);
        return at(d, d->event.start_mark);
    }
    return read_mapping(d, path);
}

/* From after the mapping's start to its end. */
static enum pl_code read_mapping(struct document *d, const char *prefix)
{
    for (;;) {
        if (next(d) != PL_OK)
            return d->err->code;
        if (d->event.type == YAML_MAPPING_END_EVENT)
            return PL_OK;
        yaml_mark_t mark = d->event.start_mark;
        if (d->event.type != YAML_SCALAR_EVENT) {
            (void)pl_fail(d->err, PL_INVALID, "config", "a key must be a name");
            return at(d, mark);
        }
        size_t len;
        const char *key = scalar(d, &len);
        pl_cleanup(pl_free_p) char *path = pl_format("%s%s%s", prefix, *prefix ? "." : "", key);
        const struct config_row *row = strlen(key) == len ? find_row(d, path) : NULL;
        if (!row && !is_group(d, path))
            return unknown_key(d, path, mark);
        if ((row ? read_row(d, row, mark) : read_group(d, path)) != PL_OK)
            return d->err->code;
    }
}

/* ---- the document ---- */

static enum pl_code read_root(struct document *d)
{
    if (next(d) != PL_OK) /* stream start */
        return d->err->code;
    if (next(d) != PL_OK) /* document start, or the end of nothing */
        return d->err->code;
    if (d->event.type == YAML_STREAM_END_EVENT)
        return PL_OK;
    if (next(d) != PL_OK)
        return d->err->code;
    if (d->event.type == YAML_MAPPING_START_EVENT) {
        if (read_mapping(d, "") != PL_OK)
            return d->err->code;
    } else if (!is_null(d)) {
        (void)pl_fail(d->err, PL_INVALID, "config", "a config is a mapping of keys to values");
        return at(d, d->event.start_mark);
    }
    if (next(d) != PL_OK || next(d) != PL_OK) /* document end; stream end */
        return d->err->code;
    if (d->event.type == YAML_STREAM_END_EVENT)
        return PL_OK;
    (void)pl_fail(d->err, PL_INVALID, "config", "a config is one document: a second one starts here");
    return at(d, d->event.start_mark);
}

enum pl_code config_document(const struct config_row *rows, void *target, const char *source, const char *text,
                             size_t text_len, struct pl_err *err)
{
    struct document d = { .rows = rows, .target = target, .source = source ? source : "config", .err = err };
    size_t count = 0;
    while (rows[count].key)
        count++;
    if (!yaml_parser_initialize(&d.parser))
        pl_die("config: out of memory");
    d.seen = pl_new0(count + 1, sizeof(bool));
    yaml_parser_set_input_string(&d.parser, (const unsigned char *)text, text_len);
    enum pl_code code = read_root(&d);
    yaml_event_delete(&d.event);
    yaml_parser_delete(&d.parser);
    free(d.seen);
    return code;
}
