/* core - what the router decides: who may enter, which instance answers, when one starts and when one goes.
 *
 * Events come in as function calls with the time in them, what is to be done comes out as actions, and nothing else
 * happens: no clock, no socket, no log. So the router (flight.c, hosts.c), the simulation (tests/sim) and the replay of
 * traces drive the same decisions, and a run is repeatable from its seed.
 *
 *     core_admit(core, &request, "fraud", "", now, &err)     -> START instance 1
 *     core_started(core, instance 1, ..., now + 38 ms)       -> DISPATCH request to instance 1
 *     core_replied(core, &request, CORE_ANSWERED, ...)       (idle: stops at now + keep-alive)
 *     core_tick(core, then)                                  -> STOP instance 1
 *
 * Whoever drives it takes the actions after every event (core_take() until false) and calls core_tick() when
 * core_next_us() is due. Every START, DISPATCH and STOP is answered by exactly one event, sooner or later:
 *
 *     START (or CANCEL_START)  core_started(), core_start_failed()
 *     DISPATCH                 core_replied(), or core_abandoned() after core_cancel()
 *     STOP                     core_stopped()
 *
 * One instance serves one request at a time. In flight are requests that run, that are bound to a starting instance,
 * and that wait: together never more than max concurrency, counted by variant name over all its generations.
 *
 * Threads: one at a time.  Memory: the core owns endpoints, variants, instances and hosts; requests are embedded in
 * their owners'. What an action points to lives until core_take() has returned false. Fields are read by everybody and
 * written by the core, but for 'user'.  Time: microseconds of any clock that does not jump. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "base/err.h"
#include "base/list.h"
#include "core/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#define CORE_NEVER        INT64_MAX
#define CORE_FULL_WHY_MAX 320

struct core;

struct core_settings {
    int64_t keep_alive_us;    /* of variants that leave it to us */
    int64_t capacity_wait_us; /* how long a request waits for a host that can take an instance */
    uint64_t seed;            /* of the random choices; not 0 */
};

struct core *core_new(const struct core_settings *s);
void core_free(struct core *c); /* requests are forgotten; NULL is fine */

/* ---- what exists ---- */

struct core_variant_spec {
    const char *name;
    const char *runtime;
    unsigned max_concurrency, provisioned;
    double weight;
    int64_t keep_alive_us;           /* -1: the settings' */
    const struct policy_ops *policy; /* NULL: policy_fixed */
    int64_t start_timeout_us;
    int32_t memory_mb;
    uint64_t artifact; /* same number, same artifact: a host that has started one has it */
    void *user;        /* given back by CORE_FORGET_VARIANT */
};

struct core_endpoint_spec {
    const char *name;
    int64_t generation;
    const struct core_variant_spec *variants;
    size_t variant_count;
};

/* Counters of a variant's name since its endpoint came. */
struct core_tally {
    unsigned refs;
    unsigned in_flight;
    int64_t invocations, cold_starts, throttled, failed, instances_started, instances_failed;
    struct { /* sums over the cold starts */
        int64_t queue_us, start_us, sandbox_us, load_us, first_predict_us;
    } cold;
};

/* What a host says of a start, in microseconds: until there was a process in its sandbox, loading its model, and its
 * first prediction. */
struct core_start_parts {
    int64_t sandbox_us, load_us, first_predict_us;
};

enum core_instance_state { CORE_STARTING, CORE_IDLE, CORE_BUSY, CORE_STOPPING, CORE_STATES };

struct core_endpoint {
    UT_hash_handle hh;
    char *name;
    int64_t generation;
    bool removed;         /* only finishes what it has */
    struct list variants; /* that new requests use */
    struct list retired;  /* of older generations: finish what they have */
};

/* A production variant of one generation of an endpoint. */
struct core_variant {
    struct list link; /* endpoint's variants or retired */
    struct core_endpoint *endpoint;
    struct core_tally *tally; /* shared with other generations of the name */
    char *name, *runtime;
    int64_t generation;
    unsigned max_concurrency, provisioned;
    double weight;
    int64_t start_timeout_us;
    int32_t memory_mb;
    uint64_t artifact;
    void *user;
    bool retired;

