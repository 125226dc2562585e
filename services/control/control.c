#include "control.h"

#include "alarms.h"
#include "base/mem.h"
#include "base/time.h"
#include "control_config.h"
#include "control_methods.h"
#include "followers.h"
#include "history.h"
#include "endpoint_change.h"
#include "hosts.h"
#include "lifecycle.h"
#include "log/log.h"
#include "prepare.h"
#include "record.h"
#include "routers.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "scaling.h"
#include "scaling_alarms.h"
#include "scaling_change.h"
#include "spread.h"
#include "stats.h"
#include "store.h"

#include <stdlib.h>

void control_committed(struct control *c)
{
    routers_push(c->routers);
    stats_touch(c->stats);
}

void control_endpoint_changed(struct control *c, const char *endpoint)
{
    control_committed(c);
    spread_changed(c->spread);
    followers_changed(c->followers, endpoint);
}

/* ---- the lifecycle's ports ---- */

static int64_t port_now(void *arg)
{
    (void)arg;
    return pl_now_ms();
}

static int64_t port_wall(void *arg)
{
    (void)arg;
    return pl_wall_ms();
}

static void port_wake_at(void *arg, int64_t at_ms)
{
    struct control *c = arg;
    if (at_ms == INT64_MAX)
        loop_timer_clear(c->loop, &c->lifecycle_timer);
    else
        loop_timer_set(c->loop, &c->lifecycle_timer, at_ms);
}

static void *port_prepare(void *arg, const Pilotlight__Internal__V1__VariantSpec *spec, const char *avoid,
                          int64_t timeout_ms, lifecycle_prepared_fn *done, void *done_arg,
                          char out_host[LIFECYCLE_HOST_SIZE])
{
    struct control *c = arg;
    return prepare_start(c->hosts, spec, avoid, timeout_ms, done, done_arg, out_host);
}

static void port_cancel(void *arg, void *call)
{
    (void)arg;
    prepare_cancel(call);
}

static bool port_applied(void *arg, int64_t version)
{
    struct control *c = arg;
    return routers_applied(c->routers, version);
}

static bool port_drained(void *arg, const char *endpoint, int64_t version)
{
    struct control *c = arg;
    return routers_drained(c->routers, endpoint, version);
}

static void port_changed(void *arg, const char *endpoint)
{
    control_endpoint_changed(arg, endpoint);
}

static void port_deleted(void *arg, const Pilotlight__V1__Endpoint *last)
{
    struct control *c = arg;
    control_committed(c);
    followers_deleted(c->followers, last);
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingPoliciesResponse *policies = NULL;
    if (scaling_policies(c->store, last->name, "", NULL, 0, &policies, &err) == PL_OK)
        scaling_alarms_delete(c, policies);
    else
        log_warn("policies_unreadable", LOG_STR("endpoint", last->name), LOG_CODE(&err), LOG_ERR(&err));
    scaling_endpoint_gone(c->scaling, last->name);
}

/* ---- the scaling's ports ---- */

static void port_scale_at(void *arg, int64_t wall_ms)
{
    struct control *c = arg;
    int64_t in_ms = wall_ms - pl_wall_ms();
    if (wall_ms == INT64_MAX)
        loop_timer_clear(c->loop, &c->scaling_timer);
    else
        loop_timer_set(c->loop, &c->scaling_timer, pl_now_ms() + (in_ms > 0 ? in_ms : 0));
}

static enum pl_code port_scale(void *arg, const char *endpoint, const char *variant, int32_t capacity,
                               struct pl_err *err)
{
    struct control *c = arg;
    Pilotlight__V1__UpdateEndpointCapacityRequest r = PILOTLIGHT__V1__UPDATE_ENDPOINT_CAPACITY_REQUEST__INIT;
    Pilotlight__V1__VariantCapacity v = PILOTLIGHT__V1__VARIANT_CAPACITY__INIT, *variants[] = { &v };
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *changed = NULL;
    r.name = (char *)(uintptr_t)endpoint;
    r.variants = variants;
    r.n_variants = 1;
    v.variant_name = (char *)(uintptr_t)variant;
    v.new_provisioned_concurrency_case =
        PILOTLIGHT__V1__VARIANT_CAPACITY__NEW_PROVISIONED_CONCURRENCY_PROVISIONED_CONCURRENCY;
    v.provisioned_concurrency = capacity;
    if (endpoint_update_capacity(c->store, &c->limits, &r, pl_wall_ms(), &changed, err) != PL_OK)
        return err->code;
    control_endpoint_changed(c, endpoint);
    lifecycle_start(c->lifecycle, endpoint);
    return PL_OK;
}

/* ---- events of the parts ---- */

static void lifecycle_due(struct loop_timer *t)
{
    lifecycle_tick(PL_CONTAINER(t, struct control, lifecycle_timer)->lifecycle);
}

static void scaling_due(struct loop_timer *t)
{
    scaling_tick(PL_CONTAINER(t, struct control, scaling_timer)->scaling);
}

static void routers_due(struct loop_timer *t)
{
    lifecycle_routers_changed(PL_CONTAINER(t, struct control, routers_timer)->lifecycle);
}

/* May come from the middle of a push, which the lifecycle may have asked for: it hears of it in a turn of its own. */
static void router_changed(void *arg)
{
    struct control *c = arg;
    loop_timer_set(c->loop, &c->routers_timer, pl_now_ms());
    stats_touch(c->stats);
}

