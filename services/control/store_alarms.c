#include "store_alarms.h"

#include "sql.h"

#include <assert.h>

enum pl_code store_alarm_put(struct store *s, const struct store_alarm *a, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(
        s, sql_bind(s, SQL_ALARM_PUT, "tibi", a->name, (int64_t)a->state, a->body, a->body_len, (int64_t)a->to_do),
        err);
}

static void read_alarm(sqlite3_stmt *st, struct store_alarm *out)
{
    *out = (struct store_alarm){
        .id = sqlite3_column_int64(st, 0),
        .name = (const char *)sqlite3_column_text(st, 1),
        .state = sqlite3_column_int(st, 2),
        .body = sqlite3_column_blob(st, 3),
        .body_len = (size_t)sqlite3_column_bytes(st, 3),
        .to_do = sqlite3_column_int(st, 4) != 0,
    };
}

enum pl_code store_alarm_get(struct store *s, const char *name, void (*each)(void *arg, const struct store_alarm *a),
                             void *arg, bool *out_found, struct pl_err *err)
{
    struct store_alarm a;
    sqlite3_stmt *st = sql_bind(s, SQL_ALARM_GET, "t", name);
    if (sql_row(s, st, out_found, err) != PL_OK)
        return err->code;
    if (!*out_found)
        return PL_OK;
    read_alarm(st, &a);
    each(arg, &a);
    sql_end(st);
    return PL_OK;
}

enum pl_code store_alarm_delete(struct store *s, const char *name, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_ALARM_DELETE, "t", name), err);
}

enum pl_code store_alarm_done(struct store *s, const char *name, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_ALARM_DONE, "t", name), err);
}

enum pl_code store_alarms_count(struct store *s, int64_t *out, struct pl_err *err)
{
    bool row;
    sqlite3_stmt *st = sql_bind(s, SQL_ALARMS_COUNT, "");
    if (sql_row(s, st, &row, err) != PL_OK)
        return err->code;
    *out = sqlite3_column_int64(st, 0);
    sql_end(st);
    return PL_OK;
}

enum pl_code store_alarms_list(struct store *s, const char *after, int state,
                               bool (*each)(void *arg, const struct store_alarm *a), void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_ALARMS_LIST, "ti", after, (int64_t)state);
    for (;;) {
        bool found;
        struct store_alarm a;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        read_alarm(st, &a);
        if (!each(arg, &a)) {
            sql_end(st);
            return PL_OK;
        }
    }
}

/* ---- history ---- */

enum pl_code store_alarm_event_add(struct store *s, const struct store_alarm_event *e, struct pl_err *err)
{
    assert(s->in_tx);
    if (sql_run(s,
                sql_bind(s, SQL_ALARM_EVENT_ADD, "tiitt", e->alarm, (int64_t)e->event, e->at_ms, e->summary, e->data),
                err) != PL_OK ||
        sql_run(s, sql_bind(s, SQL_ALARM_EVENTS_EXPIRE, "i", e->at_ms - STORE_ALARM_HISTORY_MS), err) != PL_OK)
        return err->code;
    return sql_run(s, sql_bind(s, SQL_ALARM_EVENTS_TRIM, "ti", e->alarm, (int64_t)STORE_ALARM_HISTORY_KEPT), err);
}

enum pl_code store_alarm_events_list(struct store *s, const struct store_alarm_event_query *q,
                                     void (*each)(void *arg, const struct store_alarm_event *e), void *arg,
                                     struct pl_err *err)
{
    enum sql_id id = q->oldest_first ? SQL_ALARM_EVENTS_UP : SQL_ALARM_EVENTS_DOWN;
    int64_t after = q->after_id || q->oldest_first ? q->after_id : INT64_MAX;
    sqlite3_stmt *st =
        sql_bind(s, id, "itiiii", after, q->alarm, (int64_t)q->event, q->from_ms, q->before_ms, q->limit);
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        const struct store_alarm_event e = {
            .id = sqlite3_column_int64(st, 0),
            .alarm = (const char *)sqlite3_column_text(st, 1),
            .event = sqlite3_column_int(st, 2),
            .at_ms = sqlite3_column_int64(st, 3),
            .summary = (const char *)sqlite3_column_text(st, 4),
            .data = (const char *)sqlite3_column_text(st, 5),
        };
        each(arg, &e);
    }
}
