/* instance - one process that serves one variant: its states, its one request, its end.
 *
 * The story of one that lives well: instances_start() wants a process for it (STARTING, spawn.h) and asks that to LOAD
 * (LOADING); LOADED makes it IDLE and its starter hears of it; instance_invoke() hands it a request (BUSY) whose RESULT
 * makes it IDLE again; instance_stop() closes its socket (STOPPING), it exits, is reaped (DEAD) and forgotten.
 *
 * What goes wrong has one road: something is wrong with it -> it is killed and STOPPING -> reaped -> whoever waits for
 * it hears how it died. That is how a crash, a lie, a hang and a cancelled caller end. Only a timeout is answered
 * before the death, because its answer does not depend on it.
 *
 * A router on this machine may borrow it: instance_lend() makes a socket by which it hands requests to the instance
 * itself. Those are not seen here: the state says what the worker knows of. instance_unlend() takes it back, and until
 * the instance has let go of what it was given there, it is BUSY.
 *
 * Threads: with the turn.  Memory: 'instances' owns them all; a struct instance lives until its death has been told, so
 * a pointer may be kept from 'done' of its start until 'died' or the end of its stop. Fields are read by others,
 * written by instance*.c only (memory: memory_use.c; router: who answers its starter). */
#ifndef WORKER_INSTANCE_H
#define WORKER_INSTANCE_H

#include "base/list.h"
#include "channel/answer.h"
#include "channel/channel.h"
#include "child.h"
#include "instance_log.h"
#include "spawn.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct borrower;
struct cache_item;
struct copies;
struct instances;
struct instance;
struct network;
struct network_port;
struct rpc_bytes;
struct runtime;
struct spawner;
struct Pilotlight__Internal__V1__VariantSpec;

enum instance_state {
    INSTANCE_STARTING, /* its process is being made                                 */
    INSTANCE_LOADING,  /* it has been told what to load                             */
    INSTANCE_IDLE,     /* it can take a request                                     */
    INSTANCE_BUSY,     /* exactly one request, or it is being taken back            */
    INSTANCE_STOPPING, /* no new request enters; one in flight may end, or a kill has been sent */
    INSTANCE_DEAD,     /* reaped; nobody has been told yet                          */
    INSTANCE_STATE_COUNT
};

enum instance_role {
    INSTANCE_SERVES,
    INSTANCE_TRIAL,    /* proves a model, serves nobody, is shown to nobody              */
    INSTANCE_TEMPLATE, /* has the model and makes copies of itself (templates.h); the same */
};

/* How an invocation ended, once. When the model has answered, be it with an error of its own, 'err' is NULL and
 * 'payload' (a checked RESULT or ERROR, CHANNEL_TAIL_ROOM spare bytes behind 'len') is the receiver's to free. */
typedef void instance_invoked_fn(void *arg, uint8_t *payload, size_t len, const struct pl_err *err);
/* How a start ended, once: ready (IDLE), or 'in' NULL and why. */
typedef void instance_started_fn(void *arg, struct instance *in, const struct pl_err *err);

/* Somebody waits for the end of an instance. */
struct instance_stop {
    struct list link;
    void (*stopped)(struct instance_stop *s);
};

struct instance {
    struct instances *all;
    uint64_t id;
    uint64_t start_key; /* the router's name for the start that made it; 0 = none */
    char *router;       /* whose it is; NULL until it is ready, and unless it serves */
    char id_text[24];
    UT_hash_handle hh;
    struct list link; /* in all->by_state[state] */
    enum instance_state state;
    int64_t since_ms;

    char *endpoint, *variant;
    int64_t generation;
    int memory_size_mb;
    int64_t exit_grace_ms; /* to leave by itself */
    bool prints; /* it runs the code of its model's owner: what it prints is read before its answer is passed on */
    enum instance_role role;
    struct cache_item *model;
    struct cache_item *code; /* that did not come with it; NULL: none */

    struct spawn spawn; /* while it is being made */
    bool making;
    struct network_port *port; /* its way out (network.h); NULL: it has none */
    struct seat *seat;
    struct loop_timer gone; /* ends one that never had a process */
    struct child child;
    pid_t beside; /* a process whose memory counts as this one's; 0: none */
    struct channel channel;
    struct instance_log log;
    struct loop_timer timer; /* the start's, the request's or the stop's limit, whichever comes first */
    bool closed_itself; /* its end of the socket went away before we asked for it; 'timer' is the limit of its death */
    bool told;          /* to stop: its end is no news */
    char why_killed[192]; /* "" = not by us */
    bool overrun;         /* killed at its memory limit */

    struct {
        instance_started_fn *done; /* NULL: told already */
        void *arg;
        int64_t asked_us;
        int timeout_ms;
        bool direct;
        struct rpc_bytes *load; /* the question, until it has been asked */
        struct pl_err failed;   /* it never had a process */
    } start;
    int64_t start_us, spawn_us; /* from the request to ready; of it, until it had its process in its sandbox */
    struct model_facts facts;

    struct {
        instance_invoked_fn *done; /* NULL: none open */
        void *arg;
        uint64_t request_id;
        int64_t sent_us;
        int64_t deadline_ms;
        uint32_t timeout_ms;
    } request;
    int64_t model_us; /* of the last answer, as the host saw it */
    bool refused;     /* the last answer was an error of the model's own */
    int64_t served;
    uint64_t questions;

