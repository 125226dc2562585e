#include "measure.h"

#include "base/mem.h"
#include "wire/wire.h"

#include "pilotlight/internal/v1/report.pb-c.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS      INT64_C(60000)
#define DAY_MS         INT64_C(86400000)
#define FIELD_VARIANTS 3 /* of ReportBatch */

/* ---- which numbers there are ---- */

enum kind {
    POINT, /* a struct point                                                        */
    SHARE, /* so many of 'of' were 1, the others 0: the sum counts, the mean is a rate */
    ONES,  /* so many were 1; there are no others                                   */
};

struct row {
    const char *name_space, *name, *unit;
    enum kind kind;
    size_t member, of;
};

#define AWS       "AWS/SageMaker"
#define ENDPOINTS "/aws/sagemaker/Endpoints"
#define OURS      "Pilotlight"
#define M(member) offsetof(struct measure_minute, member)
#define AS_POINT(ns, name, unit, member)                                                                               \
    {                                                                                                                  \
        ns, name, unit, POINT, M(member), 0                                                                            \
    }
#define AS_SHARE(ns, name, unit, member, of)                                                                           \
    {                                                                                                                  \
        ns, name, unit, SHARE, M(member), M(of)                                                                        \
    }
#define AS_ONES(ns, name, unit, member)                                                                                \
    {                                                                                                                  \
        ns, name, unit, ONES, M(member), 0                                                                             \
    }

static const struct row rows[] = {
    AS_ONES(AWS, "Invocations", "None", requests),
    AS_SHARE(AWS, "Invocation4XXErrors", "None", errors_4xx, requests),
    AS_SHARE(AWS, "Invocation5XXErrors", "None", errors_5xx, requests),
    AS_SHARE(AWS, "InvocationModelErrors", "None", model_errors, requests),
    AS_POINT(AWS, "ModelLatency", "Microseconds", model_us),
    AS_POINT(AWS, "OverheadLatency", "Microseconds", overhead_us),
    AS_POINT(AWS, "ModelSetupTime", "Microseconds", setup_us),
    AS_POINT(AWS, "ServerlessConcurrentExecutionsUtilization", "None", utilization),
    AS_POINT(AWS, "ServerlessProvisionedConcurrencyExecutions", "Count", provisioned_executions),
    AS_POINT(AWS, "ServerlessProvisionedConcurrencyUtilization", "None", provisioned_utilization),
    AS_ONES(AWS, "ServerlessProvisionedConcurrencyInvocations", "Count", provisioned),
    AS_ONES(AWS, "ServerlessProvisionedConcurrencySpilloverInvocations", "Count", spillover),
    AS_POINT(ENDPOINTS, "MemoryUtilization", "Percent", memory),
    AS_ONES(OURS, "Throttles", "Count", throttled),
    AS_SHARE(OURS, "ColdStarts", "Count", cold, requests),
    AS_SHARE(OURS, "Failures", "Count", failures, requests),
    AS_SHARE(OURS, "Cancellations", "Count", cancelled, requests),
    AS_POINT(OURS, "QueueTime", "Microseconds", queue_us),
    AS_POINT(OURS, "ColdStartProcessTime", "Microseconds", start_us),
    AS_POINT(OURS, "ColdStartSandboxTime", "Microseconds", sandbox_us),
    AS_POINT(OURS, "ColdStartLoadTime", "Microseconds", load_us),
    AS_POINT(OURS, "ColdStartFirstPredictionTime", "Microseconds", first_predict_us),
    AS_POINT(OURS, "BilledDuration", "Milliseconds", billed_ms),
    AS_POINT(OURS, "WarmInstances", "Count", warm),
};

/* ---- one ---- */

struct measure *measure_new(const char *endpoint, const char *variant)
{
    struct measure *m = PL_NEW(struct measure);

    list_init(&m->dirty);
    list_init(&m->live);
    m->endpoint = pl_strdup(endpoint);
    m->variant = pl_strdup(variant);
    return m;
}

static void minute_done(struct measure_minute *m)
{
    for (size_t i = 0; i < PL_COUNT(rows); i++)
        if (rows[i].kind == POINT)
            point_done((struct point *)((char *)m + rows[i].member));
    *m = (struct measure_minute){ .memory_mb = m->memory_mb };
}

void measure_free(struct measure *m)
{
    if (!m)
        return;
    list_remove(&m->dirty);
    list_remove(&m->live);
    minute_done(&m->minute);
    free(m->endpoint);
    free(m->variant);
    free(m);
}

static int64_t minute_of(int64_t wall_ms)
{
    return wall_ms - wall_ms % MINUTE_MS;
}

bool measure_must_pack(const struct measure *m, int64_t wall_ms, int32_t memory_mb)
{
    return m->minute.start_ms != 0 &&
           (m->minute.start_ms != minute_of(wall_ms) || (m->minute.memory_mb != memory_mb && memory_mb != 0));
}

