/* Who reported, and what is to be billed. */
#include "store_metrics.h"

#include "sql.h"

#include <assert.h>

enum pl_code store_reporter_get(struct store *s, const char *id, int64_t *out_epoch, int64_t *out_sequence,
                                struct pl_err *err)
{
    bool found;
    sqlite3_stmt *st = sql_bind(s, SQL_REPORTER_GET, "t", id);
    if (sql_row(s, st, &found, err) != PL_OK)
        return err->code;
    *out_epoch = found ? sqlite3_column_int64(st, 0) : 0;
    *out_sequence = found ? sqlite3_column_int64(st, 1) : 0;
    if (found)
        sql_end(st);
    return PL_OK;
}

enum pl_code store_reporter_put(struct store *s, const char *id, int64_t epoch, int64_t sequence, int64_t now_ms,
                                struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_REPORTER_PUT, "tiii", id, epoch, sequence, now_ms), err);
}

enum pl_code store_reporters_expire(struct store *s, int64_t seen_before_ms, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_REPORTERS_EXPIRE, "i", seen_before_ms), err);
}

enum pl_code store_usage_add(struct store *s, const struct store_usage *u, struct pl_err *err)
{
    assert(s->in_tx);
    sqlite3_stmt *st = sql_bind(s, SQL_USAGE_ADD, "ittiiiiiiiii", u->day, u->endpoint, u->variant, u->memory_size_mb,
                                u->invocations, u->billed_ms, u->provisioned_billed_ms, u->provisioned_ms,
                                u->cold_starts, u->cold_start_ms, u->bytes_in, u->bytes_out);
    return sql_run(s, st, err);
}

static void read_usage(sqlite3_stmt *st, struct store_usage *out)
{
    *out = (struct store_usage){
        .day = sqlite3_column_int64(st, 0),
        .endpoint = (const char *)sqlite3_column_text(st, 1),
        .variant = (const char *)sqlite3_column_text(st, 2),
        .memory_size_mb = sqlite3_column_int64(st, 3),
        .invocations = sqlite3_column_int64(st, 4),
        .billed_ms = sqlite3_column_int64(st, 5),
        .provisioned_billed_ms = sqlite3_column_int64(st, 6),
        .provisioned_ms = sqlite3_column_int64(st, 7),
        .cold_starts = sqlite3_column_int64(st, 8),
        .cold_start_ms = sqlite3_column_int64(st, 9),
        .bytes_in = sqlite3_column_int64(st, 10),
        .bytes_out = sqlite3_column_int64(st, 11),
    };
}

enum pl_code store_usage_list(struct store *s, const struct store_usage_query *q,
                              void (*each)(void *arg, const struct store_usage *u), void *arg, struct pl_err *err)
{
    sqlite3_stmt *st = sql_bind(s, SQL_USAGE_LIST, "iiittiti", q->from_day, q->to_day, q->after_day, q->after_endpoint,
                                q->after_variant, q->after_memory, q->endpoint, q->limit);
    for (;;) {
        bool found;
        struct store_usage u;
        if (sql_row(s, st, &found, err) != PL_OK)
            return err->code;
        if (!found)
            return PL_OK;
        read_usage(st, &u);
        each(arg, &u);
    }
}

enum pl_code store_usage_expire(struct store *s, int64_t before_day, struct pl_err *err)
{
    assert(s->in_tx);
    return sql_run(s, sql_bind(s, SQL_USAGE_EXPIRE, "i", before_day), err);
}