    struct borrower *borrower; /* who has its direct socket (lending.h); NULL: nobody */
    unsigned unanswered;       /* how often its borrower was asked whose lines are there, and has not said yet */
    unsigned outdated;         /* of these: the lines were read meanwhile */
    bool take_back;            /* it has been lent before, and may not know yet that it is no more */
    int direct_fd;             /* the router's end of a socket that went with LOAD; -1: none, or lent */
    int invoke_timeout_ms;     /* the longest that a request may last that we do not see */
    char *how;                 /* it died so; its last lines are being asked about */
    struct list stops;         /* struct instance_stop */

    int64_t estimate_bytes; /* what it was admitted with; it counts until it has been measured */
    struct {
        int64_t used_bytes; /* its proportional share; 0 = not yet measured */
        int64_t own_bytes;  /* what nobody shares */
        int64_t at_ms;      /* of the measurement, and what it had served and run by then */
        int64_t served, cpu_us;
        int64_t told_bytes; /* what routers were told last */
    } memory;
};

/* For those who report; each may be NULL. 'died': told of every end that nobody asked for of one that serves. 'changed':
 * there are more or fewer that can serve; not called for each request. */
struct instances_observer {
    void (*died)(void *arg, const struct instance *in, const char *reason);
    void (*changed)(void *arg);
    /* It has nothing to do, and nobody has borrowed it. */
    void (*idle)(void *arg, struct instance *in);
    /* Of one that is lent: it has printed something (instance_printed() is to be called), and it is dead. */
    void (*prints)(void *arg, struct instance *in);
    void (*ended)(void *arg, struct instance *in, const char *reason);
    void *arg;
};

/* Ids grow from host_epoch << 24. */
struct instances *instances_new(struct loop *l, struct spawner *s, struct log_store *logs, int64_t host_epoch);
bool instances_has_pid(struct instances *all, pid_t pid); /* one of them is this process */
/* Before the first start: those whom it permits are let out. */
void instances_let_out(struct instances *all, struct network *network);
/* All must have ended. NULL is fine. */
void instances_free(struct instances *all);
void instances_observe(struct instances *all, const struct instances_observer *o);

struct instance *instances_find(struct instances *all, uint64_t id); /* NULL: not here, or it does not serve */
struct instance *instances_find_any(struct instances *all, uint64_t id);
unsigned instances_count(const struct instances *all); /* all that have a process */
unsigned instances_count_in(const struct instances *all, enum instance_state state);
/* Of all that have a process: what they use, as measured, else as estimated; and the part of it that is an estimate. */
int64_t instances_used_bytes(const struct instances *all, int64_t *out_estimated);
/* memory_use.c: 'in' has been measured. */
void instance_measured(struct instance *in, int64_t used_bytes, int64_t own_bytes);
/* Calls 'visit' for each; it may stop the one it gets. */
void instances_each(struct instances *all, void (*visit)(struct instance *in, void *arg), void *arg);

struct instance_start {
    const struct Pilotlight__Internal__V1__VariantSpec *spec; /* not kept */
    struct cache_item *model, *code;                          /* one use each; taken over. 'code' may be NULL */
    const struct runtime *runtime;                            /* lives longer */
    enum instance_role role;
    struct copies *copies; /* with SERVES: of the template that makes its process; NULL: none */
    int template_fd;       /* with TEMPLATE: its end of its control socket; taken over */
    bool direct;           /* its starter will borrow it: its socket goes with LOAD */
    int64_t asked_us;
    int64_t estimate_bytes;
    instance_started_fn *done;
    void *arg;
};
/* Never calls 'done' from inside. */
struct instance *instances_start(struct instances *all, const struct instance_start *s);
/* Before 'done': it will not be called, and the instance ends. */
void instance_cancel_start(struct instance *in);

/* One request on an idle instance; consumes a reference to 'message' on PL_OK. 'done' is never called from inside.
 * PL_PRECONDITION (INSTANCE_BUSY), PL_NOT_FOUND: it is stopping. */
PL_MUST_CHECK enum pl_code instance_invoke(struct instance *in, struct rpc_bytes *message, uint64_t request_id,
                                           uint32_t timeout_ms, instance_invoked_fn *done, void *arg,
                                           struct pl_err *err);
/* The caller went away: 'done' is not called any more, and the instance is killed. */
void instance_cancel_invoke(struct instance *in);

/* An idle one that nobody has borrowed: 'out_fd' is the router's end of its direct socket, non-blocking, the
 * receiver's. */
PL_MUST_CHECK enum pl_code instance_lend(struct instance *in, struct borrower *to, int *out_fd, struct pl_err *err);
/* Its borrower is gone. Harmless when it is not lent. */
void instance_unlend(struct instance *in);
/* What it has printed was printed for this request (0: for none): read it now. Answers 'prints'; harmless otherwise. */
void instance_printed(struct instance *in, uint64_t request_id);
/* Its borrower wants it dead, and why. */
void instance_condemn(struct instance *in, const char *why);

/* Ends it: at once when idle, after the request in flight when busy, by SIGKILL after 'grace_ms'. 's' (may be NULL)
 * hears of the end. Any number of times. */
void instance_stop(struct instance *in, const char *reason, int64_t grace_ms, struct instance_stop *s);
/* Without stopping it. */
void instance_hear_end(struct instance *in, struct instance_stop *s);

const char *instance_state_name(enum instance_state s);

#endif
