/* alarms - looks at each alarm when its time has come, and has the actions of those that changed run.
 *
 * The rules are alarm_rule.c's, the writing alarm_change.c's; this is the timer between them. While there are no alarms
 * it is not set. An action that control was stopped in the middle of is run again at the next start.
 * Threads: with the turn. */
#ifndef CONTROL_ALARMS_H
#define CONTROL_ALARMS_H

#include "alarm_check.h"

#include <stdint.h>

struct alarms;
struct control;
struct control_config;
struct metrics;

/* 'm' may be NULL. */
struct alarms *alarms_new(struct control *c, const struct control_config *config, struct metrics *m);
void alarms_free(struct alarms *all); /* NULL is fine */
/* Takes up what the database holds. */
PL_MUST_CHECK enum pl_code alarms_load(struct alarms *all, struct pl_err *err);
const struct alarm_action_rules *alarms_rules(const struct alarms *all);

/* It was made or changed: looked at soon. */
void alarms_changed(struct alarms *all, const char *name, int32_t period_s);
void alarms_deleted(struct alarms *all, const char *name);
/* Its actions are to do. */
void alarms_act(struct alarms *all, const char *name);

#endif
