#include "alarm_check.h"

#include "check.h"
#include "metric_key.h"
#include "statistic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_S  86400
#define WEEK_S (7 * DAY_S)

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum pl_code try_ = (call);                                                                                    \
        if (try_ != PL_OK)                                                                                             \
            return try_;                                                                                               \
    } while (0)
#define FIELD(out, ...) (snprintf((out), sizeof(out), __VA_ARGS__), (out))

/* ---- actions ---- */

enum alarm_action_kind alarm_action_kind(const char *action)
{
    if (strncasecmp(action, "https://", 8) == 0 || strncasecmp(action, "http://", 7) == 0)
        return ALARM_ACTION_WEBHOOK;
    return strncmp(action, "command:", 8) == 0 ? ALARM_ACTION_COMMAND : ALARM_ACTION_NONE;
}

const char *alarm_action_program(const struct alarm_action_rules *rules, const char *action)
{
    const char *name = action + 8;
    size_t n = strlen(name);
    for (size_t i = 0; i < rules->command_count; i++)
        if (n > 0 && strncmp(rules->commands[i], name, n) == 0 && rules->commands[i][n] == '=')
            return rules->commands[i] + n + 1;
    return NULL;
}

static bool host_matches(const char *pattern, const char *host, size_t len)
{
    size_t n = strlen(pattern);
    if (strncmp(pattern, "*.", 2) == 0)
        return len > n - 1 && strncasecmp(host + len - (n - 1), pattern + 1, n - 1) == 0;
    return len == n && strncasecmp(host, pattern, n) == 0;
}

static enum pl_code check_webhook(const struct alarm_action_rules *rules, const char *field, const char *url,
                                  struct pl_err *err)
{
    static const char host_set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-[]:_";
    const char *host = strstr(url, "://") + 3;
    size_t whole = strcspn(host, "/?#"), len = strcspn(host, *host == '[' ? "/?#" : ":/?#");
    if (!rules->webhooks)
        return pl_fail(err, PL_INVALID, field, "%s \"%.80s\": webhooks are turned off (setting alarms.webhooks)", field,
                       url);
    if (!rules->plain_http && strncasecmp(url, "https:", 6) != 0)
        return pl_fail(err, PL_INVALID, field, "%s \"%.80s\": it must start with https://", field, url);
    if (whole == 0 || len == 0 || strspn(host, host_set) < whole) /* no user:password@ */
        return pl_fail(err, PL_INVALID, field, "%s \"%.80s\" must be https://host/path", field, url);
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~')
            return pl_fail(err, PL_INVALID, field, "%s \"%.80s\" must have only printable ASCII, no spaces", field,
                           url);
    for (size_t i = 0; i < rules->host_count; i++)
        if (host_matches(rules->hosts[i], host, len))
            return PL_OK;
    if (rules->host_count == 0)
        return PL_OK;
    return pl_fail(err, PL_INVALID, field, "%s \"%.80s\": its host is not in the setting alarms.webhook_hosts", field,
                   url);
}

enum pl_code alarm_check_action(const struct alarm_action_rules *rules, const char *field, const char *action,
                                struct pl_err *err)
{
    switch (alarm_action_kind(action)) {
    case ALARM_ACTION_WEBHOOK:
        return check_webhook(rules, field, action, err);
    case ALARM_ACTION_COMMAND:
        if (alarm_action_program(rules, action))
            return PL_OK;
        return pl_fail(err, PL_INVALID, field, "%s \"%.80s\": there is no such command in the setting alarms.commands",
                       field, action);
    default:
        if (strncmp(action, "arn:", 4) == 0) /* kept and given back: what it names is elsewhere */
            return PL_OK;
        return pl_fail(err, PL_INVALID, field, "%s \"%.80s\" must be https://host/path, command:NAME or an ARN", field,
                       action);
    }
}

