/* rig - plays the worker for one zygote: asks it for processes, hands them a model, talks to them, reaps them. */
#ifndef SANDBOX_RIG_H
#define SANDBOX_RIG_H

#include "sandbox/plan.h"
#include "sandbox/probe.h"
#include "sandbox/zygote.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/types.h>

#define RIG_PATIENCE_MS 60000 /* only a hang takes so long */

/* What the tests of one program share. */
extern struct rig_host {
    char folder[64];   /* world-readable, removed at the end; the program, the models and the work folder lie in it */
    char program[128]; /* a copy, for users who cannot reach the build folder */
    char models[128];  /* models/one holds the file "model" */
    char model[128];
    char work[128];
    char secret[128]; /* a file that no sandbox may see */
    struct sandbox_probe probe;
} rig_host;

/* For main(): takes "--unprivileged", sets everything up, runs 'tests', cleans up. 77: cannot be done here. */
int rig_main(int argc, char **argv, const char *program, int (*tests)(void));

struct rig {
    struct sandbox_plan plan;
    pid_t zygote;
    int control;
    int log; /* of the zygote */
    uint64_t next_id;
};
/* 'mode': argv[2] of the program after "zygote". */
void rig_start(struct rig *r, enum sandbox_profile profile, const char *mode);
void rig_stop(struct rig *r);

struct inmate {
    pid_t pid;
    int pidfd, channel, log;
};
struct rig_wish {
    unsigned rlimit_mb;
    unsigned file_mb; /* of a tool: the largest file it may write; 0: any */
    int cgroups[ZYGOTE_MAX_CGROUPS];
    unsigned cgroup_count;
    bool unassigned; /* it stays blank */
};
void rig_make(struct rig *r, const struct rig_wish *w, struct inmate *out);
/* Sends one line, and the answer without its end into 'out'; false: it ended first. */
bool rig_say(struct inmate *i, const char *line, char *out, size_t size);
/* Waits for its end, or ends it: waitpid()'s status. */
int rig_reap(struct inmate *i);
int rig_kill(struct inmate *i);

bool rig_has(enum sandbox_feature f);

#endif
