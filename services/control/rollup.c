#include "rollup.h"

#include "base/mem.h"
#include "retention.h"
#include "store_metrics.h"

#include <stdlib.h>

#define STEP_METRICS 64
#define STEP_ROWS    2000 /* of one metric and class; the rest is for the next step */
#define DAY_MS       INT64_C(86400000)
#define REPORTERS_MS (90 * DAY_MS) /* longer than any reporter keeps what was not answered */

struct old_row {
    int64_t start_s;
    int unit;
    struct point p;
};
struct old_rows {
    struct old_row *items;
    size_t count;
    bool full; /* there are more */
};

static void old_rows_done(struct old_rows *o)
{
    for (size_t i = 0; i < o->count; i++)
        point_done(&o->items[i].p);
    free(o->items);
}

/* All units of one moment are taken together: they are deleted together. */
static bool take_row(void *arg, int64_t start_s, int unit, const struct point *p)
{
    struct old_rows *o = arg;
    if (o->count >= STEP_ROWS && o->items[o->count - 1].start_s != start_s) {
        o->full = true;
        return false;
    }
    o->items = pl_grow(o->items, o->count + 1, sizeof(*o->items));
    o->items[o->count] = (struct old_row){ .start_s = start_s, .unit = unit };
    point_merge(&o->items[o->count++].p, p);
    return true;
}

/* Rows of class 'i' that are due become rows of the next one. */
static enum pl_code coarsen(struct store *s, int64_t metric, size_t i, int64_t now_s, struct pl_err *err)
{
    const struct retention_class *from = &retention_classes[i], *to = from + 1;
    int64_t before_s = retention_due_before(i, now_s);
    pl_cleanup(old_rows_done) struct old_rows old = { 0 };
    if (store_points(s, metric, from->resolution_s, 0, before_s, take_row, &old, err) != PL_OK)
        return err->code;
    if (old.count == 0)
        return PL_OK;
    for (size_t k = 0; k < old.count; k++) {
        const struct store_point at = {
            .metric = metric,
            .resolution_s = to->resolution_s,
            .start_s = retention_floor(old.items[k].start_s, to->resolution_s),
            .unit = old.items[k].unit,
        };
        if (store_point_merge(s, &at, &old.items[k].p, err) != PL_OK)
            return err->code;
    }
    if (old.full)
        before_s = old.items[old.count - 1].start_s + 1;
    return store_points_delete(s, metric, from->resolution_s, before_s, err);
}

static enum pl_code metric(struct store *s, int64_t id, int64_t now_s, struct pl_err *err)
{
    for (size_t i = 0; i + 1 < RETENTION_CLASSES; i++)
        if (coarsen(s, id, i, now_s, err) != PL_OK)
            return err->code;
    size_t last = RETENTION_CLASSES - 1;
    return store_points_delete(s, id, retention_classes[last].resolution_s, retention_due_before(last, now_s), err);
}

static enum pl_code expire(const struct rollup *r, struct store *s, int64_t wall_ms, struct pl_err *err)
{
    if (store_metrics_expire(s, wall_ms - RETENTION_LONGEST_S * 1000, err) != PL_OK ||
        store_reporters_expire(s, wall_ms - REPORTERS_MS, err) != PL_OK)
        return err->code;
    return store_usage_expire(s, wall_ms / DAY_MS - r->usage_keep_days, err);
}

enum pl_code rollup_step(struct rollup *r, struct store *s, int64_t wall_ms, bool *out_more, struct pl_err *err)
{
    int64_t ids[STEP_METRICS];
    size_t count;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (store_begin(&tx, s, err) != PL_OK || store_metric_ids(s, r->after, ids, STEP_METRICS, &count, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < count; i++)
        if (metric(s, ids[i], wall_ms / 1000, err) != PL_OK)
            return err->code;
    if (count < STEP_METRICS && expire(r, s, wall_ms, err) != PL_OK)
        return err->code;
    if (store_commit(&tx, err) != PL_OK)
        return err->code;
    *out_more = count == STEP_METRICS;
    r->after = *out_more ? ids[count - 1] : 0;
    return PL_OK;
}
