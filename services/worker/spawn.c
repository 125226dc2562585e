#include "spawn.h"

#include "assignment.h"
#include "base/mem.h"
#include "copies.h"
#include "log/log.h"
#include "runtimes.h"
#include "sandbox/cgroup.h"
#include "sandbox/probe.h"
#include "seats.h"
#include "spawner_parts.h"
#include "stock.h"
#include "strangers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spawner {
    struct loop *loop;
    char *runner;
    char *models;
    unsigned uid, blanks;
    struct sandbox_probe probe;
    struct cgroups *cgroups;
    struct seats *seats;
    struct strangers *strangers;
    struct runtimes *runtimes;
    struct stock **stocks; /* one for each runtime, in their order */
    size_t stock_count;
};

/* ---- what the host can enforce ---- */

static enum pl_code report_features(const struct spawner *s, bool require, struct pl_err *err)
{
    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++) {
        const struct sandbox_feature_text *t = &sandbox_feature_texts[i];

        if ((s->probe.features >> i) & 1u)
            continue;
        if (require)
            return pl_fail(err, PL_PRECONDITION, "sandbox",
                           "sandbox: 'require' cannot be kept: this host has no %s (%s): %s; %s", t->name,
                           s->probe.why[i], t->lost, t->advice);
        log_warn("sandbox_weaker", LOG_STR("missing", t->name), LOG_STR("why", s->probe.why[i]), LOG_STR("so", t->lost),
                 LOG_STR("advice", t->advice));
    }
    return PL_OK;
}

static enum pl_code report_cgroups(const struct spawner *s, bool require, struct pl_err *err)
{
    unsigned have = cgroups_controllers(s->cgroups);

    for (const struct cgroup_text *t = cgroup_texts; t->key; t++) {
        if (have & t->controller)
            continue;
        if (require)
            return pl_fail(err, PL_PRECONDITION, "sandbox",
                           "sandbox: 'require' cannot be kept: no %s control group (%s): %s; %s", t->name,
                           cgroups_why_not(s->cgroups), t->lost, cgroups_advice(s->cgroups));
        log_warn("sandbox_weaker", LOG_STR("missing", t->name), LOG_STR("why", cgroups_why_not(s->cgroups)),
                 LOG_STR("so", t->lost), LOG_STR("advice", cgroups_advice(s->cgroups)));
    }
    return PL_OK;
}

/* ---- runtimes ---- */

static struct sandbox_plan plan_for(const struct spawner *s, enum sandbox_profile profile)
{
    struct sandbox_plan p = { .profile = profile, .features = s->probe.features, .uid = s->uid };

    if (profile != SANDBOX_UNPACK && profile != SANDBOX_EGRESS && assignment_by_name(&p))
        (void)snprintf(p.models, sizeof(p.models), "%s", s->models);
    return p;
}

static void add_stock(struct spawner *s, const struct runtime *r)
{
    struct sandbox_plan plan = plan_for(s, r->profile);
    struct stock_options o = { .runtime = r->name,
                               .argv = r->argv,
                               .plan = &plan,
                               .seats = s->seats,
                               .processes = r->processes,
                               .blanks = s->blanks,
                               .exec_model = r->exec_model };
    struct stock *stock;

    for (unsigned i = 0; i < SANDBOX_MAX_FOLDERS && r->folders[i]; i++)
        (void)snprintf(plan.folders[i], sizeof(plan.folders[i]), "%s", r->folders[i]);
    stock = stock_new(s->loop, &o);
    s->stocks[s->stock_count++] = stock;
    if (r->eager)
        stock_fill(stock);
}

/* A program that listens must be alone on its network, and everything that it has started must end with it. */
static void drop_unsafe(struct spawner *s)
{
    static const enum sandbox_feature needed[] = { SANDBOX_NET_NS_BIT, SANDBOX_PID_NS_BIT };

    for (size_t i = 0; i < PL_COUNT(needed) && runtimes_find(s->runtimes, RUNTIME_HTTP); i++)
        if (!((s->probe.features >> needed[i]) & 1u)) {
            log_warn("runtime_left_out", LOG_STR("runtime", RUNTIME_HTTP),
                     LOG_STR("missing", sandbox_feature_texts[needed[i]].name),
                     LOG_STR("why", s->probe.why[needed[i]]));
            runtimes_drop(s->runtimes, RUNTIME_HTTP);
        }
}

static void add_stocks(struct spawner *s)
{
    drop_unsafe(s);
    s->stocks = pl_new0(runtimes_count(s->runtimes), sizeof(struct stock *));
    for (size_t i = 0; i < runtimes_count(s->runtimes); i++)
        add_stock(s, runtimes_at(s->runtimes, i));
}

static struct stock *find_stock(const struct spawner *s, const char *runtime)
{
    for (size_t i = 0; i < s->stock_count; i++)
        if (strcmp(runtimes_at(s->runtimes, i)->name, runtime) == 0)
            return s->stocks[i];
    return NULL;
}

/* ---- instances ---- */

