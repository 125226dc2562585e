#include "state.h"

#include "base/mem.h"

#include <assert.h>

#define TO(s) (1u << CORE_##s)
static const struct {
    const char *name;
    unsigned next;
} states[CORE_STATES] = {
    [CORE_STARTING] = { "starting", TO(IDLE) | TO(BUSY) | TO(STOPPING) }, /* START is with its host            */
    [CORE_IDLE] = { "idle", TO(BUSY) | TO(STOPPING) },                    /* nothing is with its host          */
    [CORE_BUSY] = { "busy", TO(IDLE) | TO(BUSY) | TO(STOPPING) },         /* DISPATCH is with its host         */
    [CORE_STOPPING] = { "stopping", 0 },                                  /* one of the three, and its last    */
};

static void join(struct core_instance *in)
{
    struct core_variant *v = in->variant;

    if (in->state == CORE_IDLE)
        list_push_front(&v->by_state[in->state], &in->link);
    else
        list_push_back(&v->by_state[in->state], &in->link);
    v->count[in->state]++;
    in->host->count[in->state]++;
}

static void leave(struct core_instance *in)
{
    list_remove(&in->link);
    in->variant->count[in->state]--;
    in->host->count[in->state]--;
}

/* The only place where an instance changes state: it leaves one list and joins another. */
static void move(struct core_instance *in, enum core_instance_state to, int64_t now_us)
{
    assert(states[in->state].next & (1u << to));
    leave(in);
    in->state = to;
    in->since_us = now_us;
    join(in);
}

struct core_instance *pool_add(struct core *c, struct core_variant *v, struct core_host *h,
                               enum core_instance_state state, int64_t now_us)
{
    struct core_instance *in = PL_NEW(struct core_instance);

    in->variant = v;
    in->host = h;
    in->serial = ++c->serial;
    in->state = state;
    in->since_us = now_us;
    join(in);
    list_push_back(&h->all, &in->host_link);
    return in;
}

void pool_name(struct core_instance *in, uint64_t worker_id)
{
    assert(in->worker_id == 0 && worker_id != 0);
    in->worker_id = worker_id;
    HASH_ADD(hh, in->host->by_worker_id, worker_id, sizeof(in->worker_id), in);
}

void pool_remove(struct core *c, struct core_instance *in)
{
    leave(in);
    list_remove(&in->host_link);
    if (in->worker_id)
        HASH_DEL(in->host->by_worker_id, in);
    list_push_back(&c->dead_instances, &in->link);
    members_settle(c, in->host);
}

struct core_instance *pool_take(struct core_variant *v)
{
    return list_first(&v->by_state[CORE_IDLE], struct core_instance, link);
}

static void count_cold(struct core_tally *t, const struct core_request *q, const struct core_instance *in,
                       int64_t now_us)
{
    t->cold_starts++;
    t->cold.queue_us += now_us - q->admitted_us;
    t->cold.start_us += in->ready_us - in->asked_us;
    t->cold.sandbox_us += in->parts.sandbox_us;
    t->cold.load_us += in->parts.load_us;
    t->cold.first_predict_us += in->parts.first_predict_us;
}

void pool_dispatch(struct core *c, struct core_request *q, struct core_instance *in, int64_t now_us)
{
    struct core_variant *v = in->variant;
    bool was_busy = in->state == CORE_BUSY;

    assert(!in->request && q->variant == v && !in->doomed);
    q->cold = in->served == 0 && in->ready_us > q->admitted_us;
    if (q->cold)
        count_cold(v->tally, q, in, now_us);
    q->instance = in;
    q->dispatched_us = now_us;
    in->request = q;
    move(in, CORE_BUSY, now_us);
    if (!was_busy)
        warmth_busy(v, q->cold, now_us);
    core_act(c, &(struct core_action){ .kind = CORE_DISPATCH, .request = q, .instance = in });
}

void pool_stop(struct core *c, struct core_instance *in, const char *why, int64_t now_us)
{
    assert(!in->request);
    in->doomed = true;
    move(in, CORE_STOPPING, now_us);
    core_act(c, &(struct core_action){ .kind = CORE_STOP, .instance = in, .text = why });
}

void pool_cancel_start(struct core *c, struct core_instance *in, int64_t now_us)
{
    in->doomed = true;
    move(in, CORE_STOPPING, now_us);
    core_act(c, &(struct core_action){ .kind = CORE_CANCEL_START, .instance = in });
}

void pool_abandon(struct core_instance *in, int64_t now_us)
{
    in->request = NULL;
    in->doomed = true;
    move(in, CORE_STOPPING, now_us);
}

void pool_give(struct core *c, struct core_instance *in, bool used, int64_t now_us)
{
    struct core_variant *v = in->variant;
    struct core_host *h = in->host;
    struct core_request *q;

    in->request = NULL;
    in->served += used;
    if (in->doomed || !h->up) {
        pool_remove(c, in); /* if it lives, the host will say so when it is up again */
    } else if (!h->draining && (q = list_first(&v->waiting, struct core_request, link))) {
        list_remove(&q->link);
        v->waiting_count--;
        pool_dispatch(c, q, in, now_us);
    } else if (h->draining) {
        pool_stop(c, in, "its host is draining", now_us);
    } else if (v->retired) {
        pool_stop(c, in, v->endpoint->removed ? "endpoint deleted" : "endpoint updated", now_us);
    } else {
        move(in, CORE_IDLE, now_us);
        in->stops_at_us = warmth_idle(c, v, used, now_us);
        due_by(c, v, in->stops_at_us);
    }
}