    struct list by_state[CORE_STATES]; /* idle: most recently used first; others: oldest first */
    unsigned count[CORE_STATES];
    struct list waiting; /* requests, first admitted first */
    unsigned waiting_count;

    struct policy policy;
    struct list prewarms;      /* windows that begin later, or that a start is under way for */
    unsigned failed_rounds;    /* of starts, one after the other */
    int64_t round_began_us;    /* starts asked for before this belong to a round that has been counted */
    int64_t start_after_us;    /* back-off: no start before */
    struct list starving;      /* in core's list: wants a start, but no host takes one */
    int64_t starving_since_us; /* -1: no start has been wanted in vain */
    int64_t due_us;            /* never later than the next thing that time brings about */
    size_t due_slot;
};

struct core_host {
    struct list link;
    char *id;
    void *user; /* given back by CORE_FORGET_HOST */
    char **runtimes;
    size_t runtime_count;
    bool up, draining, removed;
    int64_t memory_mb, memory_free_mb, memory_used_mb;
    int32_t instances, instance_limit; /* as the host counts; 0 = has not said */
    int64_t full_until_us;             /* it has refused an instance for want of room */
    char full_why[CORE_FULL_WHY_MAX];  /* in its own words; "": not, since there was more room */
    struct list all;                   /* instances, by host_link */
    unsigned count[CORE_STATES];
    unsigned of_variant; /* scratch of the choice of a host */
    struct core_instance *by_worker_id;
    struct core_cached *cached;
};

struct core_instance {
    struct list link;      /* of its variant's state */
    struct list host_link; /* of its host */
    UT_hash_handle hh;     /* of its host, when worker_id is known */
    struct core_variant *variant;
    struct core_host *host;
    struct core_request *request; /* CORE_BUSY: what it works on. NULL in any other state */
    uint64_t serial;
    uint64_t worker_id; /* the host's name for it; 0: not known yet */
    enum core_instance_state state;
    int64_t asked_us, ready_us;    /* START went out; it was ready (0: not yet) */
    int64_t since_us;              /* in its state */
    int64_t stops_at_us;           /* CORE_IDLE: the policy's word; the provisioned floor may overrule it */
    struct core_start_parts parts; /* of its start */
    int64_t memory_bytes;          /* as its host last measured it; 0: not yet */
    int64_t served;
    bool doomed; /* will not be used again: gone, or its host is */
    void *user;  /* of whoever carries out its actions */
};

struct core_request {
    struct list link;             /* in its variant's waiting list */
    struct core_variant *variant; /* NULL: not admitted, or ended */
    struct core_instance *instance;
    int64_t admitted_us, dispatched_us;
    unsigned start_failures, misses;
    bool cold; /* the instance that has it was started while it waited */
};

/* A new endpoint, or another generation of one: its instances finish what they have, new requests use the new variants.
 */
void core_endpoint_set(struct core *c, const struct core_endpoint_spec *s, int64_t now_us);
/* Admits nothing more; CORE_ENDPOINT_GONE when nothing of it is left. Unknown names are ignored. */
void core_endpoint_remove(struct core *c, const char *name, int64_t now_us);
struct core_endpoint *core_endpoint_find(const struct core *c, const char *name); /* removed ones too; NULL: none */
struct core_endpoint *core_endpoints(const struct core *c);                       /* by hh.next */

/* ---- requests ---- */

/* PL_OK: it is in flight, until CORE_FAIL, core_replied() with another outcome than CORE_MISSED, or core_cancel().
 * PL_NOT_FOUND (endpoint_name, target_variant), PL_EXHAUSTED (MAX_CONCURRENCY): it was never in. */
PL_MUST_CHECK enum pl_code core_admit(struct core *c, struct core_request *q, const char *endpoint, const char *target,
                                      int64_t now_us, struct pl_err *err);

enum core_outcome {
    CORE_ANSWERED, /* the instance is fine                                      */
    CORE_REFUSED,  /* the model answered with an error; the instance is fine    */
    CORE_LOST,     /* the instance is gone, or must not be used again           */
    CORE_SUSPECT,  /* nobody knows: the instance is stopped                     */
    CORE_MISSED,   /* the instance never had the request: another one gets it   */
};
/* 'err': of CORE_MISSED, for a request that cannot be tried again. */
void core_replied(struct core *c, struct core_request *q, enum core_outcome o, const struct pl_err *err,
                  int64_t now_us);