static enum pl_code check_actions(const struct limits *l, const struct alarm_action_rules *rules, const char *field,
                                  char *const *actions, size_t count, struct pl_err *err)
{
    char at[64];
    TRY(check_count(l, LIMIT_alarm_actions, field, count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(check_length(l, LIMIT_alarm_action, FIELD(at, "%s[%zu]", field, i), actions[i], err));
        TRY(alarm_check_action(rules, at, actions[i], err));
    }
    return PL_OK;
}

/* ---- the rest ---- */

enum pl_code alarm_check_name(const struct limits *l, const char *field, const char *name, struct pl_err *err)
{
    return check_printable(l, LIMIT_alarm_name, field, name, err);
}

enum pl_code alarm_check_names(const struct limits *l, char *const *names, size_t count, struct pl_err *err)
{
    char at[32];
    TRY(check_count(l, LIMIT_alarm_names, "names", count, err));
    for (size_t i = 0; i < count; i++)
        TRY(alarm_check_name(l, FIELD(at, "names[%zu]", i), names[i], err));
    return PL_OK;
}

enum pl_code alarm_check_state(const char *field, int state, bool any, struct pl_err *err)
{
    if ((state != 0 || any) && protobuf_c_enum_descriptor_get_value(&pilotlight__v1__alarm_state__descriptor, state))
        return PL_OK;
    return pl_fail(err, PL_INVALID, field, "%s is %d: it must be ALARM_STATE_OK, _ALARM or _INSUFFICIENT_DATA", field,
                   state);
}

static enum pl_code check_periods(const struct limits *l, const Pilotlight__V1__Alarm *a, struct pl_err *err)
{
    int64_t span_s = (int64_t)a->period_s * a->evaluation_periods;
    bool fine = a->period_s == 10 || a->period_s == 20 || a->period_s == 30;
    if (!fine && (a->period_s < 60 || a->period_s % 60 != 0 || a->period_s > WEEK_S))
        return pl_fail(err, PL_INVALID, "alarm.period_s",
                       "alarm.period_s is %d: it must be 10, 20, 30 or a multiple of 60 seconds, at most a week",
                       a->period_s);
    TRY(check_number(l, LIMIT_alarm_evaluation_periods, "alarm.evaluation_periods", a->evaluation_periods, err));
    if (span_s > (a->period_s >= 3600 ? WEEK_S : DAY_S))
        return pl_fail(
            err, PL_INVALID, "alarm.evaluation_periods",
            "alarm.evaluation_periods x period_s is %lld s: it must be at most a day (86400), for periods of an "
            "hour and more a week",
            (long long)span_s);
    if (a->datapoints_to_alarm < 0 || a->datapoints_to_alarm > a->evaluation_periods)
        return pl_fail(err, PL_INVALID, "alarm.datapoints_to_alarm",
                       "alarm.datapoints_to_alarm is %d: it must be 0 to evaluation_periods, %d",
                       a->datapoints_to_alarm, a->evaluation_periods);
    return PL_OK;
}

static enum pl_code check_comparison(const Pilotlight__V1__Alarm *a, struct pl_err *err)
{
    struct statistic statistic;
    if (!statistic_parse(a->statistic, &statistic))
        return pl_fail(err, PL_INVALID, "alarm.statistic",
                       "alarm.statistic \"%.40s\" is none: it must be sample_count, sum, average, minimum, maximum, or "
                       "one like p99",
                       a->statistic);
    if (a->comparison == 0 ||
        !protobuf_c_enum_descriptor_get_value(&pilotlight__v1__alarm_comparison__descriptor, (int)a->comparison))
        return pl_fail(err, PL_INVALID, "alarm.comparison", "alarm.comparison is %d: it must be one of AlarmComparison",
                       (int)a->comparison);
    if (!protobuf_c_enum_descriptor_get_value(&pilotlight__v1__missing_data__descriptor, (int)a->missing_data))
        return pl_fail(err, PL_INVALID, "alarm.missing_data", "alarm.missing_data is %d: it must be one of MissingData",
                       (int)a->missing_data);
    if (!protobuf_c_enum_descriptor_get_value(&pilotlight__v1__low_samples__descriptor, (int)a->low_samples))
        return pl_fail(err, PL_INVALID, "alarm.low_samples", "alarm.low_samples is %d: it must be one of LowSamples",
                       (int)a->low_samples);
    if (!isfinite(a->threshold))
        return pl_fail(err, PL_INVALID, "alarm.threshold", "alarm.threshold must be a finite number");
    return metric_check_unit("alarm.unit", a->unit, err);
}

enum pl_code alarm_check(const struct limits *l, const struct alarm_action_rules *rules, const Pilotlight__V1__Alarm *a,
                         struct pl_err *err)
{
    if (!a)
        return pl_fail(err, PL_INVALID, "alarm", "alarm is missing: the request must carry one");
    TRY(alarm_check_name(l, "alarm.name", a->name, err));
    TRY(check_length(l, LIMIT_alarm_description, "alarm.description", a->description, err));
    TRY(metric_check(l, "alarm.metric", a->metric, err));
    TRY(check_periods(l, a, err));
    TRY(check_comparison(a, err));
    TRY(check_actions(l, rules, "alarm.ok_actions", a->ok_actions, a->n_ok_actions, err));
    TRY(check_actions(l, rules, "alarm.alarm_actions", a->alarm_actions, a->n_alarm_actions, err));
    return check_actions(l, rules, "alarm.insufficient_data_actions", a->insufficient_data_actions,
                         a->n_insufficient_data_actions, err);
}
