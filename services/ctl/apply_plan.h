/* apply_plan - what an apply will do to each resource, decided before anything is changed.
 *
 * Models and endpoint configs are immutable: a changed spec is refused, unless they may be replaced (deleted and
 * created again). An endpoint is updated when it shall serve another config, and also when the config it serves, or a
 * model of that config, is replaced in the same apply; it is created anew when it FAILED, because such an endpoint
 * serves nothing. */
#ifndef CTL_APPLY_PLAN_H
#define CTL_APPLY_PLAN_H

#include "diff.h"
#include "manifest.h"

#include <stdio.h>

struct client;

enum apply_action {
    APPLY_NOTHING,
    APPLY_CREATE,
    APPLY_TAGS,     /* only tags differ                                             */
    APPLY_REPLACE,  /* model, endpoint config: delete and create again              */
    APPLY_UPDATE,   /* endpoint: to another config, or to the same one made anew    */
    APPLY_RECREATE, /* endpoint: FAILED or on its way out; delete, wait, create     */
    APPLY_REFUSED,  /* it cannot be what the manifest says                          */
};

struct apply_step {
    const struct manifest_item *item;
    enum apply_action action;
    ProtobufCMessage *live; /* NULL: not there */
    struct diff diff;       /* live -> wanted */
    bool renewed;           /* endpoint: what it uses is replaced in this apply */
};

struct apply_plan {
    struct apply_step *steps; /* as the manifest's items */
    size_t count;
};

/* Reads what is there. 'm' must outlive the plan. */
PL_MUST_CHECK enum pl_code apply_plan_make(struct apply_plan *out, struct client *c, const struct manifest *m,
                                           bool replace, struct pl_err *err);
void apply_plan_done(struct apply_plan *p);

/* Decides the actions from 'live' of each step. Pure; part of apply_plan_make(). */
void apply_plan_decide(struct apply_plan *p, bool replace);
/* A line per resource, "+", "~", "=" or "!", and its changes below it. */
void apply_plan_print(const struct apply_plan *p, FILE *out);
size_t apply_plan_count(const struct apply_plan *p, enum apply_action action);
/* Why the plan cannot be carried out: what cannot change, and what to do about it; what the server refuses of what is to
 * be made; what names something that is neither there nor in the plan. PL_OK when there is nothing. Changes nothing. */
PL_MUST_CHECK enum pl_code apply_plan_check(const struct apply_plan *p, struct client *c, struct pl_err *err);
/* The first of these alone: without the server. */
PL_MUST_CHECK enum pl_code apply_plan_check_refused(const struct apply_plan *p, struct pl_err *err);

#endif