static void host_changed(void *arg)
{
    struct control *c = arg;
    control_committed(c);
    spread_changed(c->spread);
    lifecycle_hosts_changed(c->lifecycle);
}

/* ---- start and stop ---- */

static struct rpc_channel_options *worker_channels(const struct control_config *config)
{
    struct rpc_channel_options *o = PL_NEW(struct rpc_channel_options);
    o->internal = true;
    if (*config->worker_ca_file)
        o->tls.ca_file = config->worker_ca_file;
    if (*config->worker_cert_file) {
        o->tls.cert_file = config->worker_cert_file;
        o->tls.key_file = config->worker_key_file;
    }
    if (*config->worker_server_name)
        o->tls.server_name = config->worker_server_name;
    return o;
}

static struct lifecycle *make_lifecycle(struct control *c, const struct control_config *config)
{
    const struct lifecycle_ports ports = {
        .arg = c,
        .now_ms = port_now,
        .wall_ms = port_wall,
        .wake_at = port_wake_at,
        .prepare = port_prepare,
        .cancel = port_cancel,
        .applied = port_applied,
        .drained = port_drained,
        .changed = port_changed,
        .deleted = port_deleted,
    };
    const struct lifecycle_settings settings = {
        .prepare_ms = config->prepare_timeout_ms,
        .publish_ms = config->publish_timeout_ms,
        .drain_ms = config->drain_wait_ms,
    };
    return lifecycle_new(c->store, &c->limits, &ports, &settings);
}

static void make_parts(struct control *c, const struct control_config *config, struct metrics *m)
{
    c->to_workers = worker_channels(config);
    c->hosts = hosts_new(&(struct hosts_options){
        .loop = c->loop,
        .rpc = c->rpc,
        .store = c->store,
        .limits = &c->limits,
        .channel = c->to_workers,
        .lease_ms = c->lease_ms,
        .changed = host_changed,
        .arg = c,
    });
    c->spread = spread_new(c->loop, c->store, &c->limits, c->hosts);
    c->routers = routers_new(&(struct routers_options){
        .loop = c->loop,
        .store = c->store,
        .limits = &c->limits,
        .hosts = c->hosts,
        .settle_ms = config->settle_ms,
        .changed = router_changed,
        .arg = c,
    });
    c->followers = followers_new(c->store, &c->limits);
    c->lifecycle = make_lifecycle(c, config);
    c->stats = stats_new(c, m);
    c->history = history_new(c, config, m);
    c->alarms = alarms_new(c, config, m);
    c->scaling = scaling_new(
        c->store, &c->limits,
        &(struct scaling_ports){ .arg = c, .wall_ms = port_wall, .wake_at = port_scale_at, .apply = port_scale });
}

static void stop_p(struct control **c)
{
    control_stop(*c);
}

enum pl_code control_start(struct control **out, struct loop *loop, struct rpc *rpc, struct metrics *m,
                           const struct control_config *config, struct pl_err *err)
{
    pl_cleanup(stop_p) struct control *c = PL_NEW(struct control);
    c->loop = loop;
    c->rpc = rpc;
    c->lease_ms = config->lease_ms;
    c->lifecycle_timer.fire = lifecycle_due;
    c->routers_timer.fire = routers_due;
    c->scaling_timer.fire = scaling_due;
    control_config_limits(config, &c->limits);
    if (store_open(&c->store, config->database, err) != PL_OK)
        return err->code;
    make_parts(c, config, m);
    if (hosts_load(c->hosts, err) != PL_OK || routers_load(c->routers, err) != PL_OK ||
        lifecycle_resume(c->lifecycle, err) != PL_OK || alarms_load(c->alarms, err) != PL_OK ||
        control_listen(c, config, err) != PL_OK)
        return err->code;
    rpc_server_set_serving(c->server, true);
    c->serving = true;
    scaling_changed(c->scaling);
    spread_changed(c->spread);
    log_info("control_serves", LOG_STR("database", config->database),
             LOG_STR("database_id", store_database_id(c->store)), LOG_INT("version", store_version(c->store)));
    *out = pl_take(c);
    return PL_OK;
}

void control_drain(struct control *c, int64_t grace_ms, void (*drained)(void *arg), void *arg)
{
    c->serving = false;
    routers_end(c->routers);
    followers_end(c->followers);
    rpc_server_drain(c->server, grace_ms, drained, arg);
}

void control_stop(struct control *c)
{
    if (!c)
        return;
    lifecycle_free(c->lifecycle);
    spread_free(c->spread);
    followers_free(c->followers);
    routers_free(c->routers);
    hosts_free(c->hosts);
    stats_free(c->stats);
    scaling_free(c->scaling);
    alarms_free(c->alarms);
    history_free(c->history);
    rpc_server_free(c->server);
    loop_timer_clear(c->loop, &c->lifecycle_timer);
    loop_timer_clear(c->loop, &c->routers_timer);
    loop_timer_clear(c->loop, &c->scaling_timer);
    store_close(c->store);
    free(c->to_workers);
    free(c);
}

const char *control_ready(const struct control *c)
{
    return c->serving ? NULL : "control is stopping";
}

int control_port(const struct control *c, size_t i)
{
    return rpc_server_port(c->server, i);
}
