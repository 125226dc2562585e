/* An alarm's datapoints, read from the rows, and what they make of it. */
#include "alarm_change.h"

#include "alarm_rule.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "metric_key.h"
#include "metric_query.h"
#include "record.h"
#include "retention.h"
#include "statistic.h"

#include <math.h>
#include <string.h>

/* Routers report each second: a minute is complete a little after it has ended. */
#define GRACE_S      5
#define GRACE_FINE_S 2
#define STEP_FINE_S  10

static int64_t step_of(int32_t period_s)
{
    return period_s < 60 ? STEP_FINE_S : 60;
}

static int64_t grace_of(int32_t period_s)
{
    return period_s < 60 ? GRACE_FINE_S : GRACE_S;
}

int64_t alarm_next_ms(int32_t period_s, int64_t wall_ms)
{
    int64_t step_ms = step_of(period_s) * 1000, grace_ms = grace_of(period_s) * 1000;
    return retention_floor(wall_ms - grace_ms, step_ms) + step_ms + grace_ms;
}

/* The unit of the newest data; NULL: there is none. */
static const struct metric_buckets *newest_unit(const struct metric_result *r)
{
    for (size_t i = r->bucket_count; i-- > 0;)
        for (size_t u = 0; u < r->unit_count; u++)
            if (r->units[u].points[i].count > 0)
                return &r->units[u];
    return NULL;
}

/* So few values that a percentile of them says little. */
static bool is_low(const struct statistic *s, const struct point *p)
{
    double share = s->high / 100, rest = share < 0.5 ? share : 1 - share;
    return s->kind == STATISTIC_PERCENTILE && rest > 0 && p->count * rest < 10 - 1e-9; /* 1 - 0.9 is not quite 0.1 */
}

/* '*out_low': one of the newest datapoints is of too few values, and the alarm ignores such. */
static enum pl_code read_points(struct store *s, const Pilotlight__V1__Alarm *a, int64_t end_s, int64_t now_s,
                                struct alarm_datapoint *out, size_t count, bool *out_low, struct pl_err *err)
{
    const struct metric_range range = { .start_s = end_s - (int64_t)a->period_s * (int64_t)count,
                                        .end_s = end_s,
                                        .period_s = a->period_s };
    struct statistic statistic;
    pl_cleanup(metric_result_done) struct metric_result r = { 0 };
    pl_cleanup(pl_free_p) char *key = metric_key(a->metric->dimensions, a->metric->n_dimensions);
    int unit = *a->unit ? metric_unit(a->unit) : -1;
    if (!statistic_parse(a->statistic, &statistic))
        return pl_fail(err, PL_DATA_LOSS, "statistic", "alarm \"%s\" has no statistic", a->name);
    if (metric_read(s, a->metric->namespace_, a->metric->name, key, unit, &range, now_s, &r, err) != PL_OK)
        return err->code;
    const struct metric_buckets *b = newest_unit(&r);
    for (size_t i = 0; b && i < count; i++) {
        if (b->points[i].count <= 0)
            continue;
        out[i].value = statistic_of(&statistic, &b->points[i]);
        out[i].known = !isnan(out[i].value);
        if (i + (size_t)a->evaluation_periods >= count && is_low(&statistic, &b->points[i]))
            *out_low = a->low_samples == PILOTLIGHT__V1__LOW_SAMPLES__LOW_SAMPLES_IGNORE;
    }
    return PL_OK;
}

static void points_json(const Pilotlight__V1__Alarm *a, const struct alarm_datapoint *points, size_t count,
                        int64_t end_s, struct pl_buf *out)
{
    char start[25];
    size_t shown = count > 20 ? 20 : count;
    int64_t start_s = end_s - (int64_t)a->period_s * (int64_t)shown;
    (void)pl_buf_addf(out, "{\"statistic\":\"%s\",\"period_s\":%d,\"threshold\":%.17g,\"from\":\"%s\",\"datapoints\":[",
                      a->statistic, a->period_s, a->threshold, pl_wall_text(start_s * 1000, start));
    for (size_t i = count - shown; i < count; i++) {
        if (i > count - shown)
            (void)pl_buf_addc(out, ',');
        if (points[i].known && isfinite(points[i].value))
            (void)pl_buf_addf(out, "%.17g", points[i].value);
        else
            (void)pl_buf_adds(out, "null");
    }
    (void)pl_buf_adds(out, "]}");
}

enum pl_code alarm_evaluate(struct store *s, const char *name, int64_t wall_ms, bool *out_to_do, struct pl_err *err)
{
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *a = NULL;
    pl_cleanup(pl_free_p) struct alarm_datapoint *points = NULL;
    pl_cleanup(pl_buf_done) struct pl_buf data = PL_BUF_INIT(4000);
    char reason[ALARM_REASON_SIZE];
    *out_to_do = false;
    if (alarm_get(s, name, &a, out_to_do, err) != PL_OK)
        return err->code == PL_NOT_FOUND ? PL_OK : err->code;
    size_t count = (size_t)a->evaluation_periods + ALARM_RULE_EXTRA;
    int64_t now_s = wall_ms / 1000, end_s = retention_floor(now_s - grace_of(a->period_s), step_of(a->period_s));
    points = pl_new0(count, sizeof(*points));
    bool low = false;
    if (read_points(s, a, end_s, now_s, points, count, &low, err) != PL_OK)
        return err->code;
    Pilotlight__V1__AlarmState to = alarm_rule_state(a, points, count, a->state, reason);
    *out_to_do = false;
    if (to == a->state || low)
        return PL_OK;
    points_json(a, points, count, end_s, &data);
    return alarm_enter(s, a, to, reason, data.data && !data.failed ? data.data : "", wall_ms, out_to_do, err);
}
