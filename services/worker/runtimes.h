/* runtimes - what this host can run models with, one row each, from the config and from what is installed.
 *
 *   xgboost   pilotlight-runner, for tree models; runs no code of a model's owner
 *   python    an interpreter of python.interpreters, each under a name of its own: scripts, pickled estimators
 *   http      pilotlight-runner beside a program of the model's owner that serves HTTP
 *
 * A row says how the zygote of that runtime is started and what its instances may have. A runtime whose interpreter or
 * folder is not here is left out with a warning: this host then does not offer it.
 *
 * Threads: made before any; read only from then on.  Memory: owns its strings. */
#ifndef WORKER_RUNTIMES_H
#define WORKER_RUNTIMES_H

#include "sandbox/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker_config;

#define RUNTIME_XGBOOST "xgboost"
#define RUNTIME_HTTP    "http"

struct runtime {
    const char *name;
    enum sandbox_profile profile;
    char *const *argv;     /* of its zygote; argv[0] is the program */
    unsigned processes;    /* that one instance may have at most, threads included */
    bool own_code;         /* it runs code of the model's owner */
    bool exec_model;       /* libraries and programs may lie in the model's folder */
    int64_t exit_grace_ms; /* to leave by itself when it has been told to; then it is killed */
    bool eager;            /* its zygote and stock are there before the first request */
    const char
        *folders[SANDBOX_MAX_FOLDERS]; /* of the host, that its instances see beside the profile's; ends with NULL */
};

struct runtimes;

/* PL_INVALID: the settings contradict themselves, or name what is not here. 'runner': its path, copied. */
PL_MUST_CHECK enum pl_code runtimes_new(struct runtimes **out, const struct worker_config *c, const char *runner,
                                        struct pl_err *err);
void runtimes_free(struct runtimes *r); /* NULL is fine */

size_t runtimes_count(const struct runtimes *r);
const struct runtime *runtimes_at(const struct runtimes *r, size_t i);
const struct runtime *runtimes_find(const struct runtimes *r, const char *name); /* NULL: not offered here */
/* For messages that carry them: runtimes_count() names. */
char **runtimes_names(const struct runtimes *r);
/* Not offered after all: this host cannot lock it in. */
void runtimes_drop(struct runtimes *r, const char *name);

/* What the rows of the config cannot say. */
PL_MUST_CHECK enum pl_code runtimes_check(const struct worker_config *c, struct pl_err *err);

#endif
