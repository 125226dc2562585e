/* alarm_actions - what an alarm does to the world outside: an HTTP POST, or a program.
 *
 * A webhook gets the JSON as its body; any 2xx answer is success, redirects are not followed. A program, which only the
 * settings can name, gets the JSON on its standard input and ALARM_NAME, ALARM_STATE, ALARM_PREVIOUS_STATE and
 * ALARM_REASON in its environment; exit 0 is success; it is killed when its time is over. Both are tried up to three
 * times, with pauses. At most ALARM_ACTIONS_MAX are under way or waiting; more fail at once.
 *
 * The work runs on the loop's job threads. Threads: with the turn; 'done' too. */
#ifndef CONTROL_ALARM_ACTIONS_H
#define CONTROL_ALARM_ACTIONS_H

#include "alarm_check.h"

#include <stdint.h>

#define ALARM_ACTIONS_MAX 256

struct alarm_actions;
struct loop;

struct alarm_actions_options {
    struct loop *loop;
    struct alarm_action_rules rules; /* what it points to outlives the module */
    int64_t timeout_ms;              /* of one attempt */
    /* 'detail' says how it failed, "" = it did not. Always later than alarm_actions_run(). */
    void (*done)(void *arg, const char *alarm, const char *action, const char *detail);
    void *arg;
};
struct alarm_actions *alarm_actions_new(const struct alarm_actions_options *o);
/* What is under way ends without 'done'; an HTTP call or a program that runs is not waited for by this, but by
 * loop_free(). NULL is fine. */
void alarm_actions_free(struct alarm_actions *all);

struct alarm_action_event {
    const char *alarm, *state, *previous_state, *reason;
    const char *json;
};
/* Everything is copied. */
void alarm_actions_run(struct alarm_actions *all, const char *action, const struct alarm_action_event *e);

#endif
