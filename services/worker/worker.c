#include "worker.h"

#include "artifacts.h"
#include "forests.h"
#include "base/descriptors.h"
#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "capacity.h"
#include "instance.h"
#include "lending.h"
#include "log/log.h"
#include "logs/store.h"
#include "loop/loop.h"
#include "membership.h"
#include "network.h"
#include "proto/descriptors.h"
#include "rpc/server.h"
#include "routers.h"
#include "runtimes.h"
#include "settings.h"
#include "spawn.h"
#include "start_gate.h"
#include "templates.h"
#include "watch_methods.h"
#include "worker_methods.h"
#include "worker_stats.h"

#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNPACK_TIMEOUT_MS 180000
#define COMPILE_PAUSE_MS  10000
#define RECHECK_MS        10
/* A drain's notice: routers have it after one message's way, and what they sent before has arrived. */
#define NOTICE_MS   100
#define RUNNER_NAME "pilotlight-runner"

struct worker {
    struct worker_parts parts;
    struct worker_stats stats;
    struct runtimes *runtimes;
    struct spawner *spawner;
    struct network *network;
    struct rpc_server *server;
    struct membership *membership; /* NULL: no control configured */
    char *host_id;
    int64_t drain_ms, drain_until_ms;
    atomic_bool ready;
    /* What a drain still waits for. */
    bool instances_told;
    bool server_drained, left_control, artifacts_idle, forests_idle;
    struct loop_timer recheck;
    struct loop_timer notice; /* until the server drains */
    void (*drained)(void *arg);
    void *drained_arg;
};

/* ---- names ---- */

static char *default_host_id(void)
{
    char name[HOST_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof(name) - 1) != 0 || !name[0])
        return pl_strdup("worker");
    return pl_strdup(name);
}

/* Beside our own program. */
static char *default_runner(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    if (n < 0)
        return pl_strdup("/usr/bin/" RUNNER_NAME);
    path[n] = '\0';
    slash = strrchr(path, '/');
    return pl_format("%.*s/" RUNNER_NAME, (int)(slash - path), path);
}

/* The first address we listen on, as others would write it. */
static char *default_address(const char *listen, int port)
{
    const char *colon = strrchr(listen, ':');
    char host[HOST_NAME_MAX + 1] = "";

    if (strncmp(listen, "unix:", 5) == 0 || strncmp(listen, "unix-frames:", 12) == 0 || !colon)
        return pl_strdup(listen);
    if ((strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0) &&
        gethostname(host, sizeof(host) - 1) == 0)
        return pl_format("%s:%d", host, port);
    return pl_format("%.*s:%d", (int)(colon - listen), listen, port);
}

static const char *or_null(const char *s)
{
    return s[0] ? s : NULL;
}

static struct rpc_tls tls_of(const struct worker_config *c)
{
    return (struct rpc_tls){ .cert_file = or_null(c->base.tls_cert_file),
                             .key_file = or_null(c->base.tls_key_file),
                             .ca_file = or_null(c->base.tls_ca_file) };
}

/* ---- drain ---- */

static bool all_gone(const struct worker *w)
{
    return w->server_drained && w->left_control && w->artifacts_idle && w->forests_idle &&
           instances_count(w->parts.bringup.instances) == 0 && !capacity_busy(w->parts.bringup.capacity) &&
           !templates_busy(w->parts.bringup.templates) && !cache_removing(w->parts.bringup.cache) &&
           log_store_idle(w->parts.logs);
}

static void stop_one(struct instance *in, void *arg)
{
    (void)arg;
    instance_stop(in, "the host is stopping", 0, NULL);
}

static void left_control(void *arg)
{
    struct worker *w = arg;

    w->left_control = true;
}

/* No call of ours is left; those of routers that have borrowed instances end before they give them back. Control hears
 * only now that the host leaves: routers part with a host that has left, and with the calls that it has. */
static void stop_instances(struct worker *w)
{
    struct instances *all = w->parts.bringup.instances;
    bool at_work = lending_borrowers(w->parts.lending) > 0 || instances_count_in(all, INSTANCE_BUSY) > 0;

    if (w->instances_told || (at_work && pl_now_ms() < w->drain_until_ms))
        return;
    w->instances_told = true;
    if (w->membership)
        membership_leave(w->membership, left_control, w);
    instances_each(all, stop_one, NULL);
}

