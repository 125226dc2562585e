/* scaling_rule - how much provisioned concurrency a policy asks for. Pure.
 *
 * Out: when each of the newest three minutes was above the target, to capacity x their mean / target, rounded up.
 * In:  when each of the newest fifteen was below 0.9 x the target, to capacity x their highest / target, rounded up.
 * Otherwise it stays. A used share that was not measured in a minute was 0 (nobody called); another metric's gap stops
 * both. These are the alarms that Application Auto Scaling makes for a target-tracking policy. */
#ifndef CONTROL_SCALING_RULE_H
#define CONTROL_SCALING_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCALING_OUT_MINUTES 3
#define SCALING_IN_MINUTES  15
#define SCALING_IN_SHARE    0.9 /* of the target */

struct scaling_point {
    bool known;
    double value;
};
struct scaling_input {
    double target;
    int32_t capacity;
    bool gaps_are_zero;
    struct scaling_point minutes[SCALING_IN_MINUTES]; /* oldest first */
};
/* The wanted capacity, not bounded by anything; 'out_value' is what it was compared with. */
int32_t scaling_wanted(const struct scaling_input *in, double *out_value);

#endif