void spawn_instance(struct spawner *s, const struct spawn_spec *spec, struct spawn *w)
{
    struct stock *stock = find_stock(s, spec->runtime);
    struct pl_err err;

    w->stock = NULL;
    w->blank = NULL;
    w->copy = NULL;
    w->copied = false;
    w->home = stock;
    w->for_template = spec->template_fd > 0;
    w->template_fd = w->for_template ? spec->template_fd : -1;
    w->model = spec->model;
    w->code = spec->code;
    w->door_fd = spec->door_fd;
    w->memory_size_mb = spec->memory_size_mb;
    w->failures = 0;
    if (stock && spec->copies) {
        copies_take(spec->copies, w);
        return;
    }
    if (stock) {
        stock_take(stock, w);
        return;
    }
    pl_close_p(&w->template_fd);
    (void)pl_fail_reason(&err, PL_PRECONDITION, "NO_RUNTIME", "runtime", "this host has no runtime '%.64s'",
                         spec->runtime);
    w->made(w, NULL, &err);
}

void spawn_cancel(struct spawn *w)
{
    if (w->copy)
        copies_cancel(w);
    else if (w->stock)
        stock_cancel(w->stock, w);
    pl_close_p(&w->template_fd);
}

/* A root in which the contract's folders are. */
static bool in_own_root(const struct spawner *s, const char *runtime)
{
    const struct runtime *r = runtimes_find(s->runtimes, runtime);

    return r && r->own_code && SANDBOX_HAS(s->probe.features, ROOT);
}

const char *spawn_model_dir(const struct spawner *s, const char *runtime)
{
    return in_own_root(s, runtime) ? "/opt/ml/model" : ".";
}

const char *spawn_code_dir(const struct spawner *s, const char *runtime, const char *code)
{
    return in_own_root(s, runtime) ? "/opt/ml/code" : code;
}

void spawn_clear(struct spawner *s, struct seat *seat)
{
    if (seat)
        seat_clear(seat);
    strangers_look(s->strangers);
}

bool spawn_over(struct spawner *s, struct seat *seat)
{
    bool overrun = seat && seat_overrun(seat);

    seats_give(s->seats, seat);
    return overrun;
}

bool spawn_kills_at_limit(const struct spawner *s)
{
    return cgroups_controllers(s->cgroups) & CGROUP_MEMORY;
}

/* ---- the way out ---- */

const char *spawn_why_no_network(const struct spawner *s, const char *runtime)
{
    const struct runtime *r = runtimes_find(s->runtimes, runtime);

    if (!r || !r->own_code)
        return "its runtime runs no code that could use it";
    if (!SANDBOX_HAS(s->probe.features, NET_NS))
        return "this host has no network namespaces";
    return NULL;
}

/* ---- templates ---- */

/* All of it, because what its copies are made of is not to be trusted (sandbox/template.h). */
const char *spawn_why_no_template(const struct spawner *s, const char *runtime)
{
    const struct runtime *r = runtimes_find(s->runtimes, runtime);
    unsigned needed = CGROUP_MEMORY | CGROUP_PIDS;

    if (!r || r->profile != SANDBOX_PYTHON)
        return "only python runtimes have templates";
    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++)
        if (!((s->probe.features >> i) & 1u))
            return "templates need every part of the sandbox, and this host lacks some: see its worker's log";
    if ((cgroups_controllers(s->cgroups) & needed) != needed)
        return "templates need control groups for memory and processes, which this host lacks";
    return NULL;
}

struct copies *spawn_copies_new(struct spawner *s, const char *runtime, int memory_size_mb,
                                const struct copies_events *events, void *arg)
{
    const struct runtime *r = runtimes_find(s->runtimes, runtime);
    struct copies_options o = { .seats = s->seats,
                                .profile = r->profile,
                                .processes = r->processes,
                                .memory_size_mb = memory_size_mb,
                                .events = events,
                                .arg = arg };

    return copies_new(s->loop, &o);
}

/* ---- for spawn_tool.c ---- */

const char *spawner_runner(const struct spawner *s)
{
    return s->runner;
}

struct loop *spawner_loop(const struct spawner *s)
{
    return s->loop;
}

struct seats *spawner_seats(const struct spawner *s)
{
    return s->seats;
}

struct sandbox_plan spawner_plan(const struct spawner *s, enum sandbox_profile profile)
{
    return plan_for(s, profile);
}

/* ---- life ---- */

enum pl_code spawner_new(struct spawner **out, struct loop *l, const struct spawner_options *o, struct pl_err *err)
{
    struct spawner *s = PL_NEW(struct spawner);
    bool require = o->sandbox == SPAWN_REQUIRE;

    s->loop = l;
    s->runner = pl_strdup(o->runner);
    s->models = pl_strdup(o->models);
    s->uid = o->uid;
    s->blanks = o->blanks;
    s->runtimes = o->runtimes;
    s->cgroups = cgroups_open(o->cgroup_parent);
    s->seats = seats_new(s->cgroups);
    s->strangers = strangers_new(l);
    if (sandbox_probe(&s->probe, o->runner, o->uid, err) != PL_OK || report_features(s, require, err) != PL_OK ||
        report_cgroups(s, require, err) != PL_OK) {
        spawner_free(s);
        return err->code;
    }
    log_info("sandbox_ready", LOG_STR("limits", cgroups_driver(s->cgroups)),
             LOG_BOOL("complete", s->probe.features == SANDBOX_ALL), LOG_BOOL("privileged", s->probe.privileged));
    add_stocks(s);
    *out = s;
    return PL_OK;
}

void spawner_free(struct spawner *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->stock_count; i++)
        stock_free(s->stocks[i]);
    free(s->stocks);
    strangers_free(s->strangers);
    seats_free(s->seats);
    cgroups_close(s->cgroups);
    free(s->models);
    free(s->runner);
    free(s);
}
