#include "start_methods.h"

#include "base/list.h"
#include "base/mem.h"
#include "bringup.h"
#include "cache.h"
#include "instance.h"
#include "lending.h"
#include "memory_use.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "routers.h"
#include "variant_spec.h"
#include "worker.h"
#include "worker_methods.h"
#include "worker_stats.h"

#include <stdlib.h>
#include <string.h>

/* ---- a call that waits for a bringup ---- */

struct bringup_call {
    struct list link; /* of w's bringups */
    struct rpc_call *call;
    struct worker_parts *w;
    struct bringup *bringup;
    uint64_t start_key; /* StartInstance: the caller's name for it, */
    char *router;       /* and the caller's own; NULL: PrepareModel */
};

static void bringup_call_free(struct bringup_call *c)
{
    list_remove(&c->link);
    free(c->router);
    free(c);
}

static void bringup_call_cancelled(void *arg)
{
    struct bringup_call *c = arg;

    bringup_cancel(c->bringup);
    metrics_add(c->w->stats->start_failures, 1);
    fail_cancelled(c->call);
    bringup_call_free(c);
}

/* Without 'start' it is a trial. */
static void begin(struct rpc_call *call, struct worker_parts *w, const Pilotlight__Internal__V1__VariantSpec *spec,
                  const Pilotlight__Internal__V1__StartInstanceRequest *start, bringup_done_fn *done)
{
    struct bringup_call *c = PL_NEW(struct bringup_call);
    struct pl_err err;

    c->call = call;
    c->w = w;
    list_push_back(&w->bringups, &c->link);
    if (start) {
        c->start_key = start->start_key;
        c->router = pl_strdup(start->router_id);
    }
    if (bringup_start(&w->bringup, spec, c->router, done, c, &c->bringup, &err) != PL_OK) {
        metrics_add(w->stats->start_failures, 1);
        rpc_fail(call, &err);
        bringup_call_free(c);
        return;
    }
    rpc_call_on_cancel(call, bringup_call_cancelled, c);
}

/* The call is the caller's to answer, and nothing else is left of 'arg'. */
static struct rpc_call *end(void *arg, struct worker_parts **out_w)
{
    struct bringup_call *c = arg;
    struct rpc_call *call = c->call;

    *out_w = c->w;
    bringup_call_free(c);
    return call;
}

static void count_start(const struct worker_stats *s, const struct model_facts *facts)
{
    metrics_add(s->starts, 1);
    if (facts->forests > 0 && facts->forests == facts->model_files)
        metrics_add(s->forest_starts, 1);
    else if (facts->forest_note[0])
        metrics_add(s->library_starts, 1);
}

static void started(void *arg, const struct bringup_result *r, const struct pl_err *err)
{
    Pilotlight__Internal__V1__StartInstanceResponse m = PILOTLIGHT__INTERNAL__V1__START_INSTANCE_RESPONSE__INIT;
    uint64_t start_key = ((struct bringup_call *)arg)->start_key;
    pl_cleanup(pl_free_p) char *router = pl_take(((struct bringup_call *)arg)->router);
    struct worker_parts *w;
    struct rpc_call *call = end(arg, &w);

    if (!r) {
        metrics_add(w->stats->start_failures, 1);
        rpc_fail(call, err);
        return;
    }
    r->instance->start_key = start_key;
    r->instance->router = pl_take(router);
    lending_offer(w->lending, r->instance);
    count_start(w->stats, &r->instance->facts);
    metrics_add(w->stats->template_starts, r->instance->spawn.copied);
    metrics_observe_us(w->stats->start_seconds, r->instance->start_us);
    metrics_observe_us(w->stats->sandbox_seconds, r->instance->spawn_us);
    metrics_observe_us(w->stats->load_seconds, r->instance->facts.load_us);
    metrics_observe_us(w->stats->first_predict_seconds, r->instance->facts.warm_us);
    m.instance_id = r->instance->id;
    m.start_us = r->instance->start_us;
    m.spawn_us = r->instance->spawn_us;
    m.load_us = r->instance->facts.load_us;
    m.first_predict_us = r->instance->facts.warm_us;
    rpc_reply(call, &m.base);
}

