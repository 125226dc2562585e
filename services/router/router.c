#include "router.h"

#include "act.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "desired.h"
#include "flight.h"
#include "follow.h"
#include "hosts.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "name.h"
#include "report.h"
#include "router_config.h"
#include "rpc/server.h"
#include "snapshot.h"
#include "usage.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Worker hosts are asked what they have when control has said what is to be served; it has this long to say something
 * new. It says nothing when the snapshot is as new as can be. */
#define OPEN_HOSTS_MS 100
#define RECHECK_MS    10
#define SAVE_REST_MS  250
#define SAVE_AGAIN_MS 1000 /* when it could not be written */
/* What is smaller is saved without a rest. */
#define SAVE_SMALL_BYTES (256U << 10)

static const char NOT_KNOWN[] = "what is to be served is not known yet: control has not been reached";

/* ---- what is to be served ---- */

static void set_serving(struct router *r)
{
    if (atomic_load(&r->serving) || r->drained || !desired_known(r->desired))
        return;
    atomic_store(&r->serving, true);
    rpc_server_set_serving(r->server, true);
    log_info("router_serves", LOG_STR("router", r->id), LOG_INT("epoch", r->epoch),
             LOG_INT("version", desired_version(r->desired)));
}

static void save(struct router *r)
{
    size_t len;
    void *bytes = desired_pack(r->desired, &len);

    loop_timer_clear(r->loop, &r->save);
    r->save_rest_ms = len < SAVE_SMALL_BYTES ? 0 : SAVE_REST_MS;
    r->saved_ms = pl_now_ms();
    snapshot_write(r->snapshot, bytes, len, desired_version(r->desired));
}

static void save_due(struct loop_timer *t)
{
    save(PL_CONTAINER(t, struct router, save));
}

/* All of it is packed each time: of thousands of changes in a row only some are saved, and control hears of the others
 * with them. */
static void save_soon(struct router *r)
{
    int64_t at_ms = r->saved_ms + r->save_rest_ms;

    if (at_ms <= pl_now_ms())
        save(r);
    else
        loop_timer_set(r->loop, &r->save, at_ms);
}

/* A disk that cannot be written to does not keep control from changing anything: that is told in the log. */
static void saved(void *arg, int64_t version, bool ok)
{
    struct router *r = arg;

    follow_saved(r->follow, version);
    set_serving(r);
    if (!ok && r->save.slot == 0 && !r->drained)
        loop_timer_set(r->loop, &r->save, pl_now_ms() + SAVE_AGAIN_MS);
}

static void applied(void *arg)
{
    struct router *r = arg;

    save_soon(r);
    hosts_open(r->hosts);
}

static void open_known_hosts(struct router *r)
{
    if (desired_known(r->desired))
        hosts_open(r->hosts);
}

static void control_lost(void *arg)
{
    struct router *r = arg;

    if (r->save.slot != 0)
        save(r);
    open_known_hosts(r);
}

static void open_hosts_due(struct loop_timer *t)
{
    open_known_hosts(PL_CONTAINER(t, struct router, open_hosts));
}

/* From the snapshot, if there is one that can be believed. */
static void recall(struct router *r)
{
    pl_cleanup(pl_free_p) void *bytes = NULL;
    Pilotlight__Internal__V1__WatchResponse *m;
    struct pl_err err;
    size_t len;

    if (snapshot_read(r->snapshot, &bytes, &len, &err) != PL_OK) {
        if (err.code != PL_NOT_FOUND)
            log_error("snapshot_not_believed", LOG_CODE(&err), LOG_ERR(&err));
        return;
    }
    m = pilotlight__internal__v1__watch_response__unpack(NULL, len, bytes);
    if (!m || m->event_case != PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT) {
        log_error("snapshot_not_believed", LOG_STR("error", "its content is not a snapshot"));
    } else {
        desired_apply(r->desired, m);
        log_info("snapshot_read", LOG_INT("version", m->version), LOG_UINT("endpoints", m->snapshot->n_endpoints),
                 LOG_UINT("hosts", m->snapshot->n_hosts));
    }
    if (m)
        pilotlight__internal__v1__watch_response__free_unpacked(m, NULL);
}

/* ---- start ---- */

/* The machine's name as far as it is a name: dots become hyphens. */
static char *default_id(void)
{
    char name[HOST_NAME_MAX + 1] = "";

    (void)gethostname(name, sizeof(name) - 1);
    name[NAME_LENGTH_MAX] = '\0';
    for (char *c = name; *c; c++)
        if (!name_valid(c, 1))
            *c = '-';
    return pl_strdup(name_valid(name, strlen(name)) ? name : "router");
}

static struct report *make_report(struct router *r, struct rpc *rpc, struct metrics *m,
                                  const struct router_config *config)
{
    pl_cleanup(pl_free_p) char *spool = *config->snapshot ? pl_format("%s.reports", config->snapshot) : NULL;

    return report_new(&(struct report_options){ .loop = r->loop,
                                                .rpc = rpc,
                                                .metrics = m,
                                                .control = config->control,
                                                .tls = router_config_tls(&config->control_tls),
                                                .router_id = r->id,
                                                .router_epoch = r->epoch,
                                                .spool_path = spool });
}

