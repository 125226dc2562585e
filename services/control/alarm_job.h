/* alarm_job - one attempt at an action, run on a thread of its own; everything it needs is in the struct. */
#ifndef CONTROL_ALARM_JOB_H
#define CONTROL_ALARM_JOB_H

#include "alarm_actions.h"

struct alarm_job {
    char *action, *program; /* program: of a command, else NULL */
    char *alarm, *state, *previous_state, *reason, *json;
    int64_t timeout_ms;
    char detail[512]; /* of the last attempt: how it failed, "" = it did not */
};

void alarm_job_init(struct alarm_job *j, const struct alarm_action_rules *rules, const char *action,
                    const struct alarm_action_event *e, int64_t timeout_ms);
void alarm_job_done(struct alarm_job *j);
/* Blocks for at most the timeout. */
void alarm_job_run(struct alarm_job *j);

#endif