static void recheck(struct loop_timer *t)
{
    struct worker *w = PL_CONTAINER(t, struct worker, recheck);

    stop_instances(w);
    if (all_gone(w))
        w->drained(w->drained_arg);
    else
        loop_timer_set(w->parts.loop, t, pl_now_ms() + RECHECK_MS);
}

static void server_drained(void *arg)
{
    struct worker *w = arg;

    w->server_drained = true;
    loop_timer_set(w->parts.loop, &w->recheck, pl_now_ms());
}

static void artifacts_idle(void *arg)
{
    struct worker *w = arg;

    w->artifacts_idle = true;
}

static void forests_idle(void *arg)
{
    struct worker *w = arg;

    w->forests_idle = true;
}

/* Those who were told have stopped sending. */
static void shut_server(struct loop_timer *t)
{
    struct worker *w = PL_CONTAINER(t, struct worker, notice);

    watchers_drain(w->parts.watchers);
    rpc_server_drain(w->server, w->drain_ms, server_drained, w);
}

/* Routers hear of it first, while calls that are on their way are still taken: a server that drains refuses them, and
 * their router could not know whether an instance had them. */
void worker_drain(struct worker *w, void (*drained)(void *arg), void *arg)
{
    bool watched;

    atomic_store(&w->ready, false);
    w->drained = drained;
    w->drained_arg = arg;
    w->parts.draining = true;
    w->left_control = !w->membership;
    w->drain_until_ms = pl_now_ms() + w->drain_ms;
    lending_shut(w->parts.lending);
    if (w->membership)
        membership_drain(w->membership);
    watched = watchers_tell_drain(w->parts.watchers);
    artifacts_shut(w->parts.bringup.artifacts, artifacts_idle, w);
    forests_shut(w->parts.bringup.forests, forests_idle, w);
    loop_timer_set(w->parts.loop, &w->notice, pl_now_ms() + (watched ? NOTICE_MS : 0));
}

/* ---- start ---- */

static void on_died(void *arg, const struct instance *in, const char *reason)
{
    struct worker *w = arg;

    watchers_died(w->parts.watchers, in, reason);
}

static void on_changed(void *arg)
{
    struct worker *w = arg;

    metrics_set(w->stats.cache_bytes, cache_bytes(w->parts.bringup.cache));
    watchers_changed(w->parts.watchers);
}

static void on_idle(void *arg, struct instance *in)
{
    struct worker *w = arg;

    lending_offer(w->parts.lending, in);
}

static void on_prints(void *arg, struct instance *in)
{
    struct worker *w = arg;

    lending_prints(w->parts.lending, in);
}

static void on_ended(void *arg, struct instance *in, const char *reason)
{
    struct worker *w = arg;

    lending_ended(w->parts.lending, in, reason);
}

static enum pl_code start_logs(struct worker *w, const struct worker_config *c, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *dir = c->logs_dir[0] ? pl_strdup(c->logs_dir) : pl_format("%s/logs", c->cache_dir);
    struct log_store_options o = { .dir = dir,
                                   .endpoint_limit_bytes = c->logs_endpoint_limit_bytes,
                                   .limit_bytes = c->logs_limit_bytes,
                                   .retention_ms = c->logs_retention_ms };

    return log_store_open(&w->parts.logs, w->parts.loop, &o, err);
}

