#include "sql.h"

#include <assert.h>
#include <stdarg.h>

#define COLUMNS "id, kind, name, status, created_ms, updated_ms, version, body"

/* 'key' is compared with (?2, ?3), so that a page goes on behind the last entry of the one before, whatever came in
 * between. */
#define LIST(key, after, op, order)                                                                                    \
    "SELECT " COLUMNS " FROM resources WHERE kind = ?1 AND " key " " op " " after                                      \
    " AND created_ms >= ?4 AND created_ms < ?5 AND updated_ms >= ?6 AND updated_ms < ?7"                               \
    " AND (?8 = '' OR instr(lower(name), lower(?8)) > 0) AND (?9 = 0 OR status = ?9)"                                  \
    " ORDER BY " order " LIMIT ?10"

#define ALARM_EVENTS(op, order)                                                                                        \
    "SELECT id, alarm, event, at_ms, summary, data FROM alarm_history WHERE id " op " ?1"                              \
    " AND (?2 = '' OR alarm = ?2) AND (?3 = 0 OR event = ?3) AND at_ms >= ?4 AND at_ms < ?5"                           \
    " ORDER BY " order " LIMIT ?6"

static const char *const texts[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_STATE] = "SELECT database_id, version FROM state WHERE id = 1",
    [SQL_STATE_INSERT] = "INSERT INTO state (id, database_id, version, changes_floor) VALUES (1, ?1, 0, 0)",
    [SQL_NEXT_VERSION] = "UPDATE state SET version = version + 1 WHERE id = 1 RETURNING version",
    [SQL_GET] = "SELECT " COLUMNS " FROM resources WHERE kind = ?1 AND name = ?2",
    [SQL_INSERT] = "INSERT INTO resources (kind, name, status, created_ms, updated_ms, version, body)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_UPDATE] = "UPDATE resources SET status = ?2, updated_ms = ?3, version = ?4, body = ?5 WHERE id = ?1",
    [SQL_DELETE] = "DELETE FROM resources WHERE id = ?1",
    [SQL_COUNT] = "SELECT count(*) FROM resources WHERE kind = ?1 AND (?2 = 0 OR status = ?2)",
    [SQL_LIST_CREATED_UP] = LIST("(created_ms, name)", "(?2, ?3)", ">", "created_ms, name"),
    [SQL_LIST_CREATED_DOWN] = LIST("(created_ms, name)", "(?2, ?3)", "<", "created_ms DESC, name DESC"),
    [SQL_LIST_NAME_UP] = LIST("name", "?3", ">", "name"),
    [SQL_LIST_NAME_DOWN] = LIST("name", "?3", "<", "name DESC"),
    [SQL_LIST_STATUS_UP] = LIST("(status, name)", "(?2, ?3)", ">", "status, name"),
    [SQL_LIST_STATUS_DOWN] = LIST("(status, name)", "(?2, ?3)", "<", "status DESC, name DESC"),
    [SQL_TAGS] = "SELECT key, value FROM tags WHERE resource_id = ?1 ORDER BY key",
    [SQL_TAG_PUT] = "INSERT INTO tags (resource_id, key, value) VALUES (?1, ?2, ?3)"
                    " ON CONFLICT (resource_id, key) DO UPDATE SET value = excluded.value",
    [SQL_TAG_DELETE] = "DELETE FROM tags WHERE resource_id = ?1 AND key = ?2",
    [SQL_REQUEST_FIND] =
        "SELECT content, answer FROM requests WHERE method = ?1 AND request_id = ?2 AND answered_ms > ?3",
    [SQL_REQUEST_ADD] = "INSERT OR REPLACE INTO requests (method, request_id, content, answered_ms, answer)"
                        " VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_REQUESTS_EXPIRE] = "DELETE FROM requests WHERE answered_ms <= ?1",
    [SQL_REQUESTS_TRIM] = "DELETE FROM requests WHERE answered_ms <="
                          " (SELECT answered_ms FROM requests ORDER BY answered_ms DESC LIMIT 1 OFFSET ?1)",
    [SQL_CHANGE_PUT] = "INSERT INTO changes (kind, name, version) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version",
    [SQL_CHANGES_OVER] = "SELECT version FROM changes ORDER BY version DESC LIMIT 1 OFFSET ?1",
    [SQL_CHANGES_TRIM] = "DELETE FROM changes WHERE version <= ?1",
    [SQL_CHANGES_FLOOR_SET] = "UPDATE state SET changes_floor = ?1 WHERE id = 1",
    [SQL_CHANGES_FLOOR] = "SELECT changes_floor FROM state WHERE id = 1",
    [SQL_CHANGES_SINCE] = "SELECT version, kind, name FROM changes WHERE version > ?1 ORDER BY version",
    [SQL_HOST_PUT] = "INSERT OR REPLACE INTO hosts (id, epoch, body) VALUES (?1, ?2, ?3)",
    [SQL_HOST_DELETE] = "DELETE FROM hosts WHERE id = ?1",
    [SQL_HOSTS] = "SELECT id, epoch, body FROM hosts ORDER BY id",
    [SQL_ROUTER_PUT] = "INSERT OR IGNORE INTO routers (id) VALUES (?1)",
    [SQL_ROUTER_DELETE] = "DELETE FROM routers WHERE id = ?1",
    [SQL_ROUTERS] = "SELECT id FROM routers ORDER BY id",
    [SQL_METRIC_FIND] = "SELECT id, last_ms FROM metrics WHERE namespace = ?1 AND name = ?2 AND dimensions = ?3",
    [SQL_METRIC_ADD] = "INSERT INTO metrics (namespace, name, dimensions, last_ms) VALUES (?1, ?2, ?3, ?4)",
    [SQL_METRIC_TOUCH] = "UPDATE metrics SET last_ms = ?2 WHERE id = ?1 AND last_ms < ?2",
    [SQL_METRICS_COUNT] = "SELECT count(*) FROM metrics",
    [SQL_METRICS_LIST] = "SELECT id, namespace, name, dimensions FROM metrics WHERE id > ?1 AND last_ms >= ?2"
                         " AND (?3 = '' OR namespace = ?3) AND (?4 = '' OR name = ?4) ORDER BY id",
    [SQL_METRICS_IDS] = "SELECT id FROM metrics WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SQL_METRICS_EXPIRE] = "DELETE FROM metrics WHERE last_ms < ?1",
    [SQL_POINT_GET] = "SELECT count, sum, min, max, sketch FROM points"
                      " WHERE metric_id = ?1 AND resolution_s = ?2 AND start_s = ?3 AND unit = ?4",
    [SQL_POINT_PUT] = "INSERT OR REPLACE INTO points (metric_id, resolution_s, start_s, unit, count, sum, min, max,"
                      " sketch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_POINTS] = "SELECT start_s, unit, count, sum, min, max, sketch FROM points WHERE metric_id = ?1"
                   " AND resolution_s = ?2 AND start_s >= ?3 AND start_s < ?4 ORDER BY start_s",
    [SQL_POINTS_DELETE] = "DELETE FROM points WHERE metric_id = ?1 AND resolution_s = ?2 AND start_s < ?3",
    [SQL_REPORTER_GET] = "SELECT epoch, sequence FROM reporters WHERE id = ?1",
    [SQL_REPORTER_PUT] = "INSERT OR REPLACE INTO reporters (id, epoch, sequence, seen_ms) VALUES (?1, ?2, ?3, ?4)",
    [SQL_REPORTERS_EXPIRE] = "DELETE FROM reporters WHERE seen_ms < ?1",
    [SQL_USAGE_ADD] =
        "INSERT INTO usage (day, endpoint, variant, memory_size_mb, invocations, billed_ms, provisioned_billed_ms,"
        " provisioned_ms, cold_starts, cold_start_ms, bytes_in, bytes_out)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        " ON CONFLICT (day, endpoint, variant, memory_size_mb) DO UPDATE SET invocations = invocations + ?5,"
        " billed_ms = billed_ms + ?6, provisioned_billed_ms = provisioned_billed_ms + ?7,"
        " provisioned_ms = provisioned_ms + ?8, cold_starts = cold_starts + ?9, cold_start_ms = cold_start_ms + ?10,"
        " bytes_in = bytes_in + ?11, bytes_out = bytes_out + ?12",
    [SQL_USAGE_LIST] =
        "SELECT day, endpoint, variant, memory_size_mb, invocations, billed_ms, provisioned_billed_ms, provisioned_ms,"
        " cold_starts, cold_start_ms, bytes_in, bytes_out FROM usage WHERE day >= ?1 AND day <= ?2"
        " AND (day, endpoint, variant, memory_size_mb) > (?3, ?4, ?5, ?6) AND (?7 = '' OR endpoint = ?7)"
        " ORDER BY day, endpoint, variant, memory_size_mb LIMIT ?8",
    [SQL_USAGE_EXPIRE] = "DELETE FROM usage WHERE day < ?1",
    [SQL_ALARM_PUT] = "INSERT INTO alarms (name, state, body, to_do) VALUES (?1, ?2, ?3, ?4)"
                      " ON CONFLICT (name) DO UPDATE SET state = ?2, body = ?3, to_do = ?4",
    [SQL_ALARM_GET] = "SELECT id, name, state, body, to_do FROM alarms WHERE name = ?1",
    [SQL_ALARM_DELETE] = "DELETE FROM alarms WHERE name = ?1",
    [SQL_ALARM_DONE] = "UPDATE alarms SET to_do = 0 WHERE name = ?1",
    [SQL_ALARMS_COUNT] = "SELECT count(*) FROM alarms",
    [SQL_ALARMS_LIST] = "SELECT id, name, state, body, to_do FROM alarms WHERE name > ?1 AND (?2 = 0 OR state = ?2)"
                        " ORDER BY name",
    [SQL_ALARM_EVENT_ADD] =
        "INSERT INTO alarm_history (alarm, event, at_ms, summary, data) VALUES (?1, ?2, ?3, ?4, ?5)",
    [SQL_ALARM_EVENTS_EXPIRE] = "DELETE FROM alarm_history WHERE at_ms < ?1",
    [SQL_ALARM_EVENTS_TRIM] = "DELETE FROM alarm_history WHERE alarm = ?1 AND id <="
                              " (SELECT id FROM alarm_history WHERE alarm = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    [SQL_ALARM_EVENTS_UP] = ALARM_EVENTS(">", "id"),
    [SQL_ALARM_EVENTS_DOWN] = ALARM_EVENTS("<", "id DESC"),
    [SQL_TARGET_PUT] = "INSERT INTO scaling_targets (endpoint, variant, body) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT (endpoint, variant) DO UPDATE SET body = ?3",
    [SQL_TARGET_FIND] = "SELECT id FROM scaling_targets WHERE endpoint = ?1 AND variant = ?2",
    [SQL_TARGETS_LIST] = "SELECT id, endpoint, variant, body FROM scaling_targets WHERE (?1 = '' OR endpoint = ?1)"
                         " AND (?2 = '' OR variant = ?2) ORDER BY endpoint, variant",
    [SQL_TARGET_DELETE] = "DELETE FROM scaling_targets WHERE id = ?1",
    [SQL_TARGETS_DELETE] = "DELETE FROM scaling_targets WHERE endpoint = ?1",
    [SQL_RULE_PUT] = "INSERT OR REPLACE INTO scaling_rules (target_id, kind, name, body) VALUES (?1, ?2, ?3, ?4)",
    [SQL_RULES_COUNT] = "SELECT count(*) FROM scaling_rules WHERE target_id = ?1 AND kind = ?2",
    [SQL_RULE_DELETE] = "DELETE FROM scaling_rules WHERE target_id = ?1 AND kind = ?2 AND name = ?3",
    [SQL_RULES_LIST] = "SELECT target_id, name, r.body FROM scaling_rules r JOIN scaling_targets t ON t.id = target_id"
                       " WHERE kind = ?1 AND (?2 = '' OR endpoint = ?2) AND (?3 = '' OR variant = ?3)"
                       " ORDER BY endpoint, variant, name",
    [SQL_ACTIVITY_ADD] = "INSERT INTO scaling_activities (endpoint, variant, at_ms, body) VALUES (?1, ?2, ?3, ?4)",
    [SQL_ACTIVITIES_EXPIRE] = "DELETE FROM scaling_activities WHERE at_ms < ?1",
    [SQL_ACTIVITIES_TRIM] =
        "DELETE FROM scaling_activities WHERE endpoint = ?1 AND variant = ?2 AND id <= (SELECT id FROM"
        " scaling_activities WHERE endpoint = ?1 AND variant = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    [SQL_ACTIVITIES_LIST] = "SELECT id, endpoint, variant, at_ms, body FROM scaling_activities WHERE id < ?3"
                            " AND (?1 = '' OR endpoint = ?1) AND (?2 = '' OR variant = ?2) ORDER BY id DESC LIMIT ?4",
};

