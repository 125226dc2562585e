/* Models, endpoint configs, endpoints and their tags: rows in and out, and lists. */
#include "store.h"

#include "base/mem.h"
#include "sql.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void store_row_done(struct store_row *r)
{
    free(r->body);
    r->body = NULL;
    r->body_len = 0;
}

/* The columns of COLUMNS in sql.c; 'body' is borrowed from the statement. */
static void read_row(sqlite3_stmt *st, struct store_row *out)
{
    *out = (struct store_row){
        .id = sqlite3_column_int64(st, 0),
        .kind = (enum store_kind)sqlite3_column_int(st, 1),
        .status = sqlite3_column_int(st, 3),
        .created_ms = sqlite3_column_int64(st, 4),
        .updated_ms = sqlite3_column_int64(st, 5),
        .version = sqlite3_column_int64(st, 6),
        .body_len = (size_t)sqlite3_column_bytes(st, 7),
    };
    (void)snprintf(out->name, sizeof(out->name), "%s", (const char *)sqlite3_column_text(st, 2));
    union {
        const void *in;
        void *out;
    } body = { .in = sqlite3_column_blob(st, 7) };
    out->body = body.out;
}

enum pl_code store_get(struct store *s, enum store_kind kind, const char *name, struct store_row *out,
                       struct pl_err *err)
{
    bool found;
    sqlite3_stmt *st = sql_bind(s, SQL_GET, "it", (int64_t)kind, name);
    if (sql_row(s, st, &found, err) != PL_OK)
        return err->code;
    if (!found)
        return pl_fail(err, PL_NOT_FOUND, "name", "Could not find %s \"%s\".", store_kind_name(kind), name);
    read_row(st, out);
    const void *body = out->body;
    out->body = pl_new0(1, out->body_len + 1);
    if (out->body_len)
        memcpy(out->body, body, out->body_len);
    sql_end(st);
    return PL_OK;
}

enum pl_code store_insert(struct store *s, struct store_row *row, struct pl_err *err)
{
    assert(s->in_tx && strlen(row->name) < sizeof(row->name));
    sqlite3_stmt *st = sql_bind(s, SQL_INSERT, "itiiiib", (int64_t)row->kind, row->name, (int64_t)row->status,
                                row->created_ms, row->updated_ms, row->version, row->body, row->body_len);
    if (sql_run(s, st, err) == PL_OK) {
        row->id = sqlite3_last_insert_rowid(s->db);
        return PL_OK;
    }
    if ((sqlite3_errcode(s->db) & 0xff) == SQLITE_CONSTRAINT)
        return pl_fail(err, PL_EXISTS, "name", "Cannot create already existing %s \"%s\".", store_kind_name(row->kind),
                       row->name);
    return err->code;
}

enum pl_code store_update(struct store *s, const struct store_row *row, struct pl_err *err)
{
    assert(s->in_tx && row->id);
    sqlite3_stmt *st = sql_bind(s, SQL_UPDATE, "iiiib", row->id, (int64_t)row->status, row->updated_ms, row->version,
                                row->body, row->body_len);
    return sql_run(s, st, err);
}

enum pl_code store_delete(struct store *s, int64_t id, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_DELETE, "i", id), err);
}

enum pl_code store_count(struct store *s, enum store_kind kind, int status, int64_t *out, struct pl_err *err)
{
    bool row;
    sqlite3_stmt *st = sql_bind(s, SQL_COUNT, "ii", (int64_t)kind, (int64_t)status);
    if (sql_row(s, st, &row, err) != PL_OK)
        return err->code;
    *out = sqlite3_column_int64(st, 0);
    sql_end(st);
    return PL_OK;
}

/* A key before all others, or behind them when descending; names are ASCII letters, digits and hyphens. */
static void list_start(const struct store_query *q, int64_t *key, const char **name)
{
    bool first = *q->after_name == '\0';
    *key = !first ? q->after_key : q->descending ? INT64_MAX : INT64_MIN;
    *name = !first ? q->after_name : q->descending ? "~" : "";
}

enum pl_code store_list(struct store *s, const struct store_query *q,
                        bool (*each)(void *arg, const struct store_row *row), void *arg, struct pl_err *err)
{
    int64_t key;
    const char *name;
    list_start(q, &key, &name);
    enum sql_id id = (enum sql_id)(SQL_LIST_CREATED_UP + 2 * (int)q->sort + q->descending);
    sqlite3_stmt *st =
        sql_bind(s, id, "iitiiiitii", (int64_t)q->kind, key, name, q->created_from,
                 q->created_before ? q->created_before : INT64_MAX, q->updated_from,
                 q->updated_before ? q->updated_before : INT64_MAX, q->name_contains, (int64_t)q->status, q->limit);
    for (;;) {
        bool found;
        struct store_row row;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        read_row(st, &row);
        if (!each(arg, &row)) {
            sql_end(st);
            return PL_OK;
        }
    }
}

void store_tags_done(struct store_tags *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->items[i].key);
        free(t->items[i].value);
    }
    free(t->items);
    *t = (struct store_tags){ 0 };
}

enum pl_code store_tags_get(struct store *s, int64_t id, struct store_tags *out, struct pl_err *err)
{
    struct store_tags tags = { 0 };
    sqlite3_stmt *st = sql_bind(s, SQL_TAGS, "i", id);
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK) {
            store_tags_done(&tags);
            return err->code;
        }
        if (!found)
            break;
        tags.items = pl_grow(tags.items, tags.count + 1, sizeof(*tags.items));
        tags.items[tags.count++] = (struct store_tag){
            .key = pl_strdup((const char *)sqlite3_column_text(st, 0)),
            .value = pl_strdup((const char *)sqlite3_column_text(st, 1)),
        };
    }
    *out = tags;
    return PL_OK;
}

enum pl_code store_tag_put(struct store *s, int64_t id, const char *key, const char *value, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_TAG_PUT, "itt", id, key, value), err);
}

enum pl_code store_tag_delete(struct store *s, int64_t id, const char *key, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_TAG_DELETE, "it", id, key), err);
}
