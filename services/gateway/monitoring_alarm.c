/* Alarms: PutMetricAlarm and what changes or lists them. */
#include "monitoring.h"

#include "aws_error.h"
#include "monitoring_shapes.h"
#include "upstream.h"

#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))

/* ---- names ---- */

struct word {
    const char *aws;
    int ours;
};
static const struct word comparisons[] = {
    { "GreaterThanThreshold", PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER },
    { "GreaterThanOrEqualToThreshold", PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER_OR_EQUAL },
    { "LessThanThreshold", PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_LESS },
    { "LessThanOrEqualToThreshold", PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_LESS_OR_EQUAL },
};
static const struct word low_samples[] = {
    { "evaluate", PILOTLIGHT__V1__LOW_SAMPLES__LOW_SAMPLES_EVALUATE },
    { "ignore", PILOTLIGHT__V1__LOW_SAMPLES__LOW_SAMPLES_IGNORE },
};
static const struct word treatments[] = {
    { "missing", PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_MISSING },
    { "ignore", PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_IGNORE },
    { "breaching", PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_BREACHING },
    { "notBreaching", PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_NOT_BREACHING },
};
static const struct word states[] = {
    { "OK", PILOTLIGHT__V1__ALARM_STATE__ALARM_STATE_OK },
    { "ALARM", PILOTLIGHT__V1__ALARM_STATE__ALARM_STATE_ALARM },
    { "INSUFFICIENT_DATA", PILOTLIGHT__V1__ALARM_STATE__ALARM_STATE_INSUFFICIENT_DATA },
};

/* 0: not given; the names have been checked. */
#define FROM_AWS(table, text) from_aws(table, PL_COUNT(table), text)
#define TO_AWS(table, value)  to_aws(table, PL_COUNT(table), (int)(value))

static int from_aws(const struct word *words, size_t count, const char *text)
{
    for (size_t i = 0; text && i < count; i++)
        if (strcmp(words[i].aws, text) == 0)
            return words[i].ours;
    return 0;
}

static const char *to_aws(const struct word *words, size_t count, int value)
{
    for (size_t i = 0; i < count; i++)
        if (words[i].ours == value)
            return words[i].aws;
    return words[0].aws;
}

static char *text_or_empty(const json_t *o, const char *member)
{
    const char *text = aws_text(o, member);
    return TEXT(text ? text : "");
}

/* ---- PutMetricAlarm ---- */

static bool read_statistic(struct aws_call *c, Pilotlight__V1__Alarm *a)
{
    const char *plain = aws_text(c->input, "Statistic"), *extended = aws_text(c->input, "ExtendedStatistic");
    if ((plain != NULL) == (extended != NULL)) {
        monitoring_combination(c, "Exactly one of the parameters Statistic and ExtendedStatistic must be specified.");
        return false;
    }
    a->statistic = TEXT(plain ? monitoring_statistic(plain) : extended);
    return true;
}

static int32_t integer(const json_t *o, const char *member)
{
    int64_t n = 0;
    (void)aws_integer(o, member, &n);
    return aws_narrow(n);
}

