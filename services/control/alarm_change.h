/* alarm_change - what calls and the clock write about alarms: one transaction each, with its line of history.
 *
 * A change of state leaves the alarm "to do" when its actions have to run; alarms.c runs them and says alarm_done().
 * Errors: PL_INVALID, PL_NOT_FOUND, PL_EXHAUSTED; those of store.h. Threads: with the store.
 * Memory: messages given out are freed by record_free(). */
#ifndef CONTROL_ALARM_CHANGE_H
#define CONTROL_ALARM_CHANGE_H

#include "alarm_check.h"

#include <stdint.h>

struct store;

PL_MUST_CHECK enum pl_code alarm_put(struct store *s, const struct limits *l, const struct alarm_action_rules *rules,
                                     const Pilotlight__V1__Alarm *a, int64_t wall_ms, Pilotlight__V1__Alarm **out,
                                     struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_delete(struct store *s, const struct limits *l, char *const *names, size_t count,
                                        int64_t wall_ms, struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_set_state(struct store *s, const struct limits *l,
                                           const Pilotlight__V1__SetAlarmStateRequest *r, int64_t wall_ms,
                                           bool *out_to_do, struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_set_enabled(struct store *s, const struct limits *l,
                                             const Pilotlight__V1__SetAlarmActionsEnabledRequest *r, int64_t wall_ms,
                                             struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_get(struct store *s, const char *name, Pilotlight__V1__Alarm **out, bool *out_to_do,
                                     struct pl_err *err);

/* Looks at its datapoints as of 'wall_ms' and moves it to the state they ask for. '*out_to_do': its actions have to
 * run. An alarm that is not there is nothing to do. */
PL_MUST_CHECK enum pl_code alarm_evaluate(struct store *s, const char *name, int64_t wall_ms, bool *out_to_do,
                                          struct pl_err *err);
/* Moves it to 'to', which is another state than the one it has. 'a' is changed. */
PL_MUST_CHECK enum pl_code alarm_enter(struct store *s, Pilotlight__V1__Alarm *a, Pilotlight__V1__AlarmState to,
                                       const char *reason, const char *reason_data, int64_t wall_ms, bool *out_to_do,
                                       struct pl_err *err);
/* When an alarm of that period is to be looked at again, after 'wall_ms'. */
int64_t alarm_next_ms(int32_t period_s, int64_t wall_ms);

/* One action was run; 'detail' says how it failed, "" = it did not. */
PL_MUST_CHECK enum pl_code alarm_acted(struct store *s, const char *name, const char *action, const char *detail,
                                       int64_t wall_ms, struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_done(struct store *s, const char *name, struct pl_err *err);

/* The actions of the state that it is in. */
size_t alarm_actions_of(const Pilotlight__V1__Alarm *a, char *const **out);

/* ---- lists ---- */

PL_MUST_CHECK enum pl_code alarm_list(struct store *s, const struct limits *l,
                                      const Pilotlight__V1__ListAlarmsRequest *r,
                                      Pilotlight__V1__ListAlarmsResponse **out, struct pl_err *err);
PL_MUST_CHECK enum pl_code alarm_history(struct store *s, const struct limits *l,
                                         const Pilotlight__V1__ListAlarmHistoryRequest *r,
                                         Pilotlight__V1__ListAlarmHistoryResponse **out, struct pl_err *err);

#endif