static enum pl_code start_disk(struct worker *w, const struct worker_config *c, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *runner = c->runner[0] ? pl_strdup(c->runner) : default_runner();
    struct artifacts_options o = { .unpacked_limit_bytes = c->unpacked_limit_bytes,
                                   .unpack_timeout_ms = UNPACK_TIMEOUT_MS };
    pl_cleanup(pl_free_p) char *models = NULL;
    struct spawner_options spawn = { .sandbox = (enum spawn_sandbox)c->sandbox,
                                     .cgroup_parent = c->cgroup_parent,
                                     .uid = (unsigned)c->sandbox_uid,
                                     .blanks = (unsigned)c->blank_instances };
    struct bringup_parts *b = &w->parts.bringup;

    spawn.runner = runner;
    if (fetch_global_init(err) != PL_OK || fetch_options_init(&o.fetch, c, err) != PL_OK)
        return err->code;
    if (cache_open(&b->cache, w->parts.loop, c->cache_dir, c->cache_limit_bytes, err) != PL_OK)
        return err->code;
    models = cache_models_dir(b->cache);
    spawn.models = models;
    if (start_logs(w, c, err) != PL_OK || runtimes_new(&w->runtimes, c, runner, err) != PL_OK)
        return err->code;
    b->runtimes = w->runtimes;
    spawn.runtimes = w->runtimes;
    if (spawner_new(&w->spawner, w->parts.loop, &spawn, err) != PL_OK)
        return err->code;
    w->parts.host_epoch = cache_epoch(b->cache);
    b->artifacts = artifacts_new(w->parts.loop, b->cache, w->spawner, &o);
    b->forests = forests_new(w->parts.loop, b->cache, w->spawner, &w->stats, COMPILE_PAUSE_MS);
    return PL_OK;
}

/* An instance is three descriptors: its socket, its log and its process. */
static void raise_descriptor_limit(int64_t instances)
{
    uint64_t wanted = 4 * (uint64_t)instances + 1024, limit = pl_descriptors_raise(wanted);

    if (limit < wanted)
        log_warn("few_descriptors", LOG_UINT("limit", limit), LOG_UINT("wanted", wanted));
}

static enum pl_code start_lending(struct worker *w, const struct worker_config *c, struct pl_err *err)
{
    struct lending_options o = { .path = c->direct_socket,
                                 .instances = w->parts.bringup.instances,
                                 .routers = w->parts.routers,
                                 .host_id = w->host_id,
                                 .host_epoch = w->parts.host_epoch };

    return lending_start(&w->parts.lending, w->parts.loop, &o, err);
}

static enum pl_code start_instances(struct worker *w, const struct worker_config *c, struct pl_err *err)
{
    struct bringup_parts *b = &w->parts.bringup;
    struct watchers_options watch = { .host_id = w->host_id,
                                      .routers = w->parts.routers,
                                      .host_epoch = w->parts.host_epoch,
                                      .orphan_ms = c->orphan_ms,
                                      .stats = &w->stats,
                                      .runtimes = runtimes_names(w->runtimes),
                                      .runtime_count = runtimes_count(w->runtimes) };
    struct capacity_options memory = { .memory_bytes = c->memory_bytes,
                                       .overcommit = c->overcommit,
                                       .instance_limit = c->instance_limit };
    struct templates_options templates = { .spawner = w->spawner,
                                           .runtimes = w->runtimes,
                                           .stats = &w->stats,
                                           .keep_ms = c->templates_keep_ms,
                                           .limit = c->templates_limit };
    struct network_options network = { .allow = &c->network_allow,
                                       .connections = c->network_connections,
                                       .idle_ms = c->network_idle_ms,
                                       .memory_size_mb = (int)c->network_memory_mb,
                                       .spawner = w->spawner,
                                       .stats = &w->stats };
    struct instances_observer observer = {
        .died = on_died, .changed = on_changed, .idle = on_idle, .prints = on_prints, .ended = on_ended, .arg = w
    };

    b->instances = instances_new(w->parts.loop, w->spawner, w->parts.logs, w->parts.host_epoch);
    b->capacity = capacity_new(w->parts.loop, b->instances, &memory);
    b->loop = w->parts.loop;
    templates.instances = b->instances;
    templates.network = w->network = network_new(w->parts.loop, &network);
    instances_let_out(b->instances, w->network);
    templates.capacity = b->capacity;
    b->templates = templates_new(w->parts.loop, &templates);
    b->gate = start_gate_new(w->parts.loop, 0);
    if (start_lending(w, c, err) != PL_OK)
        return err->code;
    b->lending = w->parts.lending;
    watch.direct_socket = lending_path(w->parts.lending);
    w->parts.watchers = watchers_new(w->parts.loop, b->instances, b->capacity, &watch);
    instances_observe(b->instances, &observer);
    return PL_OK;
}

