/* store_alarms - alarms, what happened to them, and what of it is still to be done. As store.h. */
#ifndef CONTROL_STORE_ALARMS_H
#define CONTROL_STORE_ALARMS_H

#include "store.h"

struct store_alarm {
    int64_t id;
    const char *name;
    int state;        /* pilotlight.v1.AlarmState */
    const void *body; /* pilotlight.v1.Alarm */
    size_t body_len;
    bool to_do; /* the actions of its state have not been run */
};

/* Inserts, or replaces by name. In a transaction. */
PL_MUST_CHECK enum pl_code store_alarm_put(struct store *s, const struct store_alarm *a, struct pl_err *err);
/* '*out_found' false and no call of 'each': there is none. What 'each' gets is gone after the call. */
PL_MUST_CHECK enum pl_code store_alarm_get(struct store *s, const char *name,
                                           void (*each)(void *arg, const struct store_alarm *a), void *arg,
                                           bool *out_found, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_alarm_delete(struct store *s, const char *name, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_alarm_done(struct store *s, const char *name, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_alarms_count(struct store *s, int64_t *out, struct pl_err *err);
/* By name, behind 'after'; 'state' 0 = any. 'each' as in store_list(). */
PL_MUST_CHECK enum pl_code store_alarms_list(struct store *s, const char *after, int state,
                                             bool (*each)(void *arg, const struct store_alarm *a), void *arg,
                                             struct pl_err *err);

/* ---- history ---- */

#define STORE_ALARM_HISTORY_MS   ((int64_t)30 * 86400000)
#define STORE_ALARM_HISTORY_KEPT 1000 /* of one alarm; the oldest go */

struct store_alarm_event {
    int64_t id;
    const char *alarm;
    int event; /* pilotlight.v1.AlarmEvent */
    int64_t at_ms;
    const char *summary, *data;
};
/* Forgets what is too old or too much, too. In a transaction. */
PL_MUST_CHECK enum pl_code store_alarm_event_add(struct store *s, const struct store_alarm_event *e,
                                                 struct pl_err *err);
struct store_alarm_event_query {
    const char *alarm; /* "" = all */
    int event;         /* 0 = any */
    int64_t from_ms, before_ms;
    bool oldest_first;
    int64_t after_id; /* 0 = from the start */
    int64_t limit;
};
PL_MUST_CHECK enum pl_code store_alarm_events_list(struct store *s, const struct store_alarm_event_query *q,
                                                   void (*each)(void *arg, const struct store_alarm_event *e),
                                                   void *arg, struct pl_err *err);

#endif
