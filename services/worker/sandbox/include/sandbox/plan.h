/* plan - how this host locks a process in: which profile, and which of the features that the host turned out to offer.
 *
 * A plan is made once, when the worker starts: probe.h tries the whole list of steps (steps.c) and leaves out what the
 * host refuses. From then on the plan is a promise: a step that is in the plan and fails ends the process before
 * anything untrusted has been read. Nothing degrades silently later.
 *
 * It travels to the processes as text in the environment variable SANDBOX_PLAN_VARIABLE, one "key=value" a line.
 *
 * Threads: any.  Memory: plain structs. */
#ifndef SANDBOX_PLAN_H
#define SANDBOX_PLAN_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define SANDBOX_PLAN_VARIABLE "PILOTLIGHT_SANDBOX"

/* What runs inside. Their rights are tables in profile.c and filter_rules.c. */
enum sandbox_profile {
    SANDBOX_TREES,   /* the xgboost runtime: reads its model, answers on its channel, writes nothing, one thread      */
    SANDBOX_PYTHON,  /* the python runtime: threads, its libraries (read-only), a bounded scratch folder /tmp         */
    SANDBOX_HTTP,    /* the http runtime: as python, and it runs programs that speak on a network of their own        */
    SANDBOX_UNPACK,  /* reads one archive (a descriptor), writes below /out                                          */
    SANDBOX_COMPILE, /* reads its model, writes below /out                                                           */
    SANDBOX_EGRESS,  /* has the host's network, and leads those out of sandboxes who may (egress/message.h)          */
    SANDBOX_PROFILE_COUNT
};
const char *sandbox_profile_name(enum sandbox_profile p);

/* What the host offers, one bit each. 'lost': what an operator gives up without it. 'advice': what to change. */
#define SANDBOX_FEATURES(X)                                                                                            \
    X(USER_NS, "user namespace", "an instance's user id and capabilities are the host's",                              \
      "allow user namespaces: sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone")                   \
    X(PID_NS, "pid namespace", "an instance sees and may signal other processes of its user",                          \
      "run the worker as root or allow user namespaces")                                                               \
    X(MOUNT_NS, "mount namespace", "an instance shares the host's mounts",                                             \
      "run the worker as root or allow user namespaces")                                                               \
    X(NET_NS, "network namespace", "only the system call filter keeps an instance from the network",                   \
      "run the worker as root or allow user namespaces")                                                               \
    X(IPC_NS, "ipc namespace", "an instance shares System V IPC with the host",                                        \
      "run the worker as root or allow user namespaces")                                                               \
    X(UTS_NS, "uts namespace", "an instance sees the host's name", "run the worker as root or allow user namespaces")  \
    X(ROOT, "read-only root", "an instance sees the host's files as far as its user may read them",                    \
      "run the worker as root or allow user namespaces; kernel 5.12 or newer")                                         \
    X(OWN_UID, "user id of its own", "an instance runs under the worker's own user id", "run the worker as root")      \
    X(MODEL_MOUNT, "models by descriptor", "starts are slower: no process can be prepared before its model is known",  \
      "run the worker as root (CAP_SYS_ADMIN); kernel 5.12 or newer")                                                  \
    X(SECCOMP, "system call filter", "the whole system call interface of the kernel is open to an instance",           \
      "a kernel with CONFIG_SECCOMP_FILTER")

enum sandbox_feature {
#define SANDBOX_FEATURE_ROW(id, name, lost, advice) SANDBOX_##id##_BIT,
    SANDBOX_FEATURES(SANDBOX_FEATURE_ROW)
#undef SANDBOX_FEATURE_ROW
        SANDBOX_FEATURE_COUNT
};
#define SANDBOX_HAS(features, id) (((features) >> SANDBOX_##id##_BIT) & 1u)
#define SANDBOX_BIT(id)           (1u << SANDBOX_##id##_BIT)
#define SANDBOX_ALL               ((1u << SANDBOX_FEATURE_COUNT) - 1)

struct sandbox_feature_text {
    const char *key, *name, *lost, *advice; /* "USER_NS", "user namespace", ... */
};
extern const struct sandbox_feature_text sandbox_feature_texts[SANDBOX_FEATURE_COUNT];

#define SANDBOX_MAX_FOLDERS 6

struct sandbox_plan {
    enum sandbox_profile profile;
    unsigned features;
    unsigned uid;          /* OWN_UID: user and group id of whatever runs inside, as the host sees it */
    char models[PATH_MAX]; /* "" or the folder whose sub-folders requests name as their model (without MODEL_MOUNT) */
    char work[PATH_MAX];   /* "" or the one folder that may be written: UNPACK, COMPILE */
    char folders[SANDBOX_MAX_FOLDERS][PATH_MAX]; /* "" or read, at the same path, beside those of the profile */
};

/* The text, into 'out'; false: it does not fit. */
bool sandbox_plan_write(const struct sandbox_plan *p, char *out, size_t size);
#define SANDBOX_PLAN_TEXT_MAX ((2 + SANDBOX_MAX_FOLDERS) * PATH_MAX + 512)
/* PL_INVALID: not such a text. */
PL_MUST_CHECK enum pl_code sandbox_plan_read(struct sandbox_plan *out, const char *text, struct pl_err *err);

#endif
