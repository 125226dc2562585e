#include "report.h"

#include "base/mem.h"
#include "base/time.h"
#include "log/log.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "report_queue.h"
#include "rpc/client.h"
#include "wire/wire.h"

#include "pilotlight/internal/v1/report.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_MS       800 /* between two batches: a kill takes no more than the last second, with time to write */
#define SOON_MS        100 /* the first batch after a silence: what comes together is in it */
#define MINUTE_MS      60000
#define AGAIN_FIRST_MS 500
#define AGAIN_MOST_MS  10000
#define SEND_MS        10000
#define DRAIN_MS       2000
#define BATCH_BYTES    ((size_t)1 << 20) /* a full batch is closed and another one begun */

/* Fields of ReportBatch and ReportRequest. */
enum { BATCH_EPOCH = 1, BATCH_SEQUENCE = 2, REQUEST_REPORTER = 1, REQUEST_BATCHES = 2 };

struct report {
    struct report_options o;
    struct rpc_channel *channel;
    struct report_queue *queue;
    struct pl_buf batch; /* being put together: variants, without epoch and sequence */
    int64_t sequence;    /* of the last batch */
    struct list dirty, live;
    struct loop_timer flush, minute, again, give_up;
    int64_t flushed_ms; /* monotonic */
    struct rpc_request *sent;
    size_t sent_count; /* batches in it */
    int64_t again_ms;
    bool started, draining, gave_up;
    bool told; /* that metrics are being left out */
    struct metrics_counter *batches, *failures, *left_out;
    struct metrics_gauge *kept;
};

static void step(struct report *r);

/* ---- batches ---- */

static bool may_keep_metrics(const struct report *r)
{
    size_t most = r->o.kept_bytes ? r->o.kept_bytes : REPORT_KEPT_BYTES;

    return report_queue_bytes(r->queue) + r->batch.len < most;
}

/* What has come together becomes the next batch. */
static void close_batch(struct report *r)
{
    uint8_t head[4 * WIRE_MAX_HEADER], *end = head;
    struct pl_buf whole = PL_BUF_INIT(2 * BATCH_BYTES);

    if (r->batch.len == 0)
        return;
    end = wire_put_varint(end, BATCH_EPOCH, (uint64_t)r->o.router_epoch);
    end = wire_put_varint(end, BATCH_SEQUENCE, (uint64_t)++r->sequence);
    if (!pl_buf_add(&whole, head, (size_t)(end - head)) || !pl_buf_add(&whole, r->batch.data, r->batch.len))
        pl_die("a batch of %zu bytes is too large", r->batch.len);
    report_queue_add(r->queue, &whole);
    pl_buf_clear(&r->batch);
    if (r->batches)
        metrics_add(r->batches, 1);
}

static void pack(struct report *r, struct measure *m)
{
    bool metrics = may_keep_metrics(r);

    if (!metrics && r->left_out)
        metrics_add(r->left_out, 1);
    if (!metrics && !r->told)
        log_warn("metrics_left_out", LOG_STR("why", "control has not taken reports for too long"),
                 LOG_UINT("kept_bytes", report_queue_bytes(r->queue)));
    r->told = !metrics;
    if (!measure_pack(m, metrics, &r->batch)) {
        r->batch.failed = false; /* full: it goes as it is, and the rest into the next one */
        close_batch(r);
        if (!measure_pack(m, metrics, &r->batch))
            pl_die("the numbers of one variant do not fit %zu bytes", BATCH_BYTES);
    }
    list_remove(&m->dirty);
}

static void flush(struct report *r)
{
    list_each_safe(it, &r->dirty) pack(r, list_entry(it, struct measure, dirty));
    close_batch(r);
    r->flushed_ms = pl_now_ms();
    loop_timer_clear(r->o.loop, &r->flush);
    step(r);
}

static void flush_due(struct loop_timer *t)
{
    flush(PL_CONTAINER(t, struct report, flush));
}

static void flush_later(struct report *r)
{
    int64_t now_ms = pl_now_ms(), at_ms = r->flushed_ms + (may_keep_metrics(r) ? EVERY_MS : MINUTE_MS);

    if (r->flush.slot == 0)
        loop_timer_set(r->o.loop, &r->flush, at_ms > now_ms + SOON_MS ? at_ms : now_ms + SOON_MS);
}