static bool read_alarm(struct aws_call *c, Pilotlight__V1__Alarm *a)
{
    static const char *const needed[] = { "AlarmName", "ComparisonOperator", "EvaluationPeriods", "Threshold",
                                          "Period" };
    static const char *const others[] = { "Metrics", "ThresholdMetricId" };
    for (size_t i = 0; i < PL_COUNT(others); i++)
        if (json_object_get(c->input, others[i])) {
            monitoring_invalid(c,
                               "%s: alarms over metric math and anomaly detection are not offered; an alarm has one "
                               "metric.",
                               others[i]);
            return false;
        }
    for (size_t i = 0; i < PL_COUNT(needed); i++)
        if (!monitoring_need(c, c->input, needed[i]))
            return false;
    if (!(a->metric = monitoring_metric(c, c->input)) || !read_statistic(c, a))
        return false;
    a->name = text_or_empty(c->input, "AlarmName");
    a->description = text_or_empty(c->input, "AlarmDescription");
    a->unit = text_or_empty(c->input, "Unit");
    a->period_s = integer(c->input, "Period");
    a->evaluation_periods = integer(c->input, "EvaluationPeriods");
    a->datapoints_to_alarm = integer(c->input, "DatapointsToAlarm");
    a->comparison = (Pilotlight__V1__AlarmComparison)FROM_AWS(comparisons, aws_text(c->input, "ComparisonOperator"));
    a->missing_data = (Pilotlight__V1__MissingData)FROM_AWS(treatments, aws_text(c->input, "TreatMissingData"));
    a->low_samples =
        (Pilotlight__V1__LowSamples)FROM_AWS(low_samples, aws_text(c->input, "EvaluateLowSampleCountPercentile"));
    (void)aws_number(c->input, "Threshold", &a->threshold);
    a->actions_disabled = !aws_bool(c->input, "ActionsEnabled", true);
    a->ok_actions = monitoring_texts(c, json_object_get(c->input, "OKActions"), &a->n_ok_actions);
    a->alarm_actions = monitoring_texts(c, json_object_get(c->input, "AlarmActions"), &a->n_alarm_actions);
    a->insufficient_data_actions =
        monitoring_texts(c, json_object_get(c->input, "InsufficientDataActions"), &a->n_insufficient_data_actions);
    return true;
}

static void done_empty(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (status->code != PL_OK)
        aws_fail_upstream(c, status);
    else
        aws_reply_empty(c);
}

void monitoring_put_metric_alarm(struct aws_call *c)
{
    Pilotlight__V1__PutAlarmRequest r = PILOTLIGHT__V1__PUT_ALARM_REQUEST__INIT;
    Pilotlight__V1__Alarm a = PILOTLIGHT__V1__ALARM__INIT;
    if (!shape_check(c, &shape_monitoring_put_metric_alarm) || !read_alarm(c, &a))
        return;
    r.alarm = &a;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("AlarmService", "PutAlarm"), &r.base,
                  &pilotlight__v1__put_alarm_response__descriptor, done_empty);
}

/* ---- DescribeAlarms ---- */

