/* bringup - from a variant's spec to an instance that is ready: cached? else fetch and unpack, the model
 * and code that does not come with it -> compiled? else compile (runtime xgboost only) -> is it its turn
 * (start_gate.h)? -> is there room? -> start, from a template where there is one. Used by StartInstance, and by
 * PrepareModel with a trial that is stopped as soon as it has said what it knows.
 *
 * Threads: with the turn.  Memory: a bringup ends with 'done' or with its cancel; 'spec' is not kept, but must live
 * until then. */
#ifndef WORKER_BRINGUP_H
#define WORKER_BRINGUP_H

#include "artifacts.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct bringup;
struct cache;
struct capacity;
struct instance;
struct instances;
struct lending;
struct loop;
struct runtimes;
struct start_gate;
struct templates;
struct Pilotlight__Internal__V1__VariantSpec;

struct bringup_parts {
    struct loop *loop;
    struct cache *cache;
    struct artifacts *artifacts;
    struct forests *forests;
    struct capacity *capacity;
    struct instances *instances;
    struct templates *templates;
    struct start_gate *gate;
    const struct runtimes *runtimes;
    const struct lending *lending;
};

struct bringup_result {
    struct instance *instance; /* IDLE */
    struct artifact_times times;
};
/* Once after a bringup_start() that returned PL_OK, never from inside it; 'result' NULL: 'err' says why not. */
typedef void bringup_done_fn(void *arg, const struct bringup_result *result, const struct pl_err *err);

/* 'router': who will borrow it (lending.h) if it may; NULL: a trial, which nobody borrows. */
PL_MUST_CHECK enum pl_code bringup_start(const struct bringup_parts *parts,
                                         const struct Pilotlight__Internal__V1__VariantSpec *spec, const char *router,
                                         bringup_done_fn *done, void *arg, struct bringup **out, struct pl_err *err);
/* 'done' is not called; whatever was started ends. */
void bringup_cancel(struct bringup *b);

#endif
