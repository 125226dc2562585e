/* state - what the files of the core share. Each file answers one question:
 *
 *     admit.c      may the request enter, and which variant serves it?
 *     pool.c       which instance, and what becomes of it afterwards? The only place where an instance changes state.
 *     coldstart.c  how many starts are needed, and what when they fail?
 *     placement.c  on which host?
 *     warmth.c     who goes, who comes ahead of need (policy.c says when)
 *     members.c    which hosts are there, and what do they already have?
 *     endpoints.c  endpoints, their generations, and their end
 *     due.c        whom does time concern next?
 *     events.c     the events of requests and instances, in terms of the others */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/core.h"

struct core {
    struct core_settings settings;
    uint64_t random;
    uint64_t serial; /* of instances */

    struct core_endpoint *endpoints;
    struct list hosts;
    struct list starving; /* variants that no host takes an instance for */

    struct core_variant **due; /* heap, the earliest first */
    size_t due_count, due_room;

    struct core_action *actions; /* [next, count) wait to be taken */
    size_t action_next, action_count, action_room;
    struct pl_err **errs; /* of actions */
    size_t err_count;

    /* Gone, but an action may point to them. */
    struct list dead_instances, dead_variants, dead_hosts;
    struct core_endpoint *dead_endpoints; /* by hh.next */
};

/* ---- core.c ---- */
uint64_t core_random(struct core *c);
/* A copy that lives as long as the actions. */
const struct pl_err *core_keep_err(struct core *c, const struct pl_err *err);
void core_act(struct core *c, const struct core_action *a);
void core_endpoint_free(struct core_endpoint *e);
void core_variant_free(struct core_variant *v);
void core_host_free(struct core_host *h);

/* ---- admit.c ---- */
PL_MUST_CHECK enum pl_code admit_enter(struct core *c, const char *endpoint, const char *target,
                                       struct core_variant **out, struct pl_err *err);
/* The request has ended: in its instance, in the queue, or with its caller. */
void admit_leave(struct core_request *q, bool failed);

/* ---- pool.c ---- */
struct core_instance *pool_add(struct core *c, struct core_variant *v, struct core_host *h,
                               enum core_instance_state state, int64_t now_us);
void pool_name(struct core_instance *in, uint64_t worker_id);
/* The idle instance that was used last; NULL: none. */
struct core_instance *pool_take(struct core_variant *v);
void pool_dispatch(struct core *c, struct core_request *q, struct core_instance *in, int64_t now_us);
/* It can take a request: the first that waits, or none, or it is not wanted any more. 'used': it just served one. */
void pool_give(struct core *c, struct core_instance *in, bool used, int64_t now_us);
void pool_stop(struct core *c, struct core_instance *in, const char *why, int64_t now_us);
void pool_cancel_start(struct core *c, struct core_instance *in, int64_t now_us);
/* Its request's caller left: it is being killed. */
void pool_abandon(struct core_instance *in, int64_t now_us);
/* It is gone. */
void pool_remove(struct core *c, struct core_instance *in);

/* ---- coldstart.c ---- */
void coldstart_wait(struct core *c, struct core_request *q, bool first_in_line);
/* Starts what is needed and can be had. */
void coldstart_balance(struct core *c, struct core_variant *v, int64_t now_us);
void coldstart_succeeded(struct core_variant *v);
void coldstart_failed(struct core *c, struct core_variant *v, struct core_host *h, int64_t asked_us,
                      const struct pl_err *err, int64_t now_us);
/* A host may have room again. */
void coldstart_capacity(struct core *c, int64_t now_us);
/* Requests that have waited too long for an instance; those that have waited too long for a host. */
void coldstart_expire(struct core *c, struct core_variant *v, int64_t now_us);
void coldstart_expire_starved(struct core *c, struct core_variant *v, int64_t now_us);
int64_t coldstart_due_us(const struct core *c, const struct core_variant *v, int64_t now_us);
void coldstart_fail(struct core *c, struct core_request *q, const struct pl_err *err);
void coldstart_forget(struct core_variant *v);

/* ---- placement.c ---- */
/* NULL: no host can take it now. */
struct core_host *placement_choose(struct core *c, struct core_variant *v, int64_t now_us);
void placement_has_artifact(struct core_host *h, uint64_t artifact);
void placement_forget(struct core_host *h);

/* ---- warmth.c ---- */
/* Until when the instance that became idle stays. */
int64_t warmth_idle(struct core *c, struct core_variant *v, bool used, int64_t now_us);
void warmth_busy(struct core_variant *v, bool cold, int64_t now_us);
/* How many instances should be there whether anybody asks or not: the floor, and what the policy wants ahead of need.
 */
unsigned warmth_wanted(const struct core_variant *v, int64_t now_us);
/* Stops what has been idle for too long. */
void warmth_expire(struct core *c, struct core_variant *v, int64_t now_us);
int64_t warmth_due_us(const struct core_variant *v, int64_t now_us);
/* The host is full: the idle instance on it that is needed least goes. False: there is none. */
bool warmth_evict(struct core *c, struct core_host *h, int64_t now_us);
void warmth_forget(struct core_variant *v);

/* ---- endpoints.c ---- */
/* Of a retired variant: lets go what nobody waits for, and the variant itself when nothing is left. */
void endpoints_settle(struct core *c, struct core_variant *v, int64_t now_us);

/* ---- members.c ---- */
void members_settle(struct core *c, struct core_host *h);

/* ---- due.c ---- */
void due_by(struct core *c, struct core_variant *v, int64_t at_us); /* not later than that */
void due_set(struct core *c, struct core_variant *v, int64_t at_us);
void due_remove(struct core *c, struct core_variant *v);

#endif
