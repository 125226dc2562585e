/* scaling_alarms - the alarms that show what a policy looks at: one above its target, one below 0.9 x it.
 *
 * They are alarms like any other, with the names that the policy gives them; they come and go with it. The policy does
 * not wait for them: scaling.c looks at the metric by itself, by the same rule (scaling_rule.h).
 * What cannot be written is logged: the policy works all the same. Threads: with the turn. */
#ifndef CONTROL_SCALING_ALARMS_H
#define CONTROL_SCALING_ALARMS_H

#include "pilotlight/v1/scaling.pb-c.h"

struct control;

/* 'before' is the policy that it replaces, or NULL. */
void scaling_alarms_put(struct control *c, const Pilotlight__V1__ScalingPolicy *p,
                        const Pilotlight__V1__ScalingPolicy *before);
void scaling_alarms_delete(struct control *c, const Pilotlight__V1__ListScalingPoliciesResponse *policies);

#endif