static void dirty(struct report *r, struct measure *m)
{
    list_remove(&m->dirty);
    list_push_back(&r->dirty, &m->dirty);
    flush_later(r);
}

/* ---- values ---- */

/* What belongs to an earlier minute is packed; it goes with the next batch. */
static void turn_page(struct report *r, struct measure *m, int64_t wall_ms, int32_t memory_mb)
{
    if (measure_must_pack(m, wall_ms, memory_mb))
        pack(r, m);
}

void report_ended(struct report *r, struct measure *m, const struct usage_facts *f)
{
    int64_t wall_ms = pl_wall_ms();

    turn_page(r, m, wall_ms, f->memory_mb);
    measure_ended(m, wall_ms, f);
    dirty(r, m);
}

static void minute_later(struct report *r)
{
    int64_t wall_ms = pl_wall_ms();

    if (r->minute.slot == 0)
        loop_timer_set(r->o.loop, &r->minute, pl_now_ms() + MINUTE_MS - wall_ms % MINUTE_MS + 1);
}

void report_gauges(struct report *r, struct measure *m, const struct measure_gauges *g)
{
    int64_t wall_ms = pl_wall_ms();

    if (g->busy > m->busy || g->warm != m->warm)
        turn_page(r, m, wall_ms, g->memory_mb);
    if (measure_gauges(m, wall_ms, pl_now_us(), g))
        dirty(r, m);
    list_remove(&m->live);
    if (g->warm == 0)
        return;
    list_push_back(&r->live, &m->live);
    minute_later(r);
}

void report_memory(struct report *r, struct measure *m, int32_t memory_mb, double percent)
{
    int64_t wall_ms = pl_wall_ms();

    turn_page(r, m, wall_ms, memory_mb);
    measure_memory(m, wall_ms, memory_mb, percent);
    dirty(r, m);
}

/* Who has instances is asked once a minute, though nothing happens. */
static void minute_due(struct loop_timer *t)
{
    struct report *r = PL_CONTAINER(t, struct report, minute);
    int64_t wall_ms = pl_wall_ms(), now_us = pl_now_us();

    list_each(it, &r->live)
    {
        struct measure *m = list_entry(it, struct measure, live);

        turn_page(r, m, wall_ms, 0);
        measure_sample(m, wall_ms, now_us);
        dirty(r, m);
    }
    if (!list_empty(&r->live))
        minute_later(r);
}

struct measure *report_measure_new(struct report *r, const char *endpoint, const char *variant)
{
    (void)r;
    return measure_new(endpoint, variant);
}

void report_measure_free(struct report *r, struct measure *m)
{
    if (!measure_empty(m)) {
        pack(r, m);
        flush_later(r);
    }
    measure_free(m);
}

/* ---- to control ---- */

static void answered(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct report *r = arg;

    (void)message, (void)bytes;
    r->sent = NULL;
    if (status->code != PL_OK && r->failures)
        metrics_add(r->failures, 1);
    if (status->code == PL_INVALID) /* it will not be taken next time, either */
        log_error("report_refused", LOG_CODE(status), LOG_ERR(status), LOG_UINT("batches", r->sent_count));
    if (status->code == PL_OK || status->code == PL_INVALID) {
        report_queue_drop(r->queue, r->sent_count);
        r->again_ms = 0;
        if (r->flush.slot != 0) { /* it may have been put off while there was no room */
            loop_timer_clear(r->o.loop, &r->flush);
            flush_later(r);
        }
    } else {
        if (r->again_ms == 0)
            log_warn("report_failed", LOG_CODE(status), LOG_ERR(status));
        r->again_ms = r->again_ms == 0 ? AGAIN_FIRST_MS : r->again_ms * 2;
        r->again_ms = r->again_ms > AGAIN_MOST_MS ? AGAIN_MOST_MS : r->again_ms;
        loop_timer_set(r->o.loop, &r->again, pl_now_ms() + r->again_ms);
    }
    step(r);
}

static void again_due(struct loop_timer *t)
{
    step(PL_CONTAINER(t, struct report, again));
}