static json_t *texts_json(char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *alarm_json(struct aws_call *c, const Pilotlight__V1__Alarm *a)
{
    const char *plain = monitoring_statistic_name(a->statistic);
    json_t *o = json_pack(
        "{s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:s, s:s, s:o, s:s, s:s, s:o, s:i, s:i, s:f, s:s}", "AlarmName", a->name,
        "AlarmArn", aws_arn(c, "cloudwatch", arena_format(c->arena, "alarm:%s", a->name)),
        "AlarmConfigurationUpdatedTimestamp", aws_time(c, a->updated_at_unix_ms), "ActionsEnabled",
        !a->actions_disabled, "OKActions", texts_json(a->ok_actions, a->n_ok_actions), "AlarmActions",
        texts_json(a->alarm_actions, a->n_alarm_actions), "InsufficientDataActions",
        texts_json(a->insufficient_data_actions, a->n_insufficient_data_actions), "StateValue",
        TO_AWS(states, a->state), "StateReason", a->state_reason, "StateUpdatedTimestamp",
        aws_time(c, a->state_changed_at_unix_ms), "MetricName", a->metric->name, "Namespace", a->metric->namespace_,
        "Dimensions", monitoring_dimensions_json(a->metric), "Period", a->period_s, "EvaluationPeriods",
        a->evaluation_periods, "Threshold", a->threshold, "ComparisonOperator", TO_AWS(comparisons, a->comparison));
    json_object_set_new(o, plain ? "Statistic" : "ExtendedStatistic", json_string(plain ? plain : a->statistic));
    if (*a->description)
        json_object_set_new(o, "AlarmDescription", json_string(a->description));
    if (*a->state_reason_data)
        json_object_set_new(o, "StateReasonData", json_string(a->state_reason_data));
    if (*a->unit)
        json_object_set_new(o, "Unit", json_string(a->unit));
    if (a->datapoints_to_alarm > 0)
        json_object_set_new(o, "DatapointsToAlarm", json_integer(a->datapoints_to_alarm));
    if (a->missing_data)
        json_object_set_new(o, "TreatMissingData", json_string(TO_AWS(treatments, a->missing_data)));
    if (a->low_samples)
        json_object_set_new(o, "EvaluateLowSampleCountPercentile", json_string(TO_AWS(low_samples, a->low_samples)));
    return o;
}

static void reply_alarms(struct aws_call *c, const struct pl_err *status, const Pilotlight__V1__ListAlarmsResponse *r,
                         bool for_metric)
{
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    json_t *list = json_array(), *result = json_object();
    for (size_t i = 0; i < r->n_alarms; i++)
        json_array_append_new(list, alarm_json(c, r->alarms[i]));
    if (!for_metric)
        json_object_set_new(result, "CompositeAlarms", json_array());
    json_object_set_new(result, "MetricAlarms", list);
    if (!for_metric && *r->next_page_token)
        json_object_set_new(result, "NextToken", json_string(r->next_page_token));
    aws_reply(c, result);
}

static void described(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    reply_alarms(c, status, reply, false);
}

static void described_for_metric(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    reply_alarms(c, status, reply, true);
}

/* Composite alarms alone: there are none. */
static bool wants_metric_alarms(const struct aws_call *c)
{
    const json_t *types = json_object_get(c->input, "AlarmTypes");
    for (size_t i = 0; i < json_array_size(types); i++)
        if (strcmp(json_string_value(json_array_get(types, i)), "MetricAlarm") == 0)
            return true;
    return json_array_size(types) == 0;
}

void monitoring_describe_alarms(struct aws_call *c)
{
    Pilotlight__V1__ListAlarmsRequest r = PILOTLIGHT__V1__LIST_ALARMS_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_describe_alarms))
        return;
    r.names = monitoring_texts(c, json_object_get(c->input, "AlarmNames"), &r.n_names);
    r.name_prefix = text_or_empty(c->input, "AlarmNamePrefix");
    if (r.n_names > 0 && *r.name_prefix) {
        monitoring_combination(c, "The parameters AlarmNames and AlarmNamePrefix must not be specified together.");
        return;
    }
    if (!wants_metric_alarms(c) || json_object_get(c->input, "ChildrenOfAlarmName") ||
        json_object_get(c->input, "ParentsOfAlarmName")) {
        aws_reply(c, json_pack("{s:[], s:[]}", "CompositeAlarms", "MetricAlarms"));
        return;
    }
    r.state = (Pilotlight__V1__AlarmState)FROM_AWS(states, aws_text(c->input, "StateValue"));
    r.action_prefix = text_or_empty(c->input, "ActionPrefix");
    r.page_size = integer(c->input, "MaxRecords");
    r.page_token = text_or_empty(c->input, "NextToken");
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("AlarmService", "ListAlarms"), &r.base,
                  &pilotlight__v1__list_alarms_response__descriptor, described);
}

void monitoring_describe_alarms_for_metric(struct aws_call *c)
{
    Pilotlight__V1__ListAlarmsRequest r = PILOTLIGHT__V1__LIST_ALARMS_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_describe_alarms_for_metric) || !(r.metric = monitoring_metric(c, c->input)))
        return;
    r.page_size = 100;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("AlarmService", "ListAlarms"), &r.base,
                  &pilotlight__v1__list_alarms_response__descriptor, described_for_metric);
}

/* ---- the others ---- */

void monitoring_delete_alarms(struct aws_call *c)
{
    Pilotlight__V1__DeleteAlarmsRequest r = PILOTLIGHT__V1__DELETE_ALARMS_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_alarm_names) || !monitoring_need(c, c->input, "AlarmNames"))
        return;
    r.names = monitoring_texts(c, json_object_get(c->input, "AlarmNames"), &r.n_names);
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("AlarmService", "DeleteAlarms"), &r.base,
                  &pilotlight__v1__delete_alarms_response__descriptor, done_empty);
}

