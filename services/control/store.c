#include "store.h"

#include "base/mem.h"
#include "base/text.h"
#include "schema.h"
#include "sql.h"
#include "store_persistent.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define APPLICATION_ID 0x50494c54 /* "PILT", in the file's header */

/* One process per database; the kernel lets go of the lock however the process ends. */
static enum pl_code take_lock(struct store *s, const char *path, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *lock = pl_format("%s.lock", path);
    s->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return pl_fail(err, PL_UNAVAILABLE, "database", "cannot open '%s': %s", lock, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return pl_fail(err, PL_UNAVAILABLE, "database", "the database '%s' is in use by another process", path);
    return PL_OK;
}

/* Environments of models may hold secrets: nobody else reads the file. SQLite gives its side files the same mode. */
static enum pl_code open_file(struct store *s, const char *path, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return pl_fail(err, PL_UNAVAILABLE, "database", "cannot open '%s': %s", path, strerror(errno));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, &s->db, flags, NULL);
    if (rc != SQLITE_OK)
        return sql_failed(s, rc, path, err);
    (void)sqlite3_busy_timeout(s->db, 250); /* somebody's backup; short, as it holds the turn */
    return PL_OK;
}

/* The first column of the first row of 'text'. */
static enum pl_code ask(struct store *s, const char *text, char *out, size_t size, struct pl_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, text, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    const char *value = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : "";
    (void)snprintf(out, size, "%s", value ? value : "");
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? PL_OK : sql_failed(s, rc, text, err);
}

static enum pl_code ask_number(struct store *s, const char *text, int64_t *out, struct pl_err *err)
{
    char value[32];
    *out = 0;
    if (ask(s, text, value, sizeof(value), err) != PL_OK)
        return err->code;
    return pl_parse_i64(value, INT64_MIN, INT64_MAX, out)
               ? PL_OK
               : pl_fail(err, PL_DATA_LOSS, "database", "%s answered '%s'", text, value);
}

static enum pl_code check_file(struct store *s, const char *path, struct pl_err *err)
{
    char answer[256];
    int64_t application, tables;
    if (ask_number(s, "PRAGMA application_id", &application, err) != PL_OK ||
        ask_number(s, "SELECT count(*) FROM sqlite_schema", &tables, err) != PL_OK)
        return err->code;
    if (application != APPLICATION_ID && tables != 0)
        return pl_fail(err, PL_PRECONDITION, "database", "'%s' is not a database of Pilotlight", path);
    if (ask(s, "PRAGMA quick_check(1)", answer, sizeof(answer), err) != PL_OK)
        return err->code;
    if (strcmp(answer, "ok") != 0)
        return pl_fail_reason(err, PL_DATA_LOSS, "DATABASE_DAMAGED", "database", "the database '%s' is damaged: %s",
                              path, answer);
    return PL_OK;
}

static enum pl_code configure(struct store *s, struct pl_err *err)
{
    char mode[16];
    if (ask(s, "PRAGMA journal_mode = WAL", mode, sizeof(mode), err) != PL_OK)
        return err->code;
    if (strcmp(mode, "wal") != 0)
        return pl_fail(err, PL_UNAVAILABLE, "database", "the file system cannot do WAL (journal mode is '%s')", mode);
    return sql_script(s,
                      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                      "PRAGMA journal_size_limit = 16777216;",
                      err);
}

