/* spawn - the one place where processes are made for untrusted work. A seam: nobody else knows how.
 *
 * When the worker starts, the probe (sandbox/probe.h) finds out what this host can enforce; each missing feature is
 * logged, or, with 'require', ends the worker. Every runtime has a zygote, which makes processes in closed sandboxes,
 * and a stock of a few blank ones. An instance takes a blank one, which is told its model's folder and memory size and
 * is its own from then on; the stock is filled again a moment later, when nobody waits. Tools (unpack) get a zygote of
 * their own, which leaves when its one process has been made.
 *
 * Where the worker lacks the right to hand out folders as mounts of their own, a process is made for its model instead:
 * no stock, the same sandbox.
 *
 * Threads: with the turn, on threads that live as long as the worker.  Memory: a struct spawn is embedded in its owner.
 */
#ifndef WORKER_SPAWN_H
#define WORKER_SPAWN_H

#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct blank;
struct copies;
struct copies_events;
struct copy;
struct loop;
struct runtimes;
struct seat;
struct spawner;
struct stock;

enum spawn_sandbox { SPAWN_BEST_EFFORT, SPAWN_REQUIRE };

struct spawner_options {
    const char *runner;
    enum spawn_sandbox sandbox;
    const char *cgroup_parent; /* "" = found */
    unsigned uid;              /* of instances, when the worker is root */
    unsigned blanks;           /* kept in stock */
    const char *models;        /* the folder in which all models' folders lie */
    struct runtimes *runtimes; /* outlives it; what cannot be locked in here is dropped from it */
};
/* PL_PRECONDITION: no process can be made at all, or something is missing and required. */
PL_MUST_CHECK enum pl_code spawner_new(struct spawner **out, struct loop *l, const struct spawner_options *o,
                                       struct pl_err *err);
void spawner_free(struct spawner *s); /* all processes have ended; NULL is fine */

/* All descriptors are close-on-exec and non-blocking, and the receiver's. The process is the receiver's to reap, and
 * then to report to spawn_over(). */
struct spawned {
    pid_t pid;
    int pidfd;
    int fd;     /* an instance's: our end of its channel; a tool's: -1 */
    int log_fd; /* the read end of its stdout and stderr */
    struct seat *seat;
};

/* Somebody waits for a process. */
struct spawn {
    struct list link;
    struct stock *stock; /* in which it waits */
    struct stock *home;  /* of its runtime */
    struct blank *blank; /* that is being made for this one only */
    struct copy *copy;   /* that a template is asked for */
    bool copied;         /* what 'made' has got is a copy of a template */
    bool for_template;
    int template_fd; /* with that, until it has been sent */
    const char *model, *code;
    int door_fd; /* spawn_spec's; the owner's to close after 'made' or spawn_cancel() */
    int memory_size_mb;
    unsigned failures;
    /* Once, perhaps from inside spawn_instance(). 'p' NULL: 'err' says why not. */
    void (*made)(struct spawn *w, const struct spawned *p, const struct pl_err *err);
};

struct spawn_spec {
    const char *runtime;
    const char *model; /* folder; a direct sub-folder of options.models. Kept until 'made' */
    const char *code;  /* the same, for code that did not come with the model; NULL: none */
    int door_fd;       /* what its way to the outside goes through (network.h); -1: it has none */
    int memory_size_mb;
    struct copies *copies; /* of the template that has this model loaded; NULL: there is none */
    int template_fd;       /* not 0: the process becomes a template, with this as its control socket; taken over */
};
/* A process that has its sandbox, its model as its current folder, and waits for LOAD. 'w->made' is set. */
void spawn_instance(struct spawner *s, const struct spawn_spec *spec, struct spawn *w);
/* 'made' is not called any more. */
void spawn_cancel(struct spawn *w);
/* The model's folder as an instance of this runtime sees it, and the code's, which lies at 'code' on this host. */
const char *spawn_model_dir(const struct spawner *s, const char *runtime);
const char *spawn_code_dir(const struct spawner *s, const char *runtime, const char *code);

/* After a template has been reaped: whatever it has made and nobody else has ends, too. */
void spawn_clear(struct spawner *s, struct seat *seat);
/* After the process has been reaped. True: its memory limit has killed it. */
bool spawn_over(struct spawner *s, struct seat *seat);
/* NULL, or why this host can make no templates of this runtime. */
const char *spawn_why_no_template(const struct spawner *s, const char *runtime);
/* The worker's end of a template, to be opened when it is ready. */
struct copies *spawn_copies_new(struct spawner *s, const char *runtime, int memory_size_mb,
                                const struct copies_events *events, void *arg);
/* Who limits an instance's memory kills it (true), or refuses it more (false). */
bool spawn_kills_at_limit(const struct spawner *s);

/* ---- tools ---- */

struct spawn_tool;
typedef void spawn_tool_made_fn(void *arg, const struct spawned *p, const struct pl_err *err);

struct spawn_unpack_spec {
    int archive_fd;  /* stays the caller's */
    const char *dir; /* an empty folder of the caller's */
    int64_t max_bytes, max_entries, max_ratio;
};
/* `pilotlight-runner unpack`. 'made': once, never from inside, or not at all after spawn_tool_cancel(). */
PL_MUST_CHECK enum pl_code spawn_unpack(struct spawner *s, const struct spawn_unpack_spec *spec,
                                        spawn_tool_made_fn *made, void *arg, struct spawn_tool **out,
                                        struct pl_err *err);
void spawn_tool_cancel(struct spawn_tool *t);

struct spawn_compile_spec {
    const char *model; /* folder, as spawn_spec's */
    const char *dir;   /* an empty folder of the caller's */
};
/* `pilotlight-runner compile`; as unpacking. */
PL_MUST_CHECK enum pl_code spawn_compile(struct spawner *s, const struct spawn_compile_spec *spec,
                                         spawn_tool_made_fn *made, void *arg, struct spawn_tool **out,
                                         struct pl_err *err);
/* `pilotlight-runner egress`, which has the host's network; its orders come by 'control', which is taken over. Its
 * memory, and with it its share of the CPU, is limited like an instance's: what it does for all of them is bounded.
 * '*out_seat', to be given to spawn_over(), may be NULL: without control groups it limits its memory itself. */
PL_MUST_CHECK enum pl_code spawn_egress(struct spawner *s, int control, int memory_size_mb, spawn_tool_made_fn *made,
                                        void *arg, struct spawn_tool **out, struct seat **out_seat, struct pl_err *err);
/* NULL, or why no instance of this host, or of this runtime, can be let out. */
const char *spawn_why_no_network(const struct spawner *s, const char *runtime);

#endif
