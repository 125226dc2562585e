#include "bringup.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "capacity.h"
#include "forests.h"
#include "instance.h"
#include "lending.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "runtimes.h"
#include "start_gate.h"
#include "templates.h"
#include "variant_spec.h"

#include <stdlib.h>
#include <string.h>

/* Of what an instance that loads its model is expected to take, a copy takes this part until it is measured. */
#define COPY_SHARE 4

static void room_here(struct instance_stop *s);

struct bringup {
    struct loop *loop;
    struct bringup_parts parts;
    const Pilotlight__Internal__V1__VariantSpec *spec;
    const char *router; /* NULL: a trial */
    int64_t asked_us;
    bringup_done_fn *done;
    void *arg;
    /* At most one of these three is running. */
    struct artifact_wait *wait;
    struct forest_wait *compiling; /* with 'item' */
    struct instance *starting;
    struct instance_stop room;      /* linked while the end of a template is waited for, */
    struct loop_timer again;        /* then set */
    struct start_ticket turn;       /* from when all is here until it has started */
    struct cache_item *item, *code; /* unpacked, until an instance has them: one use each */
    struct artifact_times times;
};

static void finish(struct bringup *b, const struct bringup_result *result, const struct pl_err *err)
{
    bringup_done_fn *done = b->done;
    void *arg = b->arg;

    start_gate_leave(&b->turn);
    free(b);
    done(arg, result, err);
}

static void started(void *arg, struct instance *in, const struct pl_err *err)
{
    struct bringup *b = arg;
    struct bringup_result r = { .instance = in, .times = b->times };

    if (in)
        templates_make(b->parts.templates, b->spec, in);
    finish(b, in ? &r : NULL, err);
}

/* A template is there to make starts quick, never to prevent one: true, and its end is waited for. */
static bool make_room(struct bringup *b, const struct pl_err *err)
{
    b->room.stopped = room_here;
    return err->code == PL_EXHAUSTED && templates_evict(b->parts.templates, b->spec, &b->room);
}

/* Takes the uses of the model and of its code. */
static enum pl_code start_now(struct bringup *b, struct pl_err *err)
{
    struct copies *copies = !b->router ? NULL : templates_find(b->parts.templates, b->spec);
    struct instance_start s = { .spec = b->spec,
                                .model = b->item,
                                .code = b->code,
                                .runtime = runtimes_find(b->parts.runtimes, b->spec->runtime),
                                .role = !b->router ? INSTANCE_TRIAL : INSTANCE_SERVES,
                                .copies = copies,
                                .direct = b->router && lending_to(b->parts.lending, b->router),
                                .asked_us = b->asked_us,
                                .estimate_bytes = capacity_estimate(b->spec->memory_size_mb, b->item, b->code),
                                .done = started,
                                .arg = b };

    if (copies)
        s.estimate_bytes /= COPY_SHARE;
    if (capacity_admit(b->parts.capacity, b->spec->memory_size_mb, s.estimate_bytes, err) != PL_OK)
        return make_room(b, err) ? PL_OK : err->code;
    b->item = b->code = NULL;
    b->starting = instances_start(b->parts.instances, &s);
    return PL_OK;
}

static void give_up(struct bringup *b, const struct pl_err *err)
{
    cache_give(b->item);
    cache_give(b->code);
    finish(b, NULL, err);
}

/* It counts until all have been told of its end. */
static void room_here(struct instance_stop *s)
{
    struct bringup *b = PL_CONTAINER(s, struct bringup, room);

    loop_timer_set(b->loop, &b->again, pl_now_ms());
}

static void start_or_give_up(struct bringup *b)
{
    struct pl_err failed;

    if (start_now(b, &failed) != PL_OK)
        give_up(b, &failed);
}

static void start_again(struct loop_timer *t)
{
    start_or_give_up(PL_CONTAINER(t, struct bringup, again));
}

static void my_turn(struct start_ticket *t)
{
    start_or_give_up(PL_CONTAINER(t, struct bringup, turn));
}

