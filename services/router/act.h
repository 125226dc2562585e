/* act - drives the core: after each event its actions are carried out by whoever has a hand for them, and its clock is
 * set.
 *
 * Threads: with the turn.  Whoever calls a core_...() function that changes something calls act_flush() after it. A
 * hand must not do either. */
#ifndef ROUTER_ACT_H
#define ROUTER_ACT_H

#include "core/core.h"

struct act;
struct loop;

typedef void act_fn(void *arg, const struct core_action *a);

struct act *act_new(struct loop *l, struct core *c);
void act_free(struct act *a); /* NULL is fine */
struct core *act_core(struct act *a);

/* Before the first action of that kind. */
void act_hand(struct act *a, enum core_action_kind kind, act_fn *fn, void *arg);
void act_flush(struct act *a);

#endif
