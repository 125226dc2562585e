#include "alarms.h"

#include "alarm_actions.h"
#include "alarm_change.h"
#include "alarm_rule.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "control.h"
#include "control_config.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "record.h"
#include "store_alarms.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define TURN_ALARMS 50 /* in one turn; the rest after a pause, so that calls get theirs */
#define PAUSE_MS    5
#define RETRY_MS    5000

struct watched {
    UT_hash_handle hh;
    char *name;
    int32_t period_s;
    int64_t at_ms;    /* monotonic: when it is looked at next */
    unsigned running; /* actions under way */
};

struct alarms {
    struct control *control;
    struct alarm_action_rules rules;
    struct alarm_actions *actions;
    struct watched *watched;
    struct loop_timer timer;
    struct metrics_gauge *count;
    struct metrics_counter *evaluations, *acted, *failed;
};

static void rearm(struct alarms *all)
{
    struct watched *w, *next;
    int64_t at = INT64_MAX;
    HASH_ITER(hh, all->watched, w, next)
    {
        at = w->at_ms < at ? w->at_ms : at;
    }
    if (at == INT64_MAX)
        loop_timer_clear(all->control->loop, &all->timer);
    else
        loop_timer_set(all->control->loop, &all->timer, at);
    if (all->count)
        metrics_set(all->count, (int64_t)HASH_COUNT(all->watched));
}

/* ---- actions ---- */

static struct watched *find(struct alarms *all, const char *name)
{
    struct watched *w;
    HASH_FIND_STR(all->watched, name, w);
    return w;
}

static void acted(void *arg, const char *alarm, const char *action, const char *detail)
{
    struct alarms *all = arg;
    struct watched *w = find(all, alarm); /* maybe another one of that name, made since */
    struct pl_err err;
    bool last = w && w->running > 0 && --w->running == 0;
    if (*detail)
        log_warn("alarm_action_failed", LOG_STR("alarm", alarm), LOG_STR("action", action), LOG_STR("error", detail));
    if (all->acted)
        metrics_add(*detail ? all->failed : all->acted, 1);
    if (alarm_acted(all->control->store, alarm, action, detail, pl_wall_ms(), &err) != PL_OK ||
        (last && alarm_done(all->control->store, alarm, &err) != PL_OK))
        log_warn("alarm_not_written", LOG_STR("alarm", alarm), LOG_CODE(&err), LOG_ERR(&err));
}

static void add_field(struct pl_buf *out, const char *key, const char *value)
{
    (void)pl_buf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", key);
    (void)pl_buf_add_json(out, value, strlen(value));
}

static void describe(const Pilotlight__V1__Alarm *a, const char *previous, struct pl_buf *out)
{
    char at[25];
    (void)pl_buf_addc(out, '{');
    add_field(out, "alarm", a->name);
    add_field(out, "description", a->description);
    add_field(out, "state", alarm_state_name(a->state));
    add_field(out, "previous_state", previous);
    add_field(out, "reason", a->state_reason);
    add_field(out, "at", pl_wall_text(a->state_changed_at_unix_ms, at));
    (void)pl_buf_adds(out, ",\"metric\":{");
    (void)pl_buf_adds(out, "\"namespace\":");
    (void)pl_buf_add_json(out, a->metric->namespace_, strlen(a->metric->namespace_));
    add_field(out, "name", a->metric->name);
    (void)pl_buf_adds(out, ",\"dimensions\":{");
    for (size_t i = 0; i < a->metric->n_dimensions; i++) {
        const Pilotlight__V1__Dimension *d = a->metric->dimensions[i];
        if (i > 0)
            (void)pl_buf_addc(out, ',');
        (void)pl_buf_add_json(out, d->name, strlen(d->name));
        (void)pl_buf_addc(out, ':');
        (void)pl_buf_add_json(out, d->value, strlen(d->value));
    }
    (void)pl_buf_addf(out, "}},\"statistic\":\"%s\",\"period_s\":%d,\"threshold\":%.17g}", a->statistic, a->period_s,
                      a->threshold);
}

