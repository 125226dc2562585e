#include "store_metrics.h"

#include "sql.h"

#include <assert.h>

/* ---- metrics ---- */

static enum pl_code find(struct store *s, const char *name_space, const char *name, const char *key, int64_t *out_id,
                         int64_t *out_last_ms, struct pl_err *err)
{
    bool found;
    sqlite3_stmt *st = sql_bind(s, SQL_METRIC_FIND, "ttt", name_space, name, key);
    if (sql_row(s, st, &found, err) != PL_OK)
        return err->code;
    *out_id = found ? sqlite3_column_int64(st, 0) : 0;
    *out_last_ms = found ? sqlite3_column_int64(st, 1) : 0;
    if (found)
        sql_end(st);
    return PL_OK;
}

enum pl_code store_metric_find(struct store *s, const char *name_space, const char *name, const char *key,
                               int64_t *out_id, struct pl_err *err)
{
    int64_t last_ms;
    return find(s, name_space, name, key, out_id, &last_ms, err);
}

static enum pl_code count_metrics(struct store *s, struct pl_err *err)
{
    bool row;
    if (s->metrics >= 0)
        return PL_OK;
    sqlite3_stmt *st = sql_bind(s, SQL_METRICS_COUNT, "");
    if (sql_row(s, st, &row, err) != PL_OK)
        return err->code;
    s->metrics = sqlite3_column_int64(st, 0);
    sql_end(st);
    return PL_OK;
}

enum pl_code store_metric_need(struct store *s, const char *name_space, const char *name, const char *key,
                               int64_t last_ms, int64_t most, int64_t *out_id, struct pl_err *err)
{
    int64_t last_before;
    assert(s->in_tx);
    if (find(s, name_space, name, key, out_id, &last_before, err) != PL_OK)
        return err->code;
    if (*out_id)
        return last_before >= last_ms ? PL_OK : sql_run(s, sql_bind(s, SQL_METRIC_TOUCH, "ii", *out_id, last_ms), err);
    if (count_metrics(s, err) != PL_OK)
        return err->code;
    if (s->metrics >= most)
        return pl_fail_reason(err, PL_EXHAUSTED, "METRICS", "metric",
                              "metric \"%.80s\" of \"%.80s\" would be number %lld: at most %lld metrics are kept", name,
                              name_space, (long long)s->metrics + 1, (long long)most);
    if (sql_run(s, sql_bind(s, SQL_METRIC_ADD, "ttti", name_space, name, key, last_ms), err) != PL_OK)
        return err->code;
    *out_id = sqlite3_last_insert_rowid(s->db);
    s->metrics++;
    return PL_OK;
}

enum pl_code store_metrics_list(struct store *s, const struct store_metric_query *q,
                                bool (*each)(void *arg, int64_t id, const char *name_space, const char *name,
                                             const char *key),
                                void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_METRICS_LIST, "iitt", q->after_id, q->active_since_ms, q->name_space, q->name);
    for (;;) {
        bool found;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        if (!each(arg, sqlite3_column_int64(st, 0), (const char *)sqlite3_column_text(st, 1),
                  (const char *)sqlite3_column_text(st, 2), (const char *)sqlite3_column_text(st, 3))) {
            sql_end(st);
            return PL_OK;
        }
    }
}

enum pl_code store_metric_ids(struct store *s, int64_t after, int64_t *out_ids, size_t max, size_t *out_count,
                              struct pl_err *err)
{
    bool found = true;
    size_t n = 0;
    sqlite3_stmt *st = sql_bind(s, SQL_METRICS_IDS, "ii", after, (int64_t)max);
    while (found) {
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (found)
            out_ids[n++] = sqlite3_column_int64(st, 0);
    }
    *out_count = n;
    return PL_OK;
}

enum pl_code store_metrics_expire(struct store *s, int64_t last_before_ms, struct pl_err *err)
{
    assert(s->in_tx);
    s->metrics = -1;
    return sql_run(s, sql_bind(s, SQL_METRICS_EXPIRE, "i", last_before_ms), err);
}

/* ---- rows ---- */

/* The numbers of a row, from column 'first' on. */
static enum pl_code read_point(sqlite3_stmt *st, int first, struct point *out, struct pl_err *err)
{
    if (point_decode(out, sqlite3_column_double(st, first), sqlite3_column_double(st, first + 1),
                     sqlite3_column_double(st, first + 2), sqlite3_column_double(st, first + 3),
                     sqlite3_column_blob(st, first + 4), (size_t)sqlite3_column_bytes(st, first + 4)))
        return PL_OK;
    return pl_fail_reason(err, PL_DATA_LOSS, "DATABASE_DAMAGED", "database", "a row of a metric is malformed");
}

static enum pl_code get_point(struct store *s, const struct store_point *key, struct point *out, struct pl_err *err)
{
    bool found;
    sqlite3_stmt *st =
        sql_bind(s, SQL_POINT_GET, "iiii", key->metric, (int64_t)key->resolution_s, key->start_s, (int64_t)key->unit);
    if (sql_row(s, st, &found, err) != PL_OK)
        return err->code;
    if (!found)
        return PL_OK;
    enum pl_code code = read_point(st, 0, out, err);
    sql_end(st);
    return code;
}

enum pl_code store_point_merge(struct store *s, const struct store_point *key, const struct point *p,
                               struct pl_err *err)
{
    pl_cleanup(point_done) struct point sum = { 0 };
    pl_cleanup(pl_buf_done) struct pl_buf sketch = PL_BUF_INIT(SKETCH_MAX_BYTES);
    assert(s->in_tx);
    if (get_point(s, key, &sum, err) != PL_OK)
        return err->code;
    point_merge(&sum, p);
    if (!point_encode_sketch(&sum, &sketch))
        return pl_fail(err, PL_INTERNAL, NULL, "a distribution does not fit %zu bytes", SKETCH_MAX_BYTES);
    sqlite3_stmt *st = sql_bind(s, SQL_POINT_PUT, "iiiiddddb", key->metric, (int64_t)key->resolution_s, key->start_s,
                                (int64_t)key->unit, sum.count, sum.sum, sum.min, sum.max, sketch.data, sketch.len);
    return sql_run(s, st, err);
}

enum pl_code store_points(struct store *s, int64_t metric, int32_t resolution_s, int64_t from_s, int64_t before_s,
                          bool (*each)(void *arg, int64_t start_s, int unit, const struct point *p), void *arg,
                          struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_POINTS, "iiii", metric, (int64_t)resolution_s, from_s, before_s);
    for (;;) {
        bool found;
        pl_cleanup(point_done) struct point p = { 0 };
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        enum pl_code code = read_point(st, 2, &p, err);
        if (code != PL_OK || !each(arg, sqlite3_column_int64(st, 0), sqlite3_column_int(st, 1), &p)) {
            sql_end(st);
            return code;
        }
    }
}

enum pl_code store_points_delete(struct store *s, int64_t metric, int32_t resolution_s, int64_t before_s,
                                 struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_POINTS_DELETE, "iii", metric, (int64_t)resolution_s, before_s), err);
}
