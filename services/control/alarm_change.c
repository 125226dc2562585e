#include "alarm_change.h"

#include "alarm_rule.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "check.h"
#include "record.h"
#include "store_alarms.h"

#include <stdio.h>
#include <string.h>

#define STATE(name) PILOTLIGHT__V1__ALARM_STATE__ALARM_STATE_##name
#define EVENT(name) PILOTLIGHT__V1__ALARM_EVENT__ALARM_EVENT_##name

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum pl_code try_ = (call);                                                                                    \
        if (try_ != PL_OK)                                                                                             \
            return try_;                                                                                               \
    } while (0)

typedef Pilotlight__V1__Alarm alarm_message;

/* ---- rows ---- */

struct got {
    alarm_message *alarm;
    bool to_do;
    struct pl_err *err;
};

static void take_row(void *arg, const struct store_alarm *row)
{
    struct got *g = arg;
    g->alarm = record_unpack(&pilotlight__v1__alarm__descriptor, row->body, row->body_len, g->err);
    g->to_do = row->to_do;
}

static enum pl_code not_found(const char *name, struct pl_err *err)
{
    return pl_fail(err, PL_NOT_FOUND, "name", "Could not find alarm \"%s\".", name);
}

enum pl_code alarm_get(struct store *s, const char *name, alarm_message **out, bool *out_to_do, struct pl_err *err)
{
    struct got g = { .err = err };
    bool found;
    TRY(store_alarm_get(s, name, take_row, &g, &found, err));
    if (!found)
        return not_found(name, err);
    if (!g.alarm)
        return err->code;
    *out = g.alarm;
    *out_to_do = g.to_do;
    return PL_OK;
}

static enum pl_code put_row(struct store *s, const alarm_message *a, bool to_do, struct pl_err *err)
{
    struct store_alarm row = { .name = a->name, .state = (int)a->state, .to_do = to_do };
    size_t len;
    pl_cleanup(pl_free_p) void *body = record_pack(&a->base, &len);
    row.body = body;
    row.body_len = len;
    return store_alarm_put(s, &row, err);
}

static enum pl_code add_event(struct store *s, const char *alarm, int event, int64_t wall_ms, const char *summary,
                              const char *data, struct pl_err *err)
{
    const struct store_alarm_event e = {
        .alarm = alarm, .event = event, .at_ms = wall_ms, .summary = summary, .data = data
    };
    return store_alarm_event_add(s, &e, err);
}

/* ---- states ---- */

size_t alarm_actions_of(const alarm_message *a, char *const **out)
{
    switch ((int)a->state) {
    case STATE(OK):
        *out = a->ok_actions;
        return a->n_ok_actions;
    case STATE(ALARM):
        *out = a->alarm_actions;
        return a->n_alarm_actions;
    default:
        *out = a->insufficient_data_actions;
        return a->n_insufficient_data_actions;
    }
}

static void change_json(struct pl_buf *out, int from, int to, const char *reason, const char *reason_data)
{
    (void)pl_buf_addf(out,
                      "{\"from\":\"%s\",\"to\":\"%s\",\"reason\":", alarm_state_name((Pilotlight__V1__AlarmState)from),
                      alarm_state_name((Pilotlight__V1__AlarmState)to));
    (void)pl_buf_add_json(out, reason, strlen(reason));
    (void)pl_buf_adds(out, ",\"reason_data\":");
    (void)pl_buf_add_json(out, reason_data, strlen(reason_data));
    (void)pl_buf_adds(out, "}");
}

/* In a transaction: the alarm enters 'to'. */
static enum pl_code enter(struct store *s, alarm_message *a, Pilotlight__V1__AlarmState to, const char *reason,
                          const char *reason_data, int64_t wall_ms, bool *out_to_do, struct pl_err *err)
{
    char *const *actions;
    char summary[128];
    pl_cleanup(pl_buf_done) struct pl_buf data = PL_BUF_INIT(16384);
    (void)snprintf(summary, sizeof(summary), "Alarm updated from %s to %s", alarm_state_name(a->state),
                   alarm_state_name(to));
    change_json(&data, (int)a->state, (int)to, reason, reason_data);
    a->state = to;
    record_set_text(&a->state_reason, reason);
    record_set_text(&a->state_reason_data, reason_data);
    a->state_changed_at_unix_ms = wall_ms;
    *out_to_do = !a->actions_disabled && alarm_actions_of(a, &actions) > 0;
    TRY(put_row(s, a, *out_to_do, err));
    return add_event(s, a->name, EVENT(STATE), wall_ms, summary, data.data ? data.data : "{}", err);
}

enum pl_code alarm_set_state(struct store *s, const struct limits *l, const Pilotlight__V1__SetAlarmStateRequest *r,
                             int64_t wall_ms, bool *out_to_do, struct pl_err *err)
{
    pl_cleanup(record_free_p) alarm_message *a = NULL;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(alarm_check_name(l, "name", r->name, err));
    TRY(alarm_check_state("state", (int)r->state, false, err));
    TRY(check_length(l, LIMIT_alarm_reason, "reason", r->reason, err));
    TRY(check_length(l, LIMIT_alarm_reason_data, "reason_data", r->reason_data, err));
    TRY(store_begin(&tx, s, err));
    TRY(alarm_get(s, r->name, &a, out_to_do, err));
    TRY(enter(s, a, r->state, r->reason, r->reason_data, wall_ms, out_to_do, err));
    return store_commit(&tx, err);
}