static bool nothing_to_bill(const struct measure_usage *u)
{
    return u->invocations == 0 && u->billed_ms == 0 && u->provisioned_us < 1000 && u->cold_starts == 0;
}

bool measure_empty(const struct measure *m)
{
    return m->minute.start_ms == 0 && nothing_to_bill(&m->usage);
}

/* ---- in ---- */

static struct measure_minute *now(struct measure *m, int64_t wall_ms, int32_t memory_mb)
{
    m->minute.start_ms = minute_of(wall_ms);
    if (memory_mb != 0)
        m->minute.memory_mb = memory_mb;
    m->usage_day = wall_ms / DAY_MS;
    return &m->minute;
}

static void count_outcome(struct measure_minute *t, const struct usage_facts *f)
{
    t->requests++;
    t->cold += f->cold;
    t->failures += f->outcome == USAGE_FAILED;
    t->cancelled += f->outcome == USAGE_CANCELLED;
    t->errors_4xx += f->model_status >= 400 && f->model_status < 500;
    t->errors_5xx += f->model_status >= 500 && f->model_status < 600;
    t->model_errors += f->reached && (f->outcome == USAGE_MODEL_ERROR || f->outcome == USAGE_FAILED);
}

static void count_times(struct measure_minute *t, const struct usage_facts *f)
{
    point_add(&t->model_us, (double)f->model_us, 1);
    point_add(&t->overhead_us, (double)(f->total_us - f->model_us), 1);
    point_add(&t->billed_ms, (double)f->billed_ms, 1);
    if (!f->cold)
        return;
    point_add(&t->setup_us, (double)f->start_us, 1);
    point_add(&t->queue_us, (double)f->queue_us, 1);
    point_add(&t->start_us, (double)(f->start_us - f->load_us), 1);
    point_add(&t->sandbox_us, (double)f->sandbox_us, 1);
    point_add(&t->load_us, (double)f->load_us, 1);
    point_add(&t->first_predict_us, (double)f->first_predict_us, 1);
}

static void count_usage(struct measure *m, const struct usage_facts *f)
{
    struct measure_usage *u = &m->usage;

    u->invocations++;
    u->billed_ms += f->billed_ms;
    u->provisioned_billed_ms += f->provisioned ? f->billed_ms : 0;
    u->cold_starts += f->cold;
    u->cold_start_us += f->cold ? f->start_us : 0;
    u->bytes_in += (int64_t)f->bytes_in;
    u->bytes_out += (int64_t)f->bytes_out;
}

void measure_ended(struct measure *m, int64_t wall_ms, const struct usage_facts *f)
{
    struct measure_minute *t = now(m, wall_ms, f->memory_mb);

    if (f->outcome == USAGE_THROTTLED) {
        t->throttled++;
        return;
    }
    count_outcome(t, f);
    if (!f->reached)
        return;
    t->reached++;
    if (m->provisioned > 0)
        *(f->provisioned ? &t->provisioned : &t->spillover) += 1;
    count_times(t, f);
    count_usage(m, f);
}