enum pl_code sql_failed(struct store *s, int rc, const char *what, struct pl_err *err)
{
    const char *why = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return pl_fail_reason(err, PL_DATA_LOSS, "DATABASE_DAMAGED", "database", "%s: the database is damaged: %s",
                              what, why);
    case SQLITE_BUSY:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
    case SQLITE_LOCKED:
        return pl_fail_reason(err, PL_UNAVAILABLE, "DATABASE_UNAVAILABLE", "database", "%s: %s", what, why);
    default:
        return pl_fail_reason(err, PL_INTERNAL, "DATABASE_FAILED", "database", "%s: %s", what, why);
    }
}

enum pl_code sql_prepare(struct store *s, struct pl_err *err)
{
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
        if (rc != SQLITE_OK)
            return sql_failed(s, rc, texts[i], err);
    }
    return PL_OK;
}

void sql_finalize(struct store *s)
{
    for (int i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
}

sqlite3_stmt *sql_bind(struct store *s, enum sql_id id, const char *types, ...)
{
    sqlite3_stmt *st = s->statements[id];
    va_list args;
    int rc = SQLITE_OK;
    assert(!sqlite3_stmt_busy(st));
    va_start(args, types);
    for (int i = 0; types[i] && rc == SQLITE_OK; i++) {
        if (types[i] == 'i') {
            rc = sqlite3_bind_int64(st, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 'd') {
            rc = sqlite3_bind_double(st, i + 1, va_arg(args, double));
        } else if (types[i] == 't') {
            rc = sqlite3_bind_text(st, i + 1, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            assert(types[i] == 'b');
            const void *bytes = va_arg(args, const void *);
            size_t len = va_arg(args, size_t);
            rc = sqlite3_bind_blob64(st, i + 1, len ? bytes : "", len, SQLITE_STATIC);
        }
    }
    va_end(args);
    assert(rc == SQLITE_OK);
    return st;
}

void sql_end(sqlite3_stmt *st)
{
    (void)sqlite3_reset(st); /* repeats the error of the last step, which was reported then */
    (void)sqlite3_clear_bindings(st);
}

enum pl_code sql_row(struct store *s, sqlite3_stmt *st, bool *out_row, struct pl_err *err)
{
    int rc = sqlite3_step(st);
    *out_row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return PL_OK;
    enum pl_code code = rc == SQLITE_DONE ? PL_OK : sql_failed(s, rc, "cannot use the database", err);
    sql_end(st);
    return code;
}

enum pl_code sql_run(struct store *s, sqlite3_stmt *st, struct pl_err *err)
{
    for (bool row = true; row;)
        if (sql_row(s, st, &row, err) != PL_OK)
            return err->code;
    return PL_OK;
}

enum pl_code sql_script(struct store *s, const char *text, struct pl_err *err)
{
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? PL_OK : sql_failed(s, rc, "cannot prepare the database", err);
}
