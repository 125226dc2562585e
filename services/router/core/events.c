#include "state.h"

#include <assert.h>
#include <string.h>

/* Of a request whose instance was gone before it had it. */
#define MISSES_MAX 5

/* ---- requests ---- */

enum pl_code core_admit(struct core *c, struct core_request *q, const char *endpoint, const char *target,
                        int64_t now_us, struct pl_err *err)
{
    struct core_instance *in;
    struct core_variant *v = NULL;
    enum pl_code code = admit_enter(c, endpoint, target, &v, err);

    *q = (struct core_request){ .variant = v, .admitted_us = now_us };
    list_init(&q->link);
    if (code != PL_OK)
        return code;
    if ((in = pool_take(v))) {
        pool_dispatch(c, q, in, now_us);
    } else {
        coldstart_wait(c, q, false);
        coldstart_balance(c, v, now_us);
    }
    return PL_OK;
}

/* What else a change of the variant brings about. */
static void settle(struct core *c, struct core_variant *v, int64_t now_us)
{
    coldstart_balance(c, v, now_us);
    endpoints_settle(c, v, now_us);
}

static void try_again(struct core *c, struct core_request *q, const struct pl_err *err, int64_t now_us)
{
    struct core_variant *v = q->variant;
    struct core_instance *in = pool_take(v);

    if (in) {
        pool_dispatch(c, q, in, now_us);
        return;
    }
    coldstart_wait(c, q, true);
    if (++q->misses >= MISSES_MAX)
        coldstart_fail(c, q, err);
}

static void missed(struct core *c, struct core_request *q, const struct pl_err *err, int64_t now_us)
{
    struct core_instance *in = q->instance;

    in->request = NULL;
    if (in->host->up)
        core_act(c, &(struct core_action){ .kind = CORE_STOP_STRANGER,
                                           .host = in->host,
                                           .worker_id = in->worker_id,
                                           .text = "it did not take a request" });
    pool_remove(c, in);
    try_again(c, q, err, now_us);
}

void core_replied(struct core *c, struct core_request *q, enum core_outcome o, const struct pl_err *err, int64_t now_us)
{
    struct core_instance *in = q->instance;
    struct core_variant *v = q->variant;

    assert(in && in->request == q && in->state == CORE_BUSY);
    if (o == CORE_MISSED) {
        missed(c, q, err, now_us);
        settle(c, v, now_us);
        return;
    }
    admit_leave(q, o != CORE_ANSWERED);
    in->request = NULL;
    if (o == CORE_LOST) {
        pool_remove(c, in);
        settle(c, v, now_us);
    } else if (o == CORE_SUSPECT) {
        pool_stop(c, in, "it did not answer as it should", now_us);
        settle(c, v, now_us);
    } else {
        pool_give(c, in, true, now_us);
        if (v->retired || in->state == CORE_STOPPING || in->doomed)
            settle(c, v, now_us);
    }
}

struct core_instance *core_cancel(struct core *c, struct core_request *q, int64_t now_us)
{
    struct core_instance *in = q->instance;
    struct core_variant *v = q->variant;

    if (in) {
        pool_abandon(in, now_us);
    } else {
        list_remove(&q->link);
        v->waiting_count--;
    }
    admit_leave(q, false);
    settle(c, v, now_us);
    return in;
}

void core_abandoned(struct core *c, struct core_instance *in, int64_t now_us)
{
    struct core_variant *v = in->variant;

    assert(in->state == CORE_STOPPING && !in->request);
    /* Its answer may have crossed our breaking off: then it lives, and nobody but us knows that it is to go. */
    if (in->host->up) {
        core_act(c, &(struct core_action){ .kind = CORE_STOP, .instance = in, .text = "its caller left" });
        return;
    }
    pool_remove(c, in);
    settle(c, v, now_us);
}

/* ---- instances ---- */

/* The host's list of what it has may have told us of it before the answer to our start did. */
static bool is_known(const struct core_instance *in, uint64_t worker_id)
{
    struct core_instance *known;

    HASH_FIND(hh, in->host->by_worker_id, &worker_id, sizeof(worker_id), known);
    return known != NULL;
}

void core_started(struct core *c, struct core_instance *in, uint64_t worker_id, const struct core_start_parts *parts,
                  int64_t now_us)
{
    struct core_variant *v = in->variant;

    assert(in->worker_id == 0);
    coldstart_succeeded(v);
    placement_has_artifact(in->host, v->artifact);
    if (is_known(in, worker_id)) {
        pool_remove(c, in);
        settle(c, v, now_us);
        return;
    }
    pool_name(in, worker_id);
    in->parts = *parts;
    in->ready_us = now_us;
    if (in->state == CORE_STOPPING)
        core_act(c, &(struct core_action){ .kind = CORE_STOP, .instance = in, .text = "not wanted any more" });
    else
        pool_give(c, in, false, now_us);
    settle(c, v, now_us);
}

void core_start_failed(struct core *c, struct core_instance *in, const struct pl_err *err, int64_t now_us)
{
    struct core_variant *v = in->variant;
    struct core_host *h = in->host;
    bool cancelled = in->state == CORE_STOPPING;

    pool_remove(c, in);
    if (!cancelled)
        coldstart_failed(c, v, h, in->asked_us, err, now_us);
    settle(c, v, now_us);
}

void core_stopped(struct core *c, struct core_instance *in, int64_t now_us)
{
    struct core_variant *v = in->variant;

    assert(in->state == CORE_STOPPING);
    in->host->full_until_us = 0;
    in->host->full_why[0] = '\0';
    pool_remove(c, in);
    settle(c, v, now_us);
    coldstart_capacity(c, now_us);
}