static void send(struct report *r)
{
    struct pl_buf m = PL_BUF_INIT(4 * BATCH_BYTES);
    uint8_t head[WIRE_MAX_HEADER];
    size_t len, n = strlen(r->o.router_id);
    const void *bytes;

    (void)pl_buf_add(&m, head, (size_t)(wire_put_header(head, REQUEST_REPORTER, n) - head));
    (void)pl_buf_add(&m, r->o.router_id, n);
    r->sent_count = 0;
    while (r->sent_count < 64 && report_queue_written(r->queue, r->sent_count, &bytes, &len) &&
           (r->sent_count == 0 || m.len + len < 2 * BATCH_BYTES)) {
        n = (size_t)(wire_put_header(head, REQUEST_BATCHES, len) - head);
        (void)pl_buf_add(&m, head, n);
        (void)pl_buf_add(&m, bytes, len);
        r->sent_count++;
    }
    if (m.failed)
        pl_die("a report of %zu bytes is too large", m.len);
    char *text = pl_buf_take(&m, &len);
    r->sent = rpc_send(r->channel, &(struct rpc_send){
                                       .path = "/pilotlight.internal.v1.ReportService/Report",
                                       .bytes = rpc_bytes_wrap(text, len, free, text),
                                       .reply = &pilotlight__internal__v1__report_response__descriptor,
                                       .timeout_ms = SEND_MS,
                                       .done = answered,
                                       .arg = r,
                                   });
}

/* Whatever is to be done next. */
static void step(struct report *r)
{
    const void *bytes;
    size_t len;

    if (r->kept)
        metrics_set(r->kept, (int64_t)report_queue_bytes(r->queue));
    report_queue_write(r->queue);
    if (r->started && !r->gave_up && !r->sent && r->again.slot == 0 && report_queue_written(r->queue, 0, &bytes, &len))
        send(r);
}

static void queue_written(void *arg)
{
    step(arg);
}

/* ---- start and end ---- */

static void give_up(struct loop_timer *t)
{
    struct report *r = PL_CONTAINER(t, struct report, give_up);

    r->gave_up = true;
    if (r->sent)
        rpc_cancel(r->sent);
}

struct report *report_new(const struct report_options *o)
{
    struct report *r = PL_NEW(struct report);
    const struct rpc_channel_options options = { .tls = o->tls, .internal = true };

    r->o = *o;
    r->batch = PL_BUF_INIT(BATCH_BYTES);
    list_init(&r->dirty);
    list_init(&r->live);
    r->flush.fire = flush_due;
    r->minute.fire = minute_due;
    r->again.fire = again_due;
    r->give_up.fire = give_up;
    r->channel = rpc_channel_new(o->rpc, o->control, &options);
    r->queue = report_queue_new(o->loop, o->spool_path, 2 * BATCH_BYTES, queue_written, r);
    if (o->metrics) {
        r->batches = metrics_counter(o->metrics, "router_report_batches_total", NULL, "Batches of numbers for control");
        r->failures = metrics_counter(o->metrics, "router_report_failures_total", NULL,
                                      "Reports that control did not take; they are sent again");
        r->left_out = metrics_counter(o->metrics, "router_report_left_out_total", NULL,
                                      "Variant minutes without metrics, as too many reports wait for control");
        r->kept = metrics_gauge(o->metrics, "router_report_kept_bytes", NULL, "Reports that wait for control");
    }
    return r;
}

void report_start(struct report *r)
{
    r->started = true;
    step(r);
}

void report_free(struct report *r)
{
    if (!r)
        return;
    loop_timer_clear(r->o.loop, &r->flush);
    loop_timer_clear(r->o.loop, &r->minute);
    loop_timer_clear(r->o.loop, &r->again);
    loop_timer_clear(r->o.loop, &r->give_up);
    rpc_channel_free(r->channel);
    report_queue_free(r->queue);
    pl_buf_done(&r->batch);
    free(r);
}

void report_drain(struct report *r)
{
    if (r->draining)
        return;
    r->draining = true;
    loop_timer_clear(r->o.loop, &r->again);
    loop_timer_set(r->o.loop, &r->give_up, pl_now_ms() + DRAIN_MS);
    flush(r);
}

bool report_idle(const struct report *r)
{
    return !report_queue_busy(r->queue) && !r->sent && (r->gave_up || report_queue_bytes(r->queue) == 0);
}