static enum pl_code start_in_turn(struct bringup *b, struct pl_err *err)
{
    return start_gate_enter(b->parts.gate, &b->turn) ? start_now(b, err) : PL_OK;
}

static void forest_here(void *arg, int64_t compile_ms)
{
    struct bringup *b = arg;
    struct pl_err failed;

    b->compiling = NULL;
    b->times.compile_ms = compile_ms;
    if (start_in_turn(b, &failed) != PL_OK)
        give_up(b, &failed);
}

static enum pl_code compile(struct bringup *b, struct pl_err *err)
{
    bool trees = strcmp(b->spec->runtime, RUNTIME_XGBOOST) == 0;

    if (!trees || cache_item_compiled(b->item))
        return start_in_turn(b, err);
    b->compiling = forests_get(b->parts.forests, b->item, forest_here, b);
    return PL_OK;
}

static void code_here(void *arg, struct cache_item *item, const struct artifact_times *times, const struct pl_err *err)
{
    struct bringup *b = arg;
    struct pl_err failed;

    b->wait = NULL;
    b->code = item;
    if (!item) {
        give_up(b, err);
        return;
    }
    b->times.fetch_ms += times->fetch_ms;
    b->times.unpack_ms += times->unpack_ms;
    if (compile(b, &failed) != PL_OK)
        give_up(b, &failed);
}

/* The model is here. Where its code is elsewhere, that is next. */
static enum pl_code go_on(struct bringup *b, struct pl_err *err)
{
    const char *uri = variant_spec_code_uri(b->spec);
    const char *sha256 = b->spec->code_sha256;

    b->code = uri && sha256[0] ? cache_take(b->parts.cache, sha256) : NULL;
    if (!uri || b->code)
        return compile(b, err);
    b->wait = artifacts_get(b->parts.artifacts, uri, sha256, code_here, b);
    return PL_OK;
}

static void artifact_here(void *arg, struct cache_item *item, const struct artifact_times *times,
                          const struct pl_err *err)
{
    struct bringup *b = arg;
    struct pl_err failed;

    b->wait = NULL;
    if (!item) {
        finish(b, NULL, err);
        return;
    }
    b->item = item;
    b->times = *times;
    if (go_on(b, &failed) != PL_OK)
        give_up(b, &failed);
}

enum pl_code bringup_start(const struct bringup_parts *parts, const Pilotlight__Internal__V1__VariantSpec *spec,
                           const char *router, bringup_done_fn *done, void *arg, struct bringup **out,
                           struct pl_err *err)
{
    struct bringup *b = PL_NEW(struct bringup);

    *b = (struct bringup){ .loop = parts->loop,
                           .parts = *parts,
                           .spec = spec,
                           .router = router,
                           .asked_us = pl_now_us(),
                           .done = done,
                           .arg = arg };
    *out = b;
    list_init(&b->room.link);
    b->again.fire = start_again;
    b->turn.enter = my_turn;
    b->item = spec->artifact_sha256[0] ? cache_take(parts->cache, spec->artifact_sha256) : NULL;
    if (!b->item) {
        b->wait = artifacts_get(parts->artifacts, spec->artifact_uri, spec->artifact_sha256, artifact_here, b);
        return PL_OK;
    }
    b->times.artifact_bytes = cache_item_artifact_bytes(b->item);
    if (go_on(b, err) == PL_OK)
        return PL_OK;
    *out = NULL;
    cache_give(b->item);
    cache_give(b->code);
    start_gate_leave(&b->turn);
    free(b);
    return err->code;
}

void bringup_cancel(struct bringup *b)
{
    if (b->wait)
        artifact_wait_cancel(b->wait);
    if (b->compiling)
        forest_wait_cancel(b->compiling);
    cache_give(b->item);
    cache_give(b->code);
    list_remove(&b->room.link);
    loop_timer_clear(b->loop, &b->again);
    start_gate_leave(&b->turn);
    if (b->starting)
        instance_cancel_start(b->starting);
    free(b);
}
