/* alarm_check - whether an alarm is one that can be kept. Errors: PL_INVALID naming field, value and limit. */
#ifndef CONTROL_ALARM_CHECK_H
#define CONTROL_ALARM_CHECK_H

#include "base/err.h"

#include "pilotlight/v1/alarm.pb-c.h"

#include <stdbool.h>

struct limits;

/* What actions may do; from the settings. */
struct alarm_action_rules {
    bool webhooks;
    bool plain_http;
    const char *const *hosts; /* that webhooks may go to, "hooks.example.com" or "*.example.com"; none = any */
    size_t host_count;
    const char *const *commands; /* "NAME=/path/to/program" */
    size_t command_count;
};

/* 'a' NULL is invalid. */
PL_MUST_CHECK enum pl_code alarm_check(const struct limits *l, const struct alarm_action_rules *rules,
                                       const Pilotlight__V1__Alarm *a, struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_check_name(const struct limits *l, const char *field, const char *name,
                                            struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_check_names(const struct limits *l, char *const *names, size_t count,
                                             struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_check_state(const char *field, int state, bool any, struct pl_err *err);

enum alarm_action_kind { ALARM_ACTION_NONE, ALARM_ACTION_WEBHOOK, ALARM_ACTION_COMMAND };
/* NONE for what is kept and passed over. */
enum alarm_action_kind alarm_action_kind(const char *action);
/* The program of a "command:NAME", NULL when there is none. */
const char *alarm_action_program(const struct alarm_action_rules *rules, const char *action);
/* Also asked when the action is run: settings may have changed since. */
PL_MUST_CHECK enum pl_code alarm_check_action(const struct alarm_action_rules *rules, const char *field,
                                              const char *action, struct pl_err *err);

#endif