/* The state before, from the last line of history: it was written in the same transaction. */
static void take_previous(void *arg, const struct store_alarm_event *e)
{
    static const char *const names[] = { "OK", "ALARM", "INSUFFICIENT_DATA" };
    const char **out = arg;
    for (size_t i = 0; i < PL_COUNT(names); i++) {
        pl_cleanup(pl_free_p) char *start = pl_format("{\"from\":\"%s\"", names[i]);
        if (strncmp(e->data, start, strlen(start)) == 0)
            *out = names[i];
    }
}

static void run_actions(struct alarms *all, struct watched *w, const Pilotlight__V1__Alarm *a)
{
    const struct store_alarm_event_query last = {
        .alarm = a->name, .event = PILOTLIGHT__V1__ALARM_EVENT__ALARM_EVENT_STATE, .before_ms = INT64_MAX, .limit = 1
    };
    const char *previous = "INSUFFICIENT_DATA";
    char *const *actions;
    struct pl_err err;
    size_t count = alarm_actions_of(a, &actions);
    pl_cleanup(pl_buf_done) struct pl_buf json = PL_BUF_INIT(256 << 10);
    if (store_alarm_events_list(all->control->store, &last, take_previous, &previous, &err) != PL_OK)
        log_warn("alarm_history_unreadable", LOG_STR("alarm", a->name), LOG_CODE(&err), LOG_ERR(&err));
    describe(a, previous, &json);
    const struct alarm_action_event e = {
        .alarm = a->name,
        .state = alarm_state_name(a->state),
        .previous_state = previous,
        .reason = a->state_reason,
        .json = json.data && !json.failed ? json.data : "{}",
    };
    w->running++; /* until all have been asked for */
    for (size_t i = 0; i < count; i++) {
        if (alarm_action_kind(actions[i]) == ALARM_ACTION_NONE)
            continue;
        w->running++;
        alarm_actions_run(all->actions, actions[i], &e);
    }
    if (--w->running == 0 && alarm_done(all->control->store, a->name, &err) != PL_OK)
        log_warn("alarm_not_written", LOG_STR("alarm", a->name), LOG_CODE(&err), LOG_ERR(&err));
}

void alarms_act(struct alarms *all, const char *name)
{
    struct watched *w = find(all, name);
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *a = NULL;
    bool to_do;
    if (!w)
        return;
    if (alarm_get(all->control->store, name, &a, &to_do, &err) != PL_OK) {
        log_warn("alarm_unreadable", LOG_STR("alarm", name), LOG_CODE(&err), LOG_ERR(&err));
        return;
    }
    log_info("alarm_state", LOG_STR("alarm", name), LOG_STR("state", alarm_state_name(a->state)),
             LOG_STR("reason", a->state_reason));
    run_actions(all, w, a);
}

/* ---- the clock ---- */

static void evaluate(struct alarms *all, struct watched *w, int64_t now_ms)
{
    struct pl_err err;
    int64_t wall_ms = pl_wall_ms();
    bool to_do;
    w->at_ms = now_ms + alarm_next_ms(w->period_s, wall_ms) - wall_ms;
    if (all->evaluations)
        metrics_add(all->evaluations, 1);
    if (alarm_evaluate(all->control->store, w->name, wall_ms, &to_do, &err) != PL_OK) {
        log_warn("alarm_not_evaluated", LOG_STR("alarm", w->name), LOG_CODE(&err), LOG_ERR(&err));
        w->at_ms = now_ms + RETRY_MS;
    } else if (to_do) {
        alarms_act(all, w->name);
    }
}