/* Its caller left. When it was waiting it is out; when an instance has it, the instance is returned, and whoever asked
 * must break the dispatch off and call core_abandoned() when that is done. */
struct core_instance *core_cancel(struct core *c, struct core_request *q, int64_t now_us);
/* Whether the host heard of it in time or not, the instance is stopped: CORE_STOP, unless its host is down. */
void core_abandoned(struct core *c, struct core_instance *in, int64_t now_us);

/* ---- instances ---- */

void core_started(struct core *c, struct core_instance *in, uint64_t worker_id, const struct core_start_parts *parts,
                  int64_t now_us);
void core_start_failed(struct core *c, struct core_instance *in, const struct pl_err *err, int64_t now_us);
void core_stopped(struct core *c, struct core_instance *in, int64_t now_us);

/* ---- hosts ---- */

/* Not up yet. */
struct core_host *core_host_add(struct core *c, const char *id, void *user);
/* No new instance; those it has finish, then CORE_FORGET_HOST. */
void core_host_remove(struct core *c, struct core_host *h, int64_t now_us);

struct core_load {
    int64_t memory_mb, memory_free_mb, memory_used_mb;
    int32_t instances, instance_limit;
    bool draining;
};
/* An instance that a host says it has. */
struct core_found {
    uint64_t worker_id;
    const char *endpoint, *variant;
    int64_t memory_bytes;
    int64_t generation;
    bool busy;
    int64_t idle_us, served;
};
/* The host can be reached: takes over the idle instances that fit a variant, stops the others. */
void core_host_up(struct core *c, struct core_host *h, const char *const *runtimes, size_t runtime_count,
                  const struct core_load *load, const struct core_found *found, size_t found_count, int64_t now_us);
/* Contact is lost: its idle instances are not ours until it is up again. */
void core_host_down(struct core *c, struct core_host *h, int64_t now_us);
void core_host_load(struct core *c, struct core_host *h, const struct core_load *load, int64_t now_us);
/* What an instance uses, as its host measured it; NULL: we do not know that instance. */
struct core_instance *core_host_measured(struct core_host *h, uint64_t worker_id, int64_t memory_bytes);
void core_host_draining(struct core *c, struct core_host *h, bool draining, int64_t now_us);
void core_host_died(struct core *c, struct core_host *h, uint64_t worker_id, int64_t now_us);
const struct list *core_hosts(const struct core *c);

/* ---- time ---- */

int64_t core_next_us(const struct core *c); /* CORE_NEVER: nothing waits for time */
void core_tick(struct core *c, int64_t now_us);

/* ---- what is to be done ---- */

enum core_action_kind {
    CORE_START,          /* instance: on its host                                              */
    CORE_CANCEL_START,   /* instance: not wanted any more                                      */
    CORE_DISPATCH,       /* request, instance                                                  */
    CORE_FAIL,           /* request, variant, err: it has ended                                */
    CORE_STOP,           /* instance, text: why                                                */
    CORE_STOP_STRANGER,  /* host, worker_id, text: an instance that is nobody's; not answered  */
    CORE_FORGET_VARIANT, /* user                                                               */
    CORE_FORGET_HOST,    /* user                                                               */
    CORE_ENDPOINT_GONE,  /* text: its name                                                     */
};

struct core_action {
    enum core_action_kind kind;
    struct core_instance *instance;
    struct core_request *request;
    struct core_variant *variant;
    struct core_host *host;
    uint64_t worker_id;
    void *user;
    const char *text;
    const struct pl_err *err;
};

/* The next one, in order; false: none, and what is gone is freed. */
bool core_take(struct core *c, struct core_action *out);

/* ---- to look at ---- */

/* When the idle instance will stop if nothing comes; CORE_NEVER: it is kept. */
int64_t core_stops_at_us(const struct core_instance *in, int64_t now_us);
unsigned core_alive(const struct core_variant *v); /* starting, idle and busy */

#endif
