/* alarm_rule - the state that an alarm's datapoints ask for. Pure.
 *
 * The newest N datapoints count; M of them must breach the threshold. When some are missing, older ones of a somewhat
 * longer range step in for them; what is still missing then is treated as the alarm says:
 *   breaching, not breaching   they count as such
 *   missing, ignore            a breaching majority is ALARM, any other datapoint makes it OK; if all that is there
 *                              breaches but is too little: ALARM for 'missing' when it began M periods ago or earlier
 *                              (else one value after a silence would do), and the state stays otherwise
 * Nothing at all: INSUFFICIENT_DATA for 'missing', the state stays for 'ignore'. These are CloudWatch's rules. */
#ifndef CONTROL_ALARM_RULE_H
#define CONTROL_ALARM_RULE_H

#include "pilotlight/v1/alarm.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

/* How many more periods than N are looked at. */
#define ALARM_RULE_EXTRA 2

struct alarm_datapoint {
    bool known;
    double value;
};

#define ALARM_REASON_SIZE 1024

/* 'points' are the newest periods, oldest first; 'count' is N + ALARM_RULE_EXTRA. 'state' is the one now, which is also
 * the answer when it stays. 'out_reason' is a sentence for people, written when the answer is another state. */
Pilotlight__V1__AlarmState alarm_rule_state(const Pilotlight__V1__Alarm *a, const struct alarm_datapoint *points,
                                            size_t count, Pilotlight__V1__AlarmState state,
                                            char out_reason[ALARM_REASON_SIZE]);
bool alarm_rule_breaches(const Pilotlight__V1__Alarm *a, double value);
/* "OK", "ALARM", "INSUFFICIENT_DATA". */
const char *alarm_state_name(Pilotlight__V1__AlarmState state);

#endif
