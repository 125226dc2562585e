/* What is kept beside the resources: answers for repeated requests, the change log for routers, worker hosts and
 * routers. */
#include "store.h"

#include "base/mem.h"
#include "sql.h"

#include <assert.h>
#include <string.h>

enum pl_code store_request_find(struct store *s, const char *method, const char *request_id, uint64_t content,
                                int64_t now_ms, void **out_answer, size_t *out_len, struct pl_err *err)
{
    bool found;
    *out_answer = NULL;
    sqlite3_stmt *st = sql_bind(s, SQL_REQUEST_FIND, "tti", method, request_id, now_ms - STORE_REQUEST_MS);
    if (sql_row(s, st, &found, err) != PL_OK)
        return err->code;
    if (!found)
        return PL_OK;
    enum pl_code code = PL_OK;
    if ((uint64_t)sqlite3_column_int64(st, 0) != content) {
        code = pl_fail_reason(err, PL_INVALID, "REQUEST_ID_REUSED", "request_id",
                              "request_id \"%s\" was used within a day for a request with another content", request_id);
    } else {
        size_t len = (size_t)sqlite3_column_bytes(st, 1);
        const void *answer = sqlite3_column_blob(st, 1);
        *out_answer = pl_new0(1, len + 1);
        if (len)
            memcpy(*out_answer, answer, len);
        *out_len = len;
    }
    sql_end(st);
    return code;
}

enum pl_code store_request_add(struct store *s, const char *method, const char *request_id, uint64_t content,
                               int64_t now_ms, const void *answer, size_t len, struct pl_err *err)
{
    assert(s->in_tx);
    if (sql_run(s, sql_bind(s, SQL_REQUESTS_EXPIRE, "i", now_ms - STORE_REQUEST_MS), err) != PL_OK ||
        sql_run(s, sql_bind(s, SQL_REQUESTS_TRIM, "i", (int64_t)STORE_REQUESTS_KEPT - 1), err) != PL_OK)
        return err->code;
    sqlite3_stmt *st = sql_bind(s, SQL_REQUEST_ADD, "ttiib", method, request_id, (int64_t)content, now_ms, answer, len);
    return sql_run(s, st, err);
}

/* Forgets the oldest changes when there are too many; now and then, as it walks an index. */
static enum pl_code trim_changes(struct store *s, struct pl_err *err)
{
    bool over;
    sqlite3_stmt *st = sql_bind(s, SQL_CHANGES_OVER, "i", (int64_t)STORE_CHANGES_KEPT);
    if (sql_row(s, st, &over, err) != PL_OK)
        return err->code;
    if (!over)
        return PL_OK;
    int64_t floor = sqlite3_column_int64(st, 0);
    sql_end(st);
    if (sql_run(s, sql_bind(s, SQL_CHANGES_TRIM, "i", floor), err) != PL_OK)
        return err->code;
    return sql_run(s, sql_bind(s, SQL_CHANGES_FLOOR_SET, "i", floor), err);
}

enum pl_code store_change_add(struct store *s, enum store_kind kind, const char *name, int64_t version,
                              struct pl_err *err)
{
    assert(s->in_tx);
    if (sql_run(s, sql_bind(s, SQL_CHANGE_PUT, "iti", (int64_t)kind, name, version), err) != PL_OK)
        return err->code;
    return version % 64 == 0 ? trim_changes(s, err) : PL_OK;
}

enum pl_code store_changes_complete(struct store *s, int64_t version, bool *out, struct pl_err *err)
{
    bool row;
    sqlite3_stmt *st = sql_bind(s, SQL_CHANGES_FLOOR, "");
    if (sql_row(s, st, &row, err) != PL_OK)
        return err->code;
    int64_t floor = sqlite3_column_int64(st, 0);
    sql_end(st);
    *out = version >= floor && version <= s->version;
    return PL_OK;
}

enum pl_code store_changes_since(struct store *s, int64_t version,
                                 bool (*each)(void *arg, int64_t version, enum store_kind kind, const char *name),
                                 void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_CHANGES_SINCE, "i", version);
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        if (!each(arg, sqlite3_column_int64(st, 0), (enum store_kind)sqlite3_column_int(st, 1),
                  (const char *)sqlite3_column_text(st, 2))) {
            sql_end(st);
            return PL_OK;
        }
    }
}

enum pl_code store_host_put(struct store *s, const char *id, int64_t epoch, const void *body, size_t len,
                            struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_HOST_PUT, "tib", id, epoch, body, len), err);
}

enum pl_code store_host_delete(struct store *s, const char *id, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_HOST_DELETE, "t", id), err);
}

enum pl_code store_hosts(struct store *s,
                         void (*each)(void *arg, const char *id, int64_t epoch, const void *body, size_t len),
                         void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_HOSTS, "");
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        each(arg, (const char *)sqlite3_column_text(st, 0), sqlite3_column_int64(st, 1), sqlite3_column_blob(st, 2),
             (size_t)sqlite3_column_bytes(st, 2));
    }
}

enum pl_code store_router_set(struct store *s, const char *id, bool known, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, known ? SQL_ROUTER_PUT : SQL_ROUTER_DELETE, "t", id), err);
}

enum pl_code store_routers(struct store *s, void (*each)(void *arg, const char *id), void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_ROUTERS, "");
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        each(arg, (const char *)sqlite3_column_text(st, 0));
    }
}