void monitoring_set_alarm_state(struct aws_call *c)
{
    Pilotlight__V1__SetAlarmStateRequest r = PILOTLIGHT__V1__SET_ALARM_STATE_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_set_alarm_state) || !monitoring_need(c, c->input, "AlarmName") ||
        !monitoring_need(c, c->input, "StateValue") || !monitoring_need(c, c->input, "StateReason"))
        return;
    r.name = text_or_empty(c->input, "AlarmName");
    r.state = (Pilotlight__V1__AlarmState)FROM_AWS(states, aws_text(c->input, "StateValue"));
    r.reason = text_or_empty(c->input, "StateReason");
    r.reason_data = text_or_empty(c->input, "StateReasonData");
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("AlarmService", "SetAlarmState"), &r.base,
                  &pilotlight__v1__set_alarm_state_response__descriptor, done_empty);
}

static void set_enabled(struct aws_call *c, bool enabled)
{
    Pilotlight__V1__SetAlarmActionsEnabledRequest r = PILOTLIGHT__V1__SET_ALARM_ACTIONS_ENABLED_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_alarm_names) || !monitoring_need(c, c->input, "AlarmNames"))
        return;
    r.names = monitoring_texts(c, json_object_get(c->input, "AlarmNames"), &r.n_names);
    r.enabled = enabled;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("AlarmService", "SetAlarmActionsEnabled"), &r.base,
                  &pilotlight__v1__set_alarm_actions_enabled_response__descriptor, done_empty);
}

void monitoring_enable_alarm_actions(struct aws_call *c)
{
    set_enabled(c, true);
}

void monitoring_disable_alarm_actions(struct aws_call *c)
{
    set_enabled(c, false);
}

/* ---- DescribeAlarmHistory ---- */

static const struct word events[] = {
    { "ConfigurationUpdate", PILOTLIGHT__V1__ALARM_EVENT__ALARM_EVENT_CONFIGURATION },
    { "StateUpdate", PILOTLIGHT__V1__ALARM_EVENT__ALARM_EVENT_STATE },
    { "Action", PILOTLIGHT__V1__ALARM_EVENT__ALARM_EVENT_ACTION },
};

static void history_listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListAlarmHistoryResponse *r = reply;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_entries; i++) {
        const Pilotlight__V1__AlarmHistoryEntry *e = r->entries[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s, s:s, s:s}", "AlarmName", e->alarm_name, "AlarmType",
                                              "MetricAlarm", "Timestamp", aws_time(c, e->at_unix_ms), "HistoryItemType",
                                              TO_AWS(events, e->event), "HistorySummary", e->summary, "HistoryData",
                                              e->data));
    }
    json_t *result = json_pack("{s:o}", "AlarmHistoryItems", list);
    if (*r->next_page_token)
        json_object_set_new(result, "NextToken", json_string(r->next_page_token));
    aws_reply(c, result);
}

void monitoring_describe_alarm_history(struct aws_call *c)
{
    Pilotlight__V1__ListAlarmHistoryRequest r = PILOTLIGHT__V1__LIST_ALARM_HISTORY_REQUEST__INIT;
    if (!shape_check(c, &shape_monitoring_describe_alarm_history))
        return;
    const char *order = aws_text(c->input, "ScanBy");
    r.alarm_name = text_or_empty(c->input, "AlarmName");
    r.event = (Pilotlight__V1__AlarmEvent)FROM_AWS(events, aws_text(c->input, "HistoryItemType"));
    if (json_object_get(c->input, "StartDate"))
        (void)aws_read_time(json_object_get(c->input, "StartDate"), &r.from_unix_ms);
    if (json_object_get(c->input, "EndDate"))
        (void)aws_read_time(json_object_get(c->input, "EndDate"), &r.before_unix_ms);
    r.oldest_first = order && strcmp(order, "TimestampAscending") == 0;
    r.page_size = integer(c->input, "MaxRecords");
    r.page_token = text_or_empty(c->input, "NextToken");
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("AlarmService", "ListAlarmHistory"), &r.base,
                  &pilotlight__v1__list_alarm_history_response__descriptor, history_listed);
}