static enum pl_code start_server(struct worker *w, struct rpc *r, const struct worker_config *c, struct pl_err *err)
{
    struct rpc_service service = { .name = "pilotlight.internal.v1.WorkerService",
                                   .methods = worker_methods,
                                   .context = &w->parts };
    struct rpc_server_options o = { .listen = (const char *const *)c->base.listen.items,
                                    .listen_count = c->base.listen.count,
                                    .tls = tls_of(c),
                                    .services = &service,
                                    .service_count = 1,
                                    .descriptor_set = proto_descriptor_set,
                                    .descriptor_set_len = proto_descriptor_set_len(),
                                    .max_message_bytes = FRAME_MAX_PAYLOAD };

    if (rpc_server_start(&w->server, r, &o, err) != PL_OK)
        return err->code;
    rpc_server_set_serving(w->server, true);
    return PL_OK;
}

static void join_control(struct worker *w, struct rpc *r, const struct worker_config *c)
{
    struct capacity_load load;
    pl_cleanup(pl_free_p) char *address = c->advertise[0]
                                              ? pl_strdup(c->advertise)
                                              : default_address(c->base.listen.items[0], rpc_server_port(w->server, 0));
    struct membership_options o = { .control = c->control,
                                    .host_id = w->host_id,
                                    .address = address,
                                    .host_epoch = w->parts.host_epoch,
                                    .runtimes = runtimes_names(w->runtimes),
                                    .runtime_count = runtimes_count(w->runtimes) };

    capacity_load(w->parts.bringup.capacity, &load);
    o.memory_mb = load.memory_mb;
    if (strncmp(c->control, "unix:", 5) != 0)
        o.tls = tls_of(c);
    log_info("worker_started", LOG_STR("host", w->host_id), LOG_STR("address", address),
             LOG_INT("host_epoch", w->parts.host_epoch), LOG_INT("memory_mb", load.memory_mb),
             LOG_INT("cache_bytes", cache_bytes(w->parts.bringup.cache)));
    if (c->control[0])
        w->membership = membership_start(w->parts.loop, r, &o);
}

enum pl_code worker_start(struct worker **out, struct loop *l, struct rpc *r, struct metrics *m,
                          const struct worker_config *c, struct pl_err *err)
{
    struct worker *w;

    if (c->base.listen.count == 0)
        return pl_fail(err, PL_INVALID, "listen", "listen: at least one address is needed");
    w = PL_NEW(struct worker);
    w->parts.loop = l;
    w->parts.stats = &w->stats;
    list_init(&w->parts.bringups);
    w->host_id = c->host_id[0] ? pl_strdup(c->host_id) : default_host_id();
    w->parts.host_id = w->host_id;
    w->drain_ms = c->base.drain_ms;
    w->recheck.fire = recheck;
    w->notice.fire = shut_server;
    w->parts.routers = routers_new();
    worker_stats_init(&w->stats, m);
    raise_descriptor_limit(c->instance_limit);
    if (start_disk(w, c, err) != PL_OK || start_instances(w, c, err) != PL_OK || start_server(w, r, c, err) != PL_OK) {
        worker_free(w);
        return err->code;
    }
    join_control(w, r, c);
    atomic_store(&w->ready, true);
    *out = w;
    return PL_OK;
}

void worker_free(struct worker *w)
{
    struct bringup_parts *b = &w->parts.bringup;

    membership_free(w->membership);
    rpc_server_free(w->server);
    watchers_free(w->parts.watchers);
    lending_free(w->parts.lending);
    routers_free(w->parts.routers);
    templates_free(b->templates);
    start_gate_free(b->gate);
    capacity_free(b->capacity);
    instances_free(b->instances);
    network_free(w->network);
    log_store_close(w->parts.logs);
    artifacts_free(b->artifacts);
    forests_free(b->forests);
    if (b->cache)
        cache_close(b->cache);
    spawner_free(w->spawner);
    runtimes_free(w->runtimes);
    loop_timer_clear(w->parts.loop, &w->recheck);
    loop_timer_clear(w->parts.loop, &w->notice);
    free(w->host_id);
    free(w);
}

int worker_port(const struct worker *w)
{
    return rpc_server_port(w->server, 0);
}

const char *worker_ready(const struct worker *w)
{
    return atomic_load(&w->ready) ? NULL : "draining";
}