/* One step, whole or not at all. */
static enum pl_code migrate_step(struct store *s, int64_t step, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *text =
        pl_format("BEGIN IMMEDIATE;\n%s\nPRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
                  schema_steps[step], APPLICATION_ID, (int)step + 1);
    if (sql_script(s, text, err) == PL_OK)
        return PL_OK;
    if (!sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return pl_err_prefix(err, "schema step %d", (int)step + 1);
}

static enum pl_code migrate(struct store *s, struct pl_err *err)
{
    int64_t at;
    if (ask_number(s, "PRAGMA user_version", &at, err) != PL_OK)
        return err->code;
    if (at < 0 || at > schema_step_count)
        return pl_fail(err, PL_PRECONDITION, "database",
                       "the database has schema %lld, made by a newer release: this one knows up to %d", (long long)at,
                       schema_step_count);
    if (at < schema_step_count && store_persistent_init(s, err) != PL_OK)
        return err->code;
    for (; at < schema_step_count; at++)
        if (migrate_step(s, at, err) != PL_OK)
            return err->code;
    return PL_OK;
}

static enum pl_code load_state(struct store *s, struct pl_err *err)
{
    bool row;
    sqlite3_stmt *st = sql_bind(s, SQL_STATE, "");
    if (sql_row(s, st, &row, err) != PL_OK)
        return err->code;
    if (!row) {
        pl_random_id("db", s->database_id, sizeof(s->database_id));
        return sql_run(s, sql_bind(s, SQL_STATE_INSERT, "t", s->database_id), err);
    }
    (void)snprintf(s->database_id, sizeof(s->database_id), "%s", (const char *)sqlite3_column_text(st, 0));
    s->version = sqlite3_column_int64(st, 1);
    sql_end(st);
    return PL_OK;
}

static void close_p(struct store **s)
{
    store_close(*s);
}

enum pl_code store_open(struct store **out, const char *path, struct pl_err *err)
{
    pl_cleanup(close_p) struct store *s = PL_NEW(struct store);
    s->lock_fd = -1;
    s->metrics = -1;
    if (take_lock(s, path, err) != PL_OK || open_file(s, path, err) != PL_OK || check_file(s, path, err) != PL_OK ||
        configure(s, err) != PL_OK || migrate(s, err) != PL_OK || sql_prepare(s, err) != PL_OK ||
        load_state(s, err) != PL_OK)
        return err->code;
    *out = pl_take(s);
    return PL_OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    assert(!s->in_tx);
    sql_finalize(s);
    (void)sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    free(s);
}

const char *store_database_id(const struct store *s)
{
    return s->database_id;
}

int64_t store_version(const struct store *s)
{
    return s->version;
}

enum pl_code store_begin(struct store_tx *tx, struct store *s, struct pl_err *err)
{
    assert(!s->in_tx && !tx->store);
    if (sql_run(s, sql_bind(s, SQL_BEGIN, ""), err) != PL_OK)
        return err->code;
    s->in_tx = true;
    s->tx_version = s->version;
    tx->store = s;
    return PL_OK;
}

enum pl_code store_commit(struct store_tx *tx, struct pl_err *err)
{
    struct store *s = tx->store;
    assert(s && s->in_tx);
    if (sql_run(s, sql_bind(s, SQL_COMMIT, ""), err) != PL_OK)
        return err->code;
    s->in_tx = false;
    s->version = s->tx_version;
    tx->store = NULL;
    return PL_OK;
}

void store_end(struct store_tx *tx)
{
    struct store *s = tx->store;
    struct pl_err ignored;
    if (!s)
        return;
    tx->store = NULL;
    s->in_tx = false;
    s->metrics = -1;
    if (!sqlite3_get_autocommit(s->db)) /* SQLite may have rolled back by itself */
        (void)!sql_run(s, sql_bind(s, SQL_ROLLBACK, ""), &ignored);
}

enum pl_code store_next_version(struct store *s, int64_t *out, struct pl_err *err)
{
    bool row;
    assert(s->in_tx);
    sqlite3_stmt *st = sql_bind(s, SQL_NEXT_VERSION, "");
    if (sql_row(s, st, &row, err) != PL_OK)
        return err->code;
    assert(row);
    s->tx_version = sqlite3_column_int64(st, 0);
    *out = s->tx_version;
    return sql_run(s, st, err);
}

const char *store_kind_name(enum store_kind kind)
{
    static const char *const names[] = {
        [STORE_MODEL] = "model",
        [STORE_CONFIG] = "endpoint configuration",
        [STORE_ENDPOINT] = "endpoint",
        [STORE_HOST] = "worker host",
    };
    return names[kind];
}