static unsigned lesser(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Up to now the provisioned instances were those that it had. */
static void count_provisioned(struct measure *m, int64_t now_us)
{
    m->usage.provisioned_us += (int64_t)lesser(m->provisioned, m->warm) * (now_us - m->provisioned_since_us);
    m->provisioned_since_us = now_us;
}

bool measure_gauges(struct measure *m, int64_t wall_ms, int64_t now_us, const struct measure_gauges *g)
{
    bool more_busy = g->busy > m->busy, other_warm = g->warm != m->warm;

    if (other_warm || g->provisioned != m->provisioned)
        count_provisioned(m, now_us);
    m->busy = g->busy;
    m->warm = g->warm;
    m->provisioned = g->provisioned;
    if (!more_busy && !other_warm)
        return false;
    struct measure_minute *t = now(m, wall_ms, g->memory_mb);
    if (other_warm)
        point_add(&t->warm, g->warm, 1);
    if (!more_busy)
        return true;
    unsigned within = lesser(g->busy, g->provisioned);
    point_add(&t->utilization, (double)g->busy / (g->max_concurrency ? g->max_concurrency : 1), 1);
    if (g->provisioned > 0) {
        point_add(&t->provisioned_executions, within, 1);
        point_add(&t->provisioned_utilization, (double)within / g->provisioned, 1);
    }
    return true;
}

void measure_memory(struct measure *m, int64_t wall_ms, int32_t memory_mb, double percent)
{
    m->memory_percent = percent;
    point_add(&now(m, wall_ms, memory_mb)->memory, percent, 1);
}

void measure_sample(struct measure *m, int64_t wall_ms, int64_t now_us)
{
    struct measure_minute *t = now(m, wall_ms, 0);

    count_provisioned(m, now_us);
    point_add(&t->warm, m->warm, 1);
    if (m->memory_percent > 0)
        point_add(&t->memory, m->memory_percent, 1); /* hosts tell only what has changed */
    if (m->provisioned > 0) {
        unsigned within = lesser(m->busy, m->provisioned);

        point_add(&t->provisioned_executions, within, 1);
        point_add(&t->provisioned_utilization, (double)within / m->provisioned, 1);
    }
}

/* ---- out ---- */

typedef Pilotlight__Internal__V1__MetricReport metric_report;

struct packing {
    metric_report messages[PL_COUNT(rows)], *list[PL_COUNT(rows)];
    struct pl_buf sketches[PL_COUNT(rows)];
    size_t count;
};

static void packing_done(struct packing *p)
{
    for (size_t i = 0; i < p->count; i++)
        pl_buf_done(&p->sketches[i]);
}

/* The numbers of a row; 'count' stays 0 when there are none. */
static bool numbers(const struct measure_minute *t, const struct row *r, metric_report *out, struct pl_buf *sketch)
{
    const void *member = (const char *)t + r->member;
    int64_t n = r->kind == POINT ? 0 : *(const int64_t *)member;

    if (r->kind == POINT) {
        const struct point *p = member;

        out->sample_count = p->count;
        out->sum = p->sum;
        out->minimum = p->min;
        out->maximum = p->max;
        return p->count <= 0 || point_encode_sketch(p, sketch);
    }
    int64_t all = r->kind == SHARE ? *(const int64_t *)((const char *)t + r->of) : n;
    out->sample_count = (double)all;
    out->sum = (double)n;
    out->minimum = n == all && n > 0;
    out->maximum = n > 0;
    if (n == 0 || n == all)
        return true;
    pl_cleanup(sketch_done) struct sketch s = { 0 };
    sketch_add(&s, 0, (uint64_t)(all - n));
    sketch_add(&s, 1, (uint64_t)n);
    return sketch_encode(&s, sketch);
}

static bool pack_metrics(const struct measure_minute *t, struct packing *p)
{
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        metric_report *r = &p->messages[p->count];

        p->sketches[p->count] = PL_BUF_INIT(SKETCH_MAX_BYTES);
        pilotlight__internal__v1__metric_report__init(r);
        if (!numbers(t, &rows[i], r, &p->sketches[p->count++]))
            return false;
        if (r->sample_count <= 0) {
            pl_buf_done(&p->sketches[--p->count]);
            continue;
        }
        r->namespace_ = (char *)(uintptr_t)rows[i].name_space;
        r->name = (char *)(uintptr_t)rows[i].name;
        r->unit = (char *)(uintptr_t)rows[i].unit;
        r->sketch.data = (uint8_t *)p->sketches[p->count - 1].data;
        r->sketch.len = p->sketches[p->count - 1].len;
        p->list[p->count - 1] = r;
    }
    return true;
}

static void pack_usage(const struct measure *m, Pilotlight__Internal__V1__UsageReport *out)
{
    const struct measure_usage *u = &m->usage;

    pilotlight__internal__v1__usage_report__init(out);
    out->memory_size_mb = m->minute.memory_mb;
    out->invocations = u->invocations;
    out->billed_ms = u->billed_ms;
    out->provisioned_billed_ms = u->provisioned_billed_ms;
    out->provisioned_ms = u->provisioned_us / 1000;
    out->cold_starts = u->cold_starts;
    out->cold_start_ms = (u->cold_start_us + 999) / 1000;
    out->bytes_in = u->bytes_in;
    out->bytes_out = u->bytes_out;
}

static bool append(struct pl_buf *out, const Pilotlight__Internal__V1__VariantReport *v)
{
    size_t len = pilotlight__internal__v1__variant_report__get_packed_size(v);
    uint8_t head[WIRE_MAX_HEADER];
    size_t head_len = (size_t)(wire_put_header(head, FIELD_VARIANTS, len) - head);
    char *room = pl_buf_room(out, head_len + len);

    if (!room)
        return false;
    memcpy(room, head, head_len);
    (void)pilotlight__internal__v1__variant_report__pack(v, (uint8_t *)room + head_len);
    out->len += head_len + len;
    return true;
}

bool measure_pack(struct measure *m, bool metrics, struct pl_buf *out)
{
    pl_cleanup(packing_done) struct packing p = { 0 };
    Pilotlight__Internal__V1__VariantReport v = PILOTLIGHT__INTERNAL__V1__VARIANT_REPORT__INIT;
    Pilotlight__Internal__V1__UsageReport usage;

    v.endpoint_name = m->endpoint;
    v.variant_name = m->variant;
    v.minute_unix_ms = m->minute.start_ms ? m->minute.start_ms : m->usage_day * DAY_MS;
    if (metrics && m->minute.start_ms && !pack_metrics(&m->minute, &p))
        return false;
    v.metrics = p.list;
    v.n_metrics = p.count;
    if (!nothing_to_bill(&m->usage)) {
        pack_usage(m, &usage);
        v.usage = &usage;
    }
    if ((v.n_metrics > 0 || v.usage) && !append(out, &v))
        return false;
    minute_done(&m->minute);
    m->usage = (struct measure_usage){ .provisioned_us = m->usage.provisioned_us % 1000 };
    return true;
}
