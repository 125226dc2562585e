#include "store_scaling.h"

#include "sql.h"

#include <assert.h>

/* ---- targets ---- */

enum pl_code store_target_put(struct store *s, const struct store_target *t, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_TARGET_PUT, "ttb", t->endpoint, t->variant, t->body, t->body_len), err);
}

enum pl_code store_target_find(struct store *s, const char *endpoint, const char *variant, int64_t *out_id,
                               struct pl_err *err)
{
    bool found;
    sqlite3_stmt *st = sql_bind(s, SQL_TARGET_FIND, "tt", endpoint, variant);
    if (sql_row(s, st, &found, err) != PL_OK)
        return err->code;
    *out_id = found ? sqlite3_column_int64(st, 0) : 0;
    if (found)
        sql_end(st);
    return PL_OK;
}

enum pl_code store_targets_list(struct store *s, const char *endpoint, const char *variant,
                                bool (*each)(void *arg, const struct store_target *t), void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_TARGETS_LIST, "tt", endpoint, variant);
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        const struct store_target t = {
            .id = sqlite3_column_int64(st, 0),
            .endpoint = (const char *)sqlite3_column_text(st, 1),
            .variant = (const char *)sqlite3_column_text(st, 2),
            .body = sqlite3_column_blob(st, 3),
            .body_len = (size_t)sqlite3_column_bytes(st, 3),
        };
        if (!each(arg, &t)) {
            sql_end(st);
            return PL_OK;
        }
    }
}

enum pl_code store_target_delete(struct store *s, int64_t id, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_TARGET_DELETE, "i", id), err);
}

enum pl_code store_targets_delete_endpoint(struct store *s, const char *endpoint, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_TARGETS_DELETE, "t", endpoint), err);
}

/* ---- rules ---- */

enum pl_code store_rule_put(struct store *s, const struct store_rule *r, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_RULE_PUT, "iitb", r->target, (int64_t)r->kind, r->name, r->body, r->body_len),
                   err);
}

enum pl_code store_rules_count(struct store *s, int64_t target, enum store_rule_kind kind, int64_t *out,
                               struct pl_err *err)
{
    bool row;
    sqlite3_stmt *st = sql_bind(s, SQL_RULES_COUNT, "ii", target, (int64_t)kind);
    if (sql_row(s, st, &row, err) != PL_OK)
        return err->code;
    *out = sqlite3_column_int64(st, 0);
    sql_end(st);
    return PL_OK;
}

enum pl_code store_rule_delete(struct store *s, int64_t target, enum store_rule_kind kind, const char *name,
                               bool *out_found, struct pl_err *err)
{
    assert(s->in_tx);
    if (sql_run(s, sql_bind(s, SQL_RULE_DELETE, "iit", target, (int64_t)kind, name), err) != PL_OK)
        return err->code;
    *out_found = sqlite3_changes(s->db) > 0;
    return PL_OK;
}

enum pl_code store_rules_list(struct store *s, enum store_rule_kind kind, const char *endpoint, const char *variant,
                              bool (*each)(void *arg, const struct store_rule *r), void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_RULES_LIST, "itt", (int64_t)kind, endpoint, variant);
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        const struct store_rule r = {
            .target = sqlite3_column_int64(st, 0),
            .kind = kind,
            .name = (const char *)sqlite3_column_text(st, 1),
            .body = sqlite3_column_blob(st, 2),
            .body_len = (size_t)sqlite3_column_bytes(st, 2),
        };
        if (!each(arg, &r)) {
            sql_end(st);
            return PL_OK;
        }
    }
}

/* ---- activities ---- */

enum pl_code store_activity_add(struct store *s, const struct store_activity *a, struct pl_err *err)
{
    assert(s->in_tx);
    if (sql_run(s, sql_bind(s, SQL_ACTIVITY_ADD, "ttib", a->endpoint, a->variant, a->at_ms, a->body, a->body_len),
                err) != PL_OK ||
        sql_run(s, sql_bind(s, SQL_ACTIVITIES_EXPIRE, "i", a->at_ms - STORE_ACTIVITIES_MS), err) != PL_OK)
        return err->code;
    return sql_run(s, sql_bind(s, SQL_ACTIVITIES_TRIM, "tti", a->endpoint, a->variant, (int64_t)STORE_ACTIVITIES_KEPT),
                   err);
}

enum pl_code store_activities_list(struct store *s, const char *endpoint, const char *variant, int64_t before_id,
                                   int64_t limit, bool (*each)(void *arg, const struct store_activity *a), void *arg,
                                   struct pl_err *err)
{
    sqlite3_stmt *st =
        sql_bind(s, SQL_ACTIVITIES_LIST, "ttii", endpoint, variant, before_id ? before_id : INT64_MAX, limit);
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        const struct store_activity a = {
            .id = sqlite3_column_int64(st, 0),
            .endpoint = (const char *)sqlite3_column_text(st, 1),
            .variant = (const char *)sqlite3_column_text(st, 2),
            .at_ms = sqlite3_column_int64(st, 3),
            .body = sqlite3_column_blob(st, 4),
            .body_len = (size_t)sqlite3_column_bytes(st, 4),
        };
        if (!each(arg, &a)) {
            sql_end(st);
            return PL_OK;
        }
    }
}