static void make_parts(struct router *r, struct rpc *rpc, struct metrics *m, const struct router_config *config)
{
    const struct core_settings settings = { .keep_alive_us = config->keep_alive_ms * 1000,
                                            .capacity_wait_us = config->capacity_wait_ms * 1000,
                                            .seed = pl_random_u64() | 1 };

    r->core = core_new(&settings);
    r->act = act_new(r->loop, r->core);
    r->report = make_report(r, rpc, m, config);
    r->usage = usage_new(m, r->report);
    r->flights = flights_new(r->act, r->usage, r->epoch);
    r->hosts = hosts_new(&(struct hosts_options){
        .loop = r->loop,
        .rpc = rpc,
        .act = r->act,
        .tls = router_config_tls(&config->worker_tls),
        .router_id = r->id,
        .router_epoch = r->epoch,
        .direct = config->direct == ROUTER_DIRECT_AUTO,
        .direct_requests = metrics_counter(m, "router_direct_requests_total", NULL,
                                           "Requests handed to instances without a hop through a worker") });
    r->desired = desired_new(r->act, r->hosts, r->usage);
}

static void follow_control(struct router *r, struct rpc *rpc, const struct router_config *config)
{
    r->follow = follow_start(&(struct follow_options){ .loop = r->loop,
                                                       .rpc = rpc,
                                                       .act = r->act,
                                                       .desired = r->desired,
                                                       .control = config->control,
                                                       .tls = router_config_tls(&config->control_tls),
                                                       .router_id = r->id,
                                                       .router_epoch = r->epoch,
                                                       .applied = applied,
                                                       .lost = control_lost,
                                                       .arg = r });
    loop_timer_set(r->loop, &r->open_hosts, pl_now_ms() + OPEN_HOSTS_MS);
    report_start(r->report);
}

static void stop_p(struct router **r)
{
    router_stop(*r);
}

static void recheck(struct loop_timer *t);

enum pl_code router_start(struct router **out, struct loop *l, struct rpc *rpc, struct metrics *m,
                          const struct router_config *config, struct pl_err *err)
{
    pl_cleanup(stop_p) struct router *r = PL_NEW(struct router);

    r->loop = l;
    r->id = *config->router_id ? pl_strdup(config->router_id) : default_id();
    r->open_hosts.fire = open_hosts_due;
    r->recheck.fire = recheck;
    r->save.fire = save_due;
    r->saved_ms = INT64_MIN / 2;
    list_init(&r->log_followers);
    r->snapshot =
        snapshot_new(&(struct snapshot_options){ .loop = l, .path = config->snapshot, .written = saved, .arg = r });
    if (snapshot_next_epoch(r->snapshot, &r->epoch, err) != PL_OK)
        return err->code;
    make_parts(r, rpc, m, config);
    if (router_listen(r, rpc, config, err) != PL_OK)
        return err->code;
    recall(r);
    set_serving(r);
    follow_control(r, rpc, config);
    *out = pl_take(r);
    return PL_OK;
}

/* ---- drain ---- */

/* No call is left: now the hosts may go, and what is under way with them ends. */
static void close_hosts(struct router *r)
{
    r->closing = true;
    hosts_close(r->hosts);
    act_flush(r->act);
    report_drain(r->report);
}

static bool all_gone(const struct router *r)
{
    return flights_count(r->flights) == 0 && hosts_idle(r->hosts) && follow_stopped(r->follow) &&
           report_idle(r->report) && !snapshot_writing(r->snapshot);
}

static void recheck(struct loop_timer *t)
{
    struct router *r = PL_CONTAINER(t, struct router, recheck);

    if (r->server_drained && !r->closing)
        close_hosts(r);
    if (r->closing && all_gone(r))
        r->drained(r->drained_arg);
    else
        loop_timer_set(r->loop, t, pl_now_ms() + RECHECK_MS);
}

static void server_drained(void *arg)
{
    struct router *r = arg;

    r->server_drained = true;
    loop_timer_set(r->loop, &r->recheck, pl_now_ms());
}

void router_drain(struct router *r, int64_t grace_ms, void (*drained)(void *arg), void *arg)
{
    atomic_store(&r->serving, false);
    r->drained = drained;
    r->drained_arg = arg;
    loop_timer_clear(r->loop, &r->open_hosts);
    follow_stop(r->follow);
    if (r->save.slot != 0)
        save(r);
    router_end_log_followers(r);
    rpc_server_drain(r->server, grace_ms, server_drained, r);
}

void router_stop(struct router *r)
{
    if (!r)
        return;
    loop_timer_clear(r->loop, &r->open_hosts);
    loop_timer_clear(r->loop, &r->recheck);
    loop_timer_clear(r->loop, &r->save);
    rpc_server_free(r->server);
    follow_free(r->follow);
    desired_free(r->desired);
    hosts_free(r->hosts);
    flights_free(r->flights);
    act_free(r->act);
    core_free(r->core);
    usage_free(r->usage);
    report_free(r->report);
    snapshot_free(r->snapshot);
    free(r->id);
    free(r);
}

/* ---- to look at ---- */

const char *router_ready(const struct router *r)
{
    if (atomic_load(&((struct router *)(uintptr_t)r)->serving))
        return NULL;
    return NOT_KNOWN;
}

int router_port(const struct router *r, size_t i)
{
    return rpc_server_port(r->server, i);
}
