/* enter - what the steps of steps.c work on, from the zygote's first to the instance's last.
 * A step returns 0, or -1 with errno; it may say more in 'detail'. */
#ifndef SANDBOX_ENTER_H
#define SANDBOX_ENTER_H

#include "filter.h"
#include "sandbox/plan.h"
#include "sandbox/zygote.h"

#include <stdbool.h>
#include <sys/types.h>

struct profile;

struct enter {
    const struct sandbox_plan *plan;
    const struct profile *profile;
    struct filter filter;
    struct filter door_filter; /* the same, and the network that it has to itself */
    bool privileged; /* the process started with CAP_SYS_ADMIN: it needs no user namespace to make the others */
    int proc_fd;     /* the host's /proc, for the maps of own_ids; -1: not needed */
    uid_t outer_uid; /* ours as the parent of an instance's user namespace knows it */
    gid_t outer_gid;
    /* of one instance; -1 = none */
    enum zygote_kind kind;
    int channel, log, extra;
    int cgroups[ZYGOTE_MAX_CGROUPS];
    unsigned cgroup_count;
    char model[ZYGOTE_MODEL_BYTES]; /* "" or a folder of plan->models */
    int model_fd;
    char code[ZYGOTE_MODEL_BYTES]; /* the same for code that did not come with the model */
    int code_fd;
    bool has_door;
    int door_fd; /* where the socket goes that leads to the outside; -1: nothing does */
    unsigned rlimit_mb, file_limit_mb;
    char detail[256];
};

enum stage {
    STAGE_ZYGOTE,   /* once, in the zygote                                     */
    STAGE_BLANK,    /* in every instance, before it has work                   */
    STAGE_ASSIGNED, /* when the model is known                                 */
    STAGE_LOCK,     /* the end of BLANK, or of ASSIGNED when profile->late_lock */
    STAGE_COPY,     /* in every copy of a template; LOCK follows */
};

/* Fills '*e' from the environment's plan. Ends the process when there is none. */
void enter_init(struct enter *e, const struct sandbox_plan *plan);
/* NULL, or the name of the step that failed, with errno. */
const char *enter_stage(struct enter *e, enum stage stage);
/* As a feature that could be left out, SANDBOX_FEATURE_COUNT: none. */
enum sandbox_feature enter_step_feature(const char *step);
/* The same, but a failure ends the process with a line on its log. */
void enter_stage_or_exit(struct enter *e, enum stage stage);

/* ---- root.c: the steps that touch mounts ---- */
int root_make_namespace(struct enter *e);
int root_build(struct enter *e);
int root_bind_model(
    struct enter *e); /* e->model below /models becomes e->model_fd, e->code e->code_fd; no more is left */
int root_mount_model(struct enter *e); /* e->model_fd appears at profile->model_at and becomes the current folder */
int root_mount_code(struct enter *e);  /* e->code_fd appears at profile->code_at */
int root_mount_scratch(struct enter *e);
int root_place_scratch(struct enter *e); /* e->extra appears at /tmp */

#define ROOT_MODELS "/models"
#define ROOT_WORK   "/out"

/* ---- identity.c: the steps that touch user ids and capabilities ---- */
bool identity_privileged(void);
int identity_zygote_namespace(struct enter *e);
int identity_take_uid(struct enter *e);
int identity_keep_clone_rights(struct enter *e); /* nothing, or what clone3() needs where user namespaces lack */
int identity_map(struct enter *e);
int identity_drop_all(struct enter *e);
int identity_keep_copy_rights(struct enter *e); /* what clone() into new namespaces needs, in its own user namespace */

#endif
