/* How an instance begins: it is registered, its process is made, its model is asked for. */
#include "instance_private.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "network.h"
#include "pilotlight/internal/v1/runner.pb-c.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "rpc/rpc.h"
#include "runtimes.h"
#include "variant_spec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_INVOKE_TIMEOUT_MS 60000

typedef Pilotlight__Internal__V1__LoadRequest__EnvironmentEntry entry_t;

static void add_entry(entry_t *entry, const char *key, const char *value)
{
    pilotlight__internal__v1__load_request__environment_entry__init(entry);
    entry->key = (char *)(uintptr_t)key;
    entry->value = (char *)(uintptr_t)value;
}

/* The model's own, and where its way out is; what the model says itself stays. */
static size_t fill_environment(const struct instance *in, const Pilotlight__Internal__V1__VariantSpec *spec,
                               entry_t *entries)
{
    size_t n = 0;

    for (size_t i = 0; i < spec->n_environment; i++)
        add_entry(&entries[n++], spec->environment[i]->key, spec->environment[i]->value);
    for (size_t i = 0; in->port && network_environment[i][0]; i++)
        if (!variant_spec_variable(spec, network_environment[i][0]))
            add_entry(&entries[n++], network_environment[i][0], network_environment[i][1]);
    return n;
}

static struct rpc_bytes *load_request(const struct instance *in, const Pilotlight__Internal__V1__VariantSpec *spec)
{
    Pilotlight__Internal__V1__LoadRequest m = PILOTLIGHT__INTERNAL__V1__LOAD_REQUEST__INIT;
    entry_t *entries = pl_new0(spec->n_environment + NETWORK_ENVIRONMENT + 1, sizeof(*entries));
    size_t n = fill_environment(in, spec, entries);
    entry_t **list = pl_new0(n + 1, sizeof(*list));
    struct rpc_bytes *bytes;
    uint8_t *packed;
    size_t len;

    for (size_t i = 0; i < n; i++)
        list[i] = &entries[i];
    m.model_dir = (char *)spawn_model_dir(in->all->spawner, spec->runtime);
    m.runtime = spec->runtime;
    m.n_environment = n;
    m.environment = list;
    m.memory_size_mb = spec->memory_size_mb;
    m.start_timeout_ms = spec->start_timeout_ms;
    if (in->code)
        m.code_dir = (char *)spawn_code_dir(in->all->spawner, spec->runtime, cache_item_dir(in->code));
    len = pilotlight__internal__v1__load_request__get_packed_size(&m);
    packed = pl_new0(len + 1, 1);
    (void)pilotlight__internal__v1__load_request__pack(&m, packed);
    bytes = rpc_bytes_copy(packed, len);
    free(packed);
    free(list);
    free(entries);
    return bytes;
}

/* ---- no process ---- */

static void gone(struct loop_timer *t)
{
    struct instance *in = PL_CONTAINER(t, struct instance, gone);
    char reason[sizeof(in->start.failed.message)];

    (void)snprintf(reason, sizeof(reason), "%s",
                   in->start.failed.code == PL_OK ? in->why_killed : in->start.failed.message);
    loop_timer_clear(in->all->loop, &in->timer);
    instance_end(in, reason);
}

void instance_never_was(struct instance *in)
{
    if (in->making) {
        spawn_cancel(&in->spawn);
        pl_close_p(&in->spawn.door_fd);
    }
    in->making = false;
    loop_timer_set(in->all->loop, &in->gone, pl_now_ms());
}

static void failed(struct instance *in, const struct pl_err *err)
{
    in->start.failed = *err;
    in->told = true; /* its starter hears it */
    instance_move(in, INSTANCE_STOPPING, err->message);
    instance_never_was(in);
}

/* ---- its process ---- */

bool instances_has_pid(struct instances *all, pid_t pid)
{
    struct instance *in, *next;

    HASH_ITER(hh, all->by_id, in, next)
    if (in->child.watch.fd >= 0 && in->child.pid == pid)
        return true;
    return false;
}

/* Takes over all of 'p', also on failure: then the process is gone. */
static enum pl_code connect_to(struct instance *in, const struct spawned *p, struct pl_err *err)
{
    struct loop *l = in->all->loop;
    int log_fd = p->log_fd;
    enum pl_code code = channel_open(&in->channel, l, p->fd, &instance_channel_events, err);

    if (code == PL_OK)
        code = instance_log_open(&in->log, l, pl_take_fd(log_fd), err);
    pl_close_p(&log_fd);
    if (code == PL_OK)
        code = child_watch(&in->child, l, p->pid, p->pidfd, instance_exited, err);
    else
        child_abandon(p->pid, p->pidfd);
    if (code == PL_OK) {
        in->seat = p->seat;
        return PL_OK;
    }
    channel_close(&in->channel);
    instance_log_close(&in->log);
    (void)spawn_over(in->all->spawner, p->seat);
    return code;
}

