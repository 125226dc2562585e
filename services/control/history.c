#include "history.h"

#include "base/mem.h"
#include "base/time.h"
#include "control.h"
#include "control_config.h"
#include "ingest.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "rollup.h"
#include "store_metrics.h"

#include <stdlib.h>

#define STEP_PAUSE_MS 20    /* between two steps, so that calls get their turns */
#define RETRY_MS      60000 /* the database could not be written */

struct history {
    struct control *control;
    struct cost_rates rates;
    struct rollup rollup;
    int64_t every_ms;
    struct loop_timer timer;
    struct metrics_counter *batches, *repeated, *left_out;
};

static void set_timer(struct history *h, int64_t in_ms)
{
    loop_timer_set(h->control->loop, &h->timer, pl_now_ms() + in_ms);
}

static void roll_up(struct loop_timer *t)
{
    struct history *h = PL_CONTAINER(t, struct history, timer);
    struct pl_err err;
    bool more, empty = h->rollup.after == 0;
    int64_t first;
    size_t count;
    if (rollup_step(&h->rollup, h->control->store, pl_wall_ms(), &more, &err) != PL_OK ||
        (empty && store_metric_ids(h->control->store, 0, &first, 1, &count, &err) != PL_OK)) {
        log_warn("history_not_rolled_up", LOG_CODE(&err), LOG_ERR(&err));
        set_timer(h, RETRY_MS);
    } else if (more) {
        set_timer(h, STEP_PAUSE_MS);
    } else if (!empty || count > 0) {
        set_timer(h, h->every_ms);
    }
}

struct history *history_new(struct control *c, const struct control_config *config, struct metrics *m)
{
    struct history *h = PL_NEW(struct history);
    h->control = c;
    h->every_ms = config->roll_up_ms;
    h->rollup.usage_keep_days = config->usage_keep_days;
    h->timer.fire = roll_up;
    control_config_rates(config, &h->rates);
    if (m) {
        h->batches = metrics_counter(m, "control_report_batches_total", NULL, "Batches of routers that were applied");
        h->repeated = metrics_counter(m, "control_reports_repeated_total", NULL,
                                      "Reports of routers with nothing in them that was not applied already");
        h->left_out = metrics_counter(m, "control_report_left_out_total", NULL,
                                      "Reported metrics that were malformed, too old, or above limits.metrics");
    }
    set_timer(h, h->every_ms < RETRY_MS ? h->every_ms : RETRY_MS); /* once after a start, whatever there is */
    return h;
}

void history_free(struct history *h)
{
    if (h)
        loop_timer_clear(h->control->loop, &h->timer);
    free(h);
}

const struct cost_rates *history_rates(const struct history *h)
{
    return &h->rates;
}

void history_grew(struct history *h, const struct ingested *in)
{
    if (h->timer.slot == 0)
        set_timer(h, h->every_ms);
    if (!in || !h->batches)
        return;
    metrics_add(h->batches, in->applied);
    metrics_add(h->repeated, in->applied == 0);
    metrics_add(h->left_out, in->left_out);
}