static enum pl_code check_serving(const struct worker_parts *w, struct pl_err *err)
{
    if (w->draining)
        return pl_fail_reason(err, PL_UNAVAILABLE, "DRAINING", NULL, "this host is stopping");
    return PL_OK;
}

void start_instance(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__StartInstanceRequest *req = message;
    struct worker_parts *w = service;
    struct pl_err err;

    if (check_serving(w, &err) != PL_OK || variant_spec_check(req->spec, true, w->bringup.runtimes, &err) != PL_OK ||
        routers_admit(w->routers, req->router_id, req->router_epoch, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    begin(call, w, req->spec, req, started);
}

static void fill_facts(Pilotlight__V1__ModelFacts *out, const struct instance *in, const struct artifact_times *t,
                       int64_t unpacked_bytes)
{
    out->runtime_version = (char *)in->facts.runtime_version;
    out->objective = (char *)in->facts.objective;
    out->features = in->facts.features;
    out->outputs = in->facts.outputs;
    out->model_files = in->facts.model_files;
    out->forests = in->facts.forests;
    out->forest_note = (char *)in->facts.forest_note;
    out->artifact_bytes = t->artifact_bytes;
    out->unpacked_bytes = unpacked_bytes;
    out->fetch_ms = t->fetch_ms;
    out->unpack_ms = t->unpack_ms;
    out->compile_ms = t->compile_ms;
    out->load_ms = (in->facts.load_us + in->facts.warm_us + 999) / 1000;
}

/* A model that has been proven, until the process that did it has ended: who hears of it finds the host as it was. */
struct proof {
    struct instance_stop stop;
    struct rpc_call *call; /* NULL: the caller went away; the stop goes on */
    struct instance *instance;
    struct artifact_times times;
};

static void proof_cancelled(void *arg)
{
    struct proof *p = arg;

    fail_cancelled(p->call);
    p->call = NULL;
}

static void proof_over(struct instance_stop *s)
{
    Pilotlight__Internal__V1__PrepareModelResponse m = PILOTLIGHT__INTERNAL__V1__PREPARE_MODEL_RESPONSE__INIT;
    Pilotlight__V1__ModelFacts facts = PILOTLIGHT__V1__MODEL_FACTS__INIT;
    struct proof *p = PL_CONTAINER(s, struct proof, stop);
    const struct cache_item *model = p->instance->model;

    if (p->call) {
        fill_facts(&facts, p->instance, &p->times, cache_item_unpacked_bytes(model));
        m.artifact_sha256 = (char *)cache_item_sha256(model);
        if (p->instance->code)
            m.code_sha256 = (char *)cache_item_sha256(p->instance->code);
        m.facts = &facts;
        rpc_reply(p->call, &m.base);
    }
    free(p);
}

static void prepared(void *arg, const struct bringup_result *r, const struct pl_err *err)
{
    struct worker_parts *w;
    struct rpc_call *call = end(arg, &w);
    struct proof *p;

    if (!r) {
        metrics_add(w->stats->start_failures, 1);
        rpc_fail(call, err);
        return;
    }
    p = PL_NEW(struct proof);
    *p = (struct proof){ .stop.stopped = proof_over, .call = call, .instance = r->instance, .times = r->times };
    rpc_call_on_cancel(call, proof_cancelled, p);
    memory_use_measure(r->instance);
    instance_stop(r->instance, "model proven", 0, &p->stop);
}

void prepare_model(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__PrepareModelRequest *req = message;
    struct worker_parts *w = service;
    struct pl_err err;

    if (check_serving(w, &err) != PL_OK || variant_spec_check(req->spec, false, w->bringup.runtimes, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    begin(call, w, req->spec, NULL, prepared);
}

/* ---- given up ---- */

void start_give_up(struct worker_parts *w, uint64_t start_key, const char *router_id)
{
    list_each_safe(it, &w->bringups)
    {
        struct bringup_call *c = list_entry(it, struct bringup_call, link);
        if (c->router && c->start_key == start_key && strcmp(c->router, router_id) == 0)
            bringup_call_cancelled(c);
    }
}