static void due(struct loop_timer *t)
{
    struct alarms *all = PL_CONTAINER(t, struct alarms, timer);
    struct watched *w, *next;
    int64_t now_ms = pl_now_ms();
    int seen = 0;
    HASH_ITER(hh, all->watched, w, next)
    {
        if (w->at_ms > now_ms)
            continue;
        if (seen++ == TURN_ALARMS) {
            loop_timer_set(all->control->loop, &all->timer, now_ms + PAUSE_MS);
            return;
        }
        evaluate(all, w, now_ms);
    }
    rearm(all);
}

void alarms_changed(struct alarms *all, const char *name, int32_t period_s)
{
    struct watched *w = find(all, name);
    if (!w) {
        w = PL_NEW(struct watched);
        w->name = pl_strdup(name);
        HASH_ADD_KEYPTR(hh, all->watched, w->name, strlen(w->name), w);
    }
    w->period_s = period_s;
    w->at_ms = pl_now_ms();
    rearm(all);
}

void alarms_deleted(struct alarms *all, const char *name)
{
    struct watched *w = find(all, name);
    if (!w)
        return;
    HASH_DEL(all->watched, w);
    free(w->name);
    free(w);
    rearm(all);
}

/* ---- start and stop ---- */

struct loading {
    struct alarms *all;
    char **to_do;
    size_t count;
    struct pl_err *err;
    bool failed;
};

static bool take_alarm(void *arg, const struct store_alarm *row)
{
    struct loading *l = arg;
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *a =
        record_unpack(&pilotlight__v1__alarm__descriptor, row->body, row->body_len, l->err);
    if (!a) {
        l->failed = true;
        return false;
    }
    alarms_changed(l->all, a->name, a->period_s);
    if (row->to_do) {
        l->to_do = pl_grow(l->to_do, l->count + 1, sizeof(*l->to_do));
        l->to_do[l->count++] = pl_strdup(a->name);
    }
    return true;
}

enum pl_code alarms_load(struct alarms *all, struct pl_err *err)
{
    struct loading l = { .all = all, .err = err };
    enum pl_code code = store_alarms_list(all->control->store, "", 0, take_alarm, &l, err);
    if (l.failed)
        code = err->code;
    for (size_t i = 0; i < l.count; i++) {
        if (code == PL_OK)
            alarms_act(all, l.to_do[i]);
        free(l.to_do[i]);
    }
    free(l.to_do);
    return code;
}

struct alarms *alarms_new(struct control *c, const struct control_config *config, struct metrics *m)
{
    struct alarms *all = PL_NEW(struct alarms);
    all->control = c;
    all->timer.fire = due;
    all->rules = (struct alarm_action_rules){
        .webhooks = config->alarm_webhooks,
        .plain_http = config->alarm_plain_http,
        .hosts = (const char *const *)config->alarm_hosts.items,
        .host_count = config->alarm_hosts.count,
        .commands = (const char *const *)config->alarm_commands.items,
        .command_count = config->alarm_commands.count,
    };
    all->actions = alarm_actions_new(&(struct alarm_actions_options){
        .loop = c->loop, .rules = all->rules, .timeout_ms = config->alarm_timeout_ms, .done = acted, .arg = all });
    if (m) {
        all->count = metrics_gauge(m, "control_alarms", NULL, "Alarms");
        all->evaluations = metrics_counter(m, "control_alarm_evaluations_total", NULL, "Evaluations of alarms");
        all->acted = metrics_counter(m, "control_alarm_actions_total", NULL, "Actions of alarms that succeeded");
        all->failed = metrics_counter(m, "control_alarm_actions_failed_total", NULL, "Actions of alarms that failed");
    }
    return all;
}

void alarms_free(struct alarms *all)
{
    struct watched *w, *next;
    if (!all)
        return;
    alarm_actions_free(all->actions);
    loop_timer_clear(all->control->loop, &all->timer);
    HASH_ITER(hh, all->watched, w, next)
    {
        HASH_DEL(all->watched, w);
        free(w->name);
        free(w);
    }
    free(all);
}

const struct alarm_action_rules *alarms_rules(const struct alarms *all)
{
    return &all->rules;
}
