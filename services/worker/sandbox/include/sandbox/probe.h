/* probe - what this host can enforce, found out by doing it.
 *
 * `pilotlight-runner probe [--uid N]` starts a zygote with everything in its plan and lets it make one instance, over
 * the same protocol as in life. Whatever step fails is left out, and so on until one comes up; what is left is the
 * plan. So there is no second opinion on what works. It prints one JSON object a line (PROBE_* keys below): the worker
 * reads them when it starts, `pilotlight doctor` shows them.
 *
 *     {"kind":"feature","key":"USER_NS","name":"user namespace","ok":true}
 *     {"kind":"feature","key":"NET_NS","name":...,"ok":false,"why":"...","lost":"...","advice":"..."}
 *     {"kind":"limit","key":"MEMORY","name":"memory","ok":true}
 *     {"kind":"plan","features":1023,"uid":1900000000,"privileged":true,"limits":"cgroup
 * v2","start_us":900,"complete":true}
 *
 * Threads: one; makes processes, so never from a program that has started the RPC library. */
#ifndef SANDBOX_PROBE_H
#define SANDBOX_PROBE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A user id that the usual ranges leave alone (1879048192..2147483647 belongs to nobody). */
#define SANDBOX_DEFAULT_UID 1900000000

struct sandbox_probe {
    unsigned features; /* bits of enum sandbox_feature that work together */
    bool privileged;
    int64_t start_us;  /* how long that one instance took, from the request to its first word */
    char why[16][160]; /* of each feature that is missing: the step that failed, and how */
};

/* 'program': pilotlight-runner. PL_PRECONDITION: not even a plain process comes up. */
PL_MUST_CHECK enum pl_code sandbox_probe(struct sandbox_probe *out, const char *program, unsigned uid,
                                         struct pl_err *err);

int sandbox_probe_main(int argc, char **argv);
/* The instance's side: says that it came up. */
int sandbox_trial_main(int argc, char **argv);

#endif
