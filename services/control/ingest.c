/* What routers report. */
#include "ingest.h"

#include "base/mem.h"
#include "check.h"
#include "metric_key.h"
#include "retention.h"
#include "store_metrics.h"
#include "validate.h"

#include <math.h>
#include <string.h>

#define DAY_MS     INT64_C(86400000)
#define USAGE_MOST INT64_C(1000000000000000) /* of one number in one batch: far above what can be served */

typedef Pilotlight__Internal__V1__ReportBatch batch_message;
typedef Pilotlight__Internal__V1__VariantReport variant_message;
typedef Pilotlight__Internal__V1__MetricReport metric_message_in;

struct ingest {
    struct store *store;
    const struct limits *limits;
    int64_t wall_ms;
    struct ingested *out;
};

/* ---- the envelope ---- */

static bool before(int64_t epoch_a, int64_t sequence_a, int64_t epoch_b, int64_t sequence_b)
{
    return epoch_a != epoch_b ? epoch_a < epoch_b : sequence_a < sequence_b;
}

static enum pl_code check_envelope(const struct limits *l, const Pilotlight__Internal__V1__ReportRequest *r,
                                   struct pl_err *err)
{
    if (validate_member_id(l, "reporter_id", r->reporter_id, err) != PL_OK ||
        check_count(l, LIMIT_report_batches, "batches", r->n_batches, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < r->n_batches; i++) {
        const batch_message *b = r->batches[i];
        if (b->epoch < 1 || b->sequence < 1)
            return pl_fail(err, PL_INVALID, "batches",
                           "batches[%zu] has epoch %lld, sequence %lld: both must be 1 or more", i, (long long)b->epoch,
                           (long long)b->sequence);
        if (i > 0 && !before(r->batches[i - 1]->epoch, r->batches[i - 1]->sequence, b->epoch, b->sequence))
            return pl_fail(err, PL_INVALID, "batches",
                           "batches[%zu] has epoch %lld, sequence %lld: it must come after the one before it", i,
                           (long long)b->epoch, (long long)b->sequence);
    }
    return PL_OK;
}

/* ---- a metric ---- */

static bool usable(const metric_message_in *m, struct point *out)
{
    bool numbers = isfinite(m->sample_count) && m->sample_count > 0 && isfinite(m->sum) && isfinite(m->minimum) &&
                   isfinite(m->maximum) && m->minimum <= m->maximum;
    return numbers && metric_unit(m->unit) >= 0 && *m->name && *m->namespace_ &&
           point_decode(out, m->sample_count, m->sum, m->minimum, m->maximum, m->sketch.data, m->sketch.len);
}

/* PL_EXHAUSTED is not passed on: a metric without room must not stop the bill. */
static enum pl_code add_metric(struct ingest *in, const variant_message *v, const char *key, const metric_message_in *m,
                               struct pl_err *err)
{
    pl_cleanup(point_done) struct point p = { 0 };
    int64_t at_s = retention_floor(v->minute_unix_ms, 60000) / 1000, now_s = in->wall_ms / 1000;
    const struct retention_class *class = retention_class_of(at_s, 60, now_s);
    if (!class || at_s > now_s + 3600 || !usable(m, &p)) {
        in->out->left_out++;
        return PL_OK;
    }
    struct store_point at = {
        .resolution_s = class->resolution_s,
        .start_s = retention_floor(at_s, class->resolution_s),
        .unit = metric_unit(m->unit),
    };
    enum pl_code code = store_metric_need(in->store, m->namespace_, m->name, key, at.start_s * 1000,
                                          in->limits->row[LIMIT_metrics].max, &at.metric, err);
    if (code == PL_EXHAUSTED) {
        in->out->left_out++;
        return PL_OK;
    }
    return code == PL_OK ? store_point_merge(in->store, &at, &p, err) : code;
}

/* ---- usage ---- */

static bool billable(const Pilotlight__Internal__V1__UsageReport *u)
{
    const int64_t numbers[] = { u->invocations,    u->billed_ms,   u->provisioned_billed_ms,
                                u->provisioned_ms, u->cold_starts, u->cold_start_ms,
                                u->bytes_in,       u->bytes_out };
    for (size_t i = 0; i < PL_COUNT(numbers); i++)
        if (numbers[i] < 0 || numbers[i] > USAGE_MOST)
            return false;
    return u->memory_size_mb > 0;
}

static enum pl_code add_usage(struct ingest *in, const variant_message *v, struct pl_err *err)
{
    const Pilotlight__Internal__V1__UsageReport *u = v->usage;
    if (!billable(u)) {
        in->out->left_out++;
        return PL_OK;
    }
    const struct store_usage row = {
        .day = retention_floor(v->minute_unix_ms, DAY_MS) / DAY_MS,
        .endpoint = v->endpoint_name,
        .variant = v->variant_name,
        .memory_size_mb = u->memory_size_mb,
        .invocations = u->invocations,
        .billed_ms = u->billed_ms,
        .provisioned_billed_ms = u->provisioned_billed_ms,
        .provisioned_ms = u->provisioned_ms,
        .cold_starts = u->cold_starts,
        .cold_start_ms = u->cold_start_ms,
        .bytes_in = u->bytes_in,
        .bytes_out = u->bytes_out,
    };
    return store_usage_add(in->store, &row, err);
}

/* ---- batches ---- */

static enum pl_code add_variant(struct ingest *in, const variant_message *v, struct pl_err *err)
{
    struct pl_err bad;
    if (validate_name(in->limits, "endpoint_name", v->endpoint_name, &bad) != PL_OK ||
        validate_name(in->limits, "variant_name", v->variant_name, &bad) != PL_OK || v->minute_unix_ms <= 0) {
        in->out->left_out += (unsigned)v->n_metrics + 1;
        return PL_OK;
    }
    pl_cleanup(pl_free_p) char *key = metric_key_of_variant(v->endpoint_name, v->variant_name);
    for (size_t i = 0; i < v->n_metrics; i++)
        if (add_metric(in, v, key, v->metrics[i], err) != PL_OK)
            return err->code;
    return v->usage ? add_usage(in, v, err) : PL_OK;
}

static enum pl_code add_batch(struct ingest *in, const batch_message *b, struct pl_err *err)
{
    for (size_t i = 0; i < b->n_variants; i++)
        if (add_variant(in, b->variants[i], err) != PL_OK)
            return err->code;
    in->out->applied++;
    return PL_OK;
}

enum pl_code ingest_report(struct store *s, const struct limits *l, const Pilotlight__Internal__V1__ReportRequest *r,
                           int64_t wall_ms, struct ingested *out, struct pl_err *err)
{
    struct ingested done = { 0 };
    struct ingest in = { .store = s, .limits = l, .wall_ms = wall_ms, .out = &done };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (check_envelope(l, r, err) != PL_OK || store_begin(&tx, s, err) != PL_OK ||
        store_reporter_get(s, r->reporter_id, &done.epoch, &done.sequence, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < r->n_batches; i++) {
        const batch_message *b = r->batches[i];
        if (!before(done.epoch, done.sequence, b->epoch, b->sequence))
            continue;
        if (add_batch(&in, b, err) != PL_OK)
            return err->code;
        done.epoch = b->epoch;
        done.sequence = b->sequence;
    }
    if (done.applied > 0)
        if (store_reporter_put(s, r->reporter_id, done.epoch, done.sequence, wall_ms, err) != PL_OK ||
            store_commit(&tx, err) != PL_OK)
            return err->code;
    *out = done;
    return PL_OK;
}
