/* sql - the statements of the store, prepared once, and how they are bound and run. Included by store*.c alone.
 *
 * A statement is bound by sql_bind(), then either run by sql_run() (no rows wanted) or stepped by sql_row() until it
 * has no more; leaving earlier needs sql_end(). Bound text and blobs must live until then. */
#ifndef CONTROL_SQL_H
#define CONTROL_SQL_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql_id {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_STATE,
    SQL_STATE_INSERT,
    SQL_NEXT_VERSION,
    SQL_GET,
    SQL_INSERT,
    SQL_UPDATE,
    SQL_DELETE,
    SQL_COUNT,
    /* In the order of enum store_sort, ascending before descending. */
    SQL_LIST_CREATED_UP,
    SQL_LIST_CREATED_DOWN,
    SQL_LIST_NAME_UP,
    SQL_LIST_NAME_DOWN,
    SQL_LIST_STATUS_UP,
    SQL_LIST_STATUS_DOWN,
    SQL_TAGS,
    SQL_TAG_PUT,
    SQL_TAG_DELETE,
    SQL_REQUEST_FIND,
    SQL_REQUEST_ADD,
    SQL_REQUESTS_EXPIRE,
    SQL_REQUESTS_TRIM,
    SQL_CHANGE_PUT,
    SQL_CHANGES_OVER,
    SQL_CHANGES_TRIM,
    SQL_CHANGES_FLOOR_SET,
    SQL_CHANGES_FLOOR,
    SQL_CHANGES_SINCE,
    SQL_HOST_PUT,
    SQL_HOST_DELETE,
    SQL_HOSTS,
    SQL_ROUTER_PUT,
    SQL_ROUTER_DELETE,
    SQL_ROUTERS,
    SQL_METRIC_FIND,
    SQL_METRIC_ADD,
    SQL_METRIC_TOUCH,
    SQL_METRICS_COUNT,
    SQL_METRICS_LIST,
    SQL_METRICS_IDS,
    SQL_METRICS_EXPIRE,
    SQL_POINT_GET,
    SQL_POINT_PUT,
    SQL_POINTS,
    SQL_POINTS_DELETE,
    SQL_REPORTER_GET,
    SQL_REPORTER_PUT,
    SQL_REPORTERS_EXPIRE,
    SQL_USAGE_ADD,
    SQL_USAGE_LIST,
    SQL_USAGE_EXPIRE,
    SQL_ALARM_PUT,
    SQL_ALARM_GET,
    SQL_ALARM_DELETE,
    SQL_ALARM_DONE,
    SQL_ALARMS_COUNT,
    SQL_ALARMS_LIST,
    SQL_ALARM_EVENT_ADD,
    SQL_ALARM_EVENTS_EXPIRE,
    SQL_ALARM_EVENTS_TRIM,
    SQL_ALARM_EVENTS_UP,
    SQL_ALARM_EVENTS_DOWN,
    SQL_TARGET_PUT,
    SQL_TARGET_FIND,
    SQL_TARGETS_LIST,
    SQL_TARGET_DELETE,
    SQL_TARGETS_DELETE,
    SQL_RULE_PUT,
    SQL_RULES_COUNT,
    SQL_RULE_DELETE,
    SQL_RULES_LIST,
    SQL_ACTIVITY_ADD,
    SQL_ACTIVITIES_EXPIRE,
    SQL_ACTIVITIES_TRIM,
    SQL_ACTIVITIES_LIST,
    SQL_STATEMENTS
};

struct store {
    sqlite3 *db;
    int lock_fd; /* held while the database is open */
    sqlite3_stmt *statements[SQL_STATEMENTS];
    char database_id[40];
    int64_t version;    /* committed */
    int64_t tx_version; /* of the open transaction */
    int64_t metrics;    /* rows of that table; -1 = not counted */
    bool in_tx;
};

PL_MUST_CHECK enum pl_code sql_prepare(struct store *s, struct pl_err *err);
void sql_finalize(struct store *s);

/* One letter of 'types' per parameter: 'i' int64_t, 'd' double, 't' const char *, 'b' const void * and size_t. */
sqlite3_stmt *sql_bind(struct store *s, enum sql_id id, const char *types, ...);
/* '*out_row' false: no more rows, and the statement is reset. */
PL_MUST_CHECK enum pl_code sql_row(struct store *s, sqlite3_stmt *st, bool *out_row, struct pl_err *err);
PL_MUST_CHECK enum pl_code sql_run(struct store *s, sqlite3_stmt *st, struct pl_err *err);
void sql_end(sqlite3_stmt *st);
/* For statements that are not in the table: pragmas, schema steps. */
PL_MUST_CHECK enum pl_code sql_script(struct store *s, const char *text, struct pl_err *err);
/* The connection's last error as one of ours. */
enum pl_code sql_failed(struct store *s, int rc, const char *what, struct pl_err *err);

#endif
