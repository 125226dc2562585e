#include "bringup.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "capacity.h"
#include "forests.h"
#include "instance.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/worker.pb-c.h"

#include <stdlib.h>
#include <string.h>

struct bringup {
    struct bringup_parts parts;
    const Pilotlight__Internal__V1__VariantSpec *spec;
    bool trial;
    int64_t asked_us;
    bringup_done_fn *done;
    void *arg;
    /* At most one of these three is running. */
    struct artifact_wait *wait;
    struct forest_wait *compiling; /* with 'item' */
    struct instance *starting;
    struct cache_item *item; /* unpacked, not compiled yet: one use */
    struct artifact_times times;
};

static void finish(struct bringup *b, const struct bringup_result *result, const struct pl_err *err)
{
    bringup_done_fn *done = b->done;
    void *arg = b->arg;

    free(b);
    done(arg, result, err);
}

static void started(void *arg, struct instance *in, const struct pl_err *err)
{
    struct bringup *b = arg;
    struct bringup_result r = { .instance = in, .times = b->times };

    finish(b, in ? &r : NULL, err);
}

/* Takes the use of 'item'. */
static enum pl_code start_on(struct bringup *b, struct cache_item *item, struct pl_err *err)
{
    struct instance_start s = { .spec = b->spec,
                                .model = item,
                                .trial = b->trial,
                                .asked_us = b->asked_us,
                                .estimate_bytes = capacity_estimate(b->spec->memory_size_mb, item),
                                .done = started,
                                .arg = b };

    if (capacity_admit(b->parts.capacity, b->spec->memory_size_mb, s.estimate_bytes, err) != PL_OK) {
        cache_give(item);
        return err->code;
    }
    b->starting = instances_start(b->parts.instances, &s);
    return PL_OK;
}

static void forest_here(void *arg, int64_t compile_ms)
{
    struct bringup *b = arg;
    struct pl_err failed;

    b->compiling = NULL;
    b->times.compile_ms = compile_ms;
    if (start_on(b, pl_take(b->item), &failed) != PL_OK)
        finish(b, NULL, &failed);
}

/* Takes the use of 'item'. On failure nothing is under way. */
static enum pl_code compile_on(struct bringup *b, struct cache_item *item, struct pl_err *err)
{
    bool trees = b->spec->runtime[0] == '\0' || strcmp(b->spec->runtime, "xgboost") == 0;

    if (!trees || cache_item_compiled(item))
        return start_on(b, item, err);
    b->item = item;
    b->compiling = forests_get(b->parts.forests, item, forest_here, b);
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
    b->times = *times;
    if (compile_on(b, item, &failed) != PL_OK)
        finish(b, NULL, &failed);
}

enum pl_code bringup_start(const struct bringup_parts *parts, const Pilotlight__Internal__V1__VariantSpec *spec,
                           bool trial, bringup_done_fn *done, void *arg, struct bringup **out, struct pl_err *err)
{
    struct cache_item *item = spec->artifact_sha256[0] ? cache_take(parts->cache, spec->artifact_sha256) : NULL;
    struct bringup *b = PL_NEW(struct bringup);

    *b = (struct bringup){
        .parts = *parts, .spec = spec, .trial = trial, .asked_us = pl_now_us(), .done = done, .arg = arg
    };
    *out = b;
    if (!item) {
        b->wait = artifacts_get(parts->artifacts, spec->artifact_uri, spec->artifact_sha256, artifact_here, b);
        return PL_OK;
    }
    b->times.artifact_bytes = cache_item_artifact_bytes(item);
    if (compile_on(b, item, err) != PL_OK) {
        *out = NULL;
        free(b);
        return err->code;
    }
    return PL_OK;
}

void bringup_cancel(struct bringup *b)
{
    if (b->wait)
        artifact_wait_cancel(b->wait);
    if (b->compiling)
        forest_wait_cancel(b->compiling);
    cache_give(b->item);
    if (b->starting)
        instance_cancel_start(b->starting);
    free(b);
}