enum pl_code alarm_enter(struct store *s, alarm_message *a, Pilotlight__V1__AlarmState to, const char *reason,
                         const char *reason_data, int64_t wall_ms, bool *out_to_do, struct pl_err *err)
{
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(store_begin(&tx, s, err));
    TRY(enter(s, a, to, reason, reason_data, wall_ms, out_to_do, err));
    return store_commit(&tx, err);
}

/* ---- calls ---- */

static enum pl_code room_for_one(struct store *s, const struct limits *l, struct pl_err *err)
{
    int64_t count, most = l->row[LIMIT_alarms].max;
    TRY(store_alarms_count(s, &count, err));
    if (count < most)
        return PL_OK;
    return pl_fail_reason(err, PL_EXHAUSTED, "ALARMS", "alarm", "there are %lld alarms: at most %lld are kept",
                          (long long)count, (long long)most);
}

/* The state of the one that is there goes over to the new one. */
static void keep_state(alarm_message *a, const alarm_message *before, int64_t wall_ms)
{
    a->state = before ? before->state : STATE(INSUFFICIENT_DATA);
    record_set_text(&a->state_reason, before ? before->state_reason : "Not evaluated yet.");
    record_set_text(&a->state_reason_data, before ? before->state_reason_data : "");
    a->state_changed_at_unix_ms = before ? before->state_changed_at_unix_ms : wall_ms;
    a->updated_at_unix_ms = wall_ms;
}

enum pl_code alarm_put(struct store *s, const struct limits *l, const struct alarm_action_rules *rules,
                       const alarm_message *a, int64_t wall_ms, alarm_message **out, struct pl_err *err)
{
    struct got before = { .err = err };
    pl_cleanup(record_free_p) alarm_message *made = NULL;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    bool found;
    TRY(alarm_check(l, rules, a, err));
    TRY(store_begin(&tx, s, err));
    TRY(store_alarm_get(s, a->name, take_row, &before, &found, err));
    pl_cleanup(record_free_p) alarm_message *old = before.alarm;
    if (found && !old)
        return err->code;
    if (!found)
        TRY(room_for_one(s, l, err));
    made = record_copy(&a->base);
    keep_state(made, old, wall_ms);
    TRY(put_row(s, made, before.to_do, err));
    TRY(add_event(s, a->name, EVENT(CONFIGURATION), wall_ms, found ? "Alarm changed" : "Alarm created", "{}", err));
    TRY(store_commit(&tx, err));
    *out = pl_take(made);
    return PL_OK;
}

enum pl_code alarm_delete(struct store *s, const struct limits *l, char *const *names, size_t count, int64_t wall_ms,
                          struct pl_err *err)
{
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(alarm_check_names(l, names, count, err));
    TRY(store_begin(&tx, s, err));
    for (size_t i = 0; i < count; i++) {
        pl_cleanup(record_free_p) alarm_message *a = NULL;
        bool to_do;
        TRY(alarm_get(s, names[i], &a, &to_do, err));
        TRY(store_alarm_delete(s, names[i], err));
        TRY(add_event(s, names[i], EVENT(CONFIGURATION), wall_ms, "Alarm deleted", "{}", err));
    }
    return store_commit(&tx, err);
}

enum pl_code alarm_set_enabled(struct store *s, const struct limits *l,
                               const Pilotlight__V1__SetAlarmActionsEnabledRequest *r, int64_t wall_ms,
                               struct pl_err *err)
{
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(alarm_check_names(l, r->names, r->n_names, err));
    TRY(store_begin(&tx, s, err));
    for (size_t i = 0; i < r->n_names; i++) {
        pl_cleanup(record_free_p) alarm_message *a = NULL;
        bool to_do;
        TRY(alarm_get(s, r->names[i], &a, &to_do, err));
        a->actions_disabled = !r->enabled;
        a->updated_at_unix_ms = wall_ms;
        TRY(put_row(s, a, to_do && r->enabled, err));
        TRY(add_event(s, a->name, EVENT(CONFIGURATION), wall_ms, r->enabled ? "Actions enabled" : "Actions disabled",
                      "{}", err));
    }
    return store_commit(&tx, err);
}

/* ---- actions ---- */

enum pl_code alarm_acted(struct store *s, const char *name, const char *action, const char *detail, int64_t wall_ms,
                         struct pl_err *err)
{
    pl_cleanup(pl_buf_done) struct pl_buf data = PL_BUF_INIT(16384);
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(pl_free_p) char *summary =
        pl_format(*detail ? "Failed to execute action %.200s" : "Successfully executed action %.200s", action);
    (void)pl_buf_adds(&data, "{\"action\":");
    (void)pl_buf_add_json(&data, action, strlen(action));
    (void)pl_buf_adds(&data, ",\"error\":");
    (void)pl_buf_add_json(&data, detail, strlen(detail));
    (void)pl_buf_adds(&data, "}");
    TRY(store_begin(&tx, s, err));
    TRY(add_event(s, name, EVENT(ACTION), wall_ms, summary, data.data ? data.data : "{}", err));
    return store_commit(&tx, err);
}

enum pl_code alarm_done(struct store *s, const char *name, struct pl_err *err)
{
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(store_begin(&tx, s, err));
    TRY(store_alarm_done(s, name, err));
    return store_commit(&tx, err);
}