/* The socket of its starter goes along, where that will borrow it. */
static void ask_to_load(struct instance *in)
{
    int its = -1;

    if (in->start.direct && !instance_make_direct(&in->direct_fd, &its))
        its = -1;
    channel_ask_with(&in->channel, FRAME_LOAD, ++in->questions, pl_take(in->start.load), its);
}

static void made(struct spawn *w, const struct spawned *p, const struct pl_err *err)
{
    struct instance *in = PL_CONTAINER(w, struct instance, spawn);
    struct pl_err no_descriptor;

    in->making = false;
    pl_close_p(&w->door_fd);
    in->spawn_us = pl_now_us() - in->start.asked_us;
    if (!p) {
        failed(in, err);
    } else if (connect_to(in, p, &no_descriptor) != PL_OK) {
        failed(in, &no_descriptor);
    } else {
        instance_move(in, INSTANCE_LOADING, "has its process");
        ask_to_load(in);
    }
}

/* ---- begin ---- */

void instances_let_out(struct instances *all, struct network *network)
{
    all->network = network;
}

static struct instance *instance_new(struct instances *all, const struct instance_start *s)
{
    struct instance *in = PL_NEW(struct instance);

    in->all = all;
    in->id = all->next_id++;
    (void)snprintf(in->id_text, sizeof(in->id_text), "%" PRIu64, in->id);
    in->endpoint = pl_strdup(s->spec->endpoint_name);
    in->variant = pl_strdup(s->spec->variant_name);
    in->generation = s->spec->generation;
    in->memory_size_mb = s->spec->memory_size_mb;
    in->role = s->role;
    in->told = s->role != INSTANCE_SERVES; /* its end is no news */
    in->model = s->model;
    in->code = s->code;
    in->estimate_bytes = s->estimate_bytes;
    all->estimated_bytes += in->estimate_bytes;
    in->start.done = s->done;
    in->start.arg = s->arg;
    in->start.asked_us = s->asked_us;
    in->start.timeout_ms = s->spec->start_timeout_ms;
    in->start.direct = s->direct;
    in->invoke_timeout_ms = s->spec->invoke_timeout_ms > 0 ? s->spec->invoke_timeout_ms : DEFAULT_INVOKE_TIMEOUT_MS;
    in->direct_fd = -1;
    in->timer.fire = instance_time_over;
    in->gone.fire = gone;
    in->spawn.made = made;
    in->channel.watch.fd = in->log.watch.fd = in->child.watch.fd = -1;
    in->log.endpoint = in->endpoint;
    in->log.variant = in->variant;
    in->log.instance = in->id;
    in->log.instance_text = in->id_text;
    in->log.store = all->logs;
    in->log.asks_whose = instance_asks_whose;
    in->prints = s->runtime->own_code;
    in->exit_grace_ms = s->runtime->exit_grace_ms;
    in->since_ms = pl_now_ms();
    list_init(&in->stops);
    list_push_front(&all->by_state[INSTANCE_STARTING], &in->link);
    all->counts[INSTANCE_STARTING]++;
    HASH_ADD(hh, all->by_id, id, sizeof(in->id), in);
    return in;
}

/* A template has no way out, and so no endpoint with one has a template (templates.c). */
static bool may_go_out(const struct instance *in, const struct instance_start *s)
{
    return in->all->network && s->role != INSTANCE_TEMPLATE && !s->copies &&
           network_permits(in->all->network, in->endpoint, s->spec->runtime);
}

struct instance *instances_start(struct instances *all, const struct instance_start *s)
{
    struct instance *in = instance_new(all, s);
    struct spawn_spec spec = { .runtime = s->spec->runtime,
                               .model = cache_item_dir(in->model),
                               .code = in->code ? cache_item_dir(in->code) : NULL,
                               .memory_size_mb = in->memory_size_mb,
                               .door_fd = -1,
                               .copies = s->copies,
                               .template_fd = s->template_fd };

    if (may_go_out(in, s))
        in->port = network_open(all->network, in->endpoint, in->id, &in->log, &spec.door_fd);
    in->start.load = load_request(in, s->spec);
    loop_timer_set(all->loop, &in->timer, pl_now_ms() + in->start.timeout_ms);
    in->making = true;
    spawn_instance(all->spawner, &spec, &in->spawn);
    return in;
}

void instance_cancel_start(struct instance *in)
{
    assert(in->start.done);
    in->start.done = NULL;
    in->told = true;
    instance_kill(in, "killed: its starter went away");
}
