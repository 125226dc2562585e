#include "stats.h"

#include "base/mem.h"
#include "base/time.h"
#include "control.h"
#include "endpoint_state.h"
#include "followers.h"
#include "hosts.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "routers.h"
#include "store.h"

#include <stdlib.h>

#define DELAY_MS     500 /* many changes are one count */
#define STATUS_COUNT (ENDPOINT_STATUS(FAILED) + 1)

struct stats {
    struct control *control;
    struct loop_timer timer;
    int64_t counted_version; /* the counter below is up to here */
    struct metrics_counter *changes;
    struct metrics_gauge *models, *configs, *endpoints[STATUS_COUNT], *hosts, *routers, *watchers;
};

static void count(struct stats *s, enum store_kind kind, int status, struct metrics_gauge *g)
{
    struct pl_err err;
    int64_t n;
    if (store_count(s->control->store, kind, status, &n, &err) == PL_OK)
        metrics_set(g, n);
    else
        log_warn("not_counted", LOG_STR("kind", store_kind_name(kind)), LOG_ERR(&err));
}

static void refresh(struct loop_timer *t)
{
    struct stats *s = PL_CONTAINER(t, struct stats, timer);
    struct control *c = s->control;
    count(s, STORE_MODEL, 0, s->models);
    count(s, STORE_CONFIG, 0, s->configs);
    for (int status = 1; status < (int)STATUS_COUNT; status++)
        count(s, STORE_ENDPOINT, status, s->endpoints[status]);
    metrics_set(s->hosts, (int64_t)hosts_count(c->hosts));
    metrics_set(s->routers, routers_count(c->routers));
    metrics_set(s->watchers, followers_count(c->followers));
    metrics_add(s->changes, (uint64_t)(store_version(c->store) - s->counted_version));
    s->counted_version = store_version(c->store);
}

void stats_touch(struct stats *s)
{
    if (s && s->timer.slot == 0)
        loop_timer_set(s->control->loop, &s->timer, pl_now_ms() + DELAY_MS);
}

static void endpoint_gauges(struct stats *s, struct metrics *m)
{
    for (int status = 1; status < (int)STATUS_COUNT; status++) {
        pl_cleanup(pl_buf_done) struct pl_buf label = PL_BUF_INIT(256);
        metrics_label(&label, "status", endpoint_status_name(status));
        s->endpoints[status] = metrics_gauge(m, "control_endpoints", label.data, "Endpoints by status");
    }
}

struct stats *stats_new(struct control *c, struct metrics *m)
{
    if (!m)
        return NULL;
    struct stats *s = PL_NEW(struct stats);
    s->control = c;
    s->timer.fire = refresh;
    s->counted_version = store_version(c->store);
    s->changes = metrics_counter(m, "control_changes_total", NULL, "Versions committed since the start");
    s->models = metrics_gauge(m, "control_models", NULL, "Models");
    s->configs = metrics_gauge(m, "control_endpoint_configs", NULL, "Endpoint configs");
    endpoint_gauges(s, m);
    s->hosts = metrics_gauge(m, "control_hosts", NULL, "Worker hosts that hold a lease");
    s->routers = metrics_gauge(m, "control_routers", NULL, "Routers with a Watch stream");
    s->watchers = metrics_gauge(m, "control_watchers", NULL, "WatchEndpoint streams");
    stats_touch(s);
    return s;
}

void stats_free(struct stats *s)
{
    if (s)
        loop_timer_clear(s->control->loop, &s->timer);
    free(s);
}
