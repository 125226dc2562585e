#include "monitoring_shapes.h"

#include "shape_literals.h"

#include <ctype.h>
#include <string.h>

/* "[^:].*" */
static bool is_namespace(const char *s)
{
    return *s != ':';
}

/* "[a-z][a-zA-Z0-9_]*", checked by the client in this form too. */
static bool is_id(const char *s)
{
    if (!islower((unsigned char)*s))
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

static const char *const units[] = {
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
    NULL,
};
static const char *const statistics[] = { "SampleCount", "Average", "Sum", "Minimum", "Maximum", NULL };
static const char *const states[] = { "OK", "ALARM", "INSUFFICIENT_DATA", NULL };
static const char *const comparisons[] = { "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
                                           "LessThanOrEqualToThreshold", NULL };
static const char *const treatments[] = { "breaching", "notBreaching", "ignore", "missing", NULL };
static const char *const low_sample[] = { "evaluate", "ignore", NULL };
static const char *const orders[] = { "TimestampDescending", "TimestampAscending", NULL };
static const char *const activities[] = { "PT3H", NULL };
static const char *const alarm_types[] = { "CompositeAlarm", "MetricAlarm", NULL };
static const char *const events[] = { "ConfigurationUpdate", "StateUpdate", "Action", NULL };

static const struct shape any = { .type = SHAPE_ANY }, boolean = { .type = SHAPE_BOOL }, time_ = { .type = SHAPE_TIME },
                          number = { .type = SHAPE_NUMBER };
static const struct shape name_space = {
    .type = SHAPE_STRING, .min = 1, .max = 255, .pattern = "[^:].*", .matches = is_namespace
};
static const struct shape id = {
    .type = SHAPE_STRING, .min = 1, .max = 255, .pattern = "[a-z][a-zA-Z0-9_]*", .matches = is_id
};
static const struct shape name = STRING(1, 255), value = STRING(1, 1024), text = STRING(1, 1024),
                          token = STRING(0, 8192);
static const struct shape unit = ENUM(units), statistic = ENUM(statistics), state = ENUM(states),
                          comparison = ENUM(comparisons), treatment = ENUM(treatments), low = ENUM(low_sample),
                          order = ENUM(orders), activity = ENUM(activities), alarm_type = ENUM(alarm_types),
                          event = ENUM(events);
static const struct shape any_period = { .type = SHAPE_INTEGER }; /* the operation says what is wrong with it */
static const struct shape period = { .type = SHAPE_INTEGER, .min = 1 };
static const struct shape positive = { .type = SHAPE_INTEGER, .min = 1 };
static const struct shape records = { .type = SHAPE_INTEGER, .min = 1, .max = 100 };

static const struct shape dimension = OBJECT({ "Name", &name, true }, { "Value", &value, true });
static const struct shape dimensions = LIST(0, 30, dimension);
static const struct shape statistic_list = LIST(1, 5, statistic), extended_statistic = STRING(1, 255),
                          extended_list = LIST(1, 10, extended_statistic);

const struct shape shape_monitoring_get_metric_statistics =
    OBJECT({ "Namespace", &name_space, false }, { "MetricName", &name, false }, { "Dimensions", &dimensions, false },
           { "StartTime", &time_, false }, { "EndTime", &time_, false }, { "Period", &any_period, false },
           { "Statistics", &statistic_list, false }, { "ExtendedStatistics", &extended_list, false },
           { "Unit", &unit, false });

/* ---- GetMetricData ---- */

static const struct shape metric =
    OBJECT({ "Namespace", &name_space, false }, { "MetricName", &name, false }, { "Dimensions", &dimensions, false });
static const struct shape metric_stat =
    OBJECT({ "Metric", &metric, true }, { "Period", &period, true }, { "Stat", &name, true }, { "Unit", &unit, false });
static const struct shape math_text = STRING(1, 2048), label = STRING(0, 2048);
static const struct shape query =
    OBJECT({ "Id", &id, true }, { "MetricStat", &metric_stat, false }, { "Expression", &math_text, false },
           { "Label", &label, false }, { "ReturnData", &boolean, false }, { "Period", &period, false });
static const struct shape queries = LIST(1, 500, query);
static const struct shape most = { .type = SHAPE_INTEGER, .min = 1, .max = 100800 };

const struct shape shape_monitoring_get_metric_data =
    OBJECT({ "MetricDataQueries", &queries, false }, { "StartTime", &time_, false }, { "EndTime", &time_, false },
           { "NextToken", &token, false }, { "ScanBy", &order, false }, { "MaxDatapoints", &most, false });

/* ---- ListMetrics, PutMetricData ---- */

static const struct shape filter = OBJECT({ "Name", &name, true }, { "Value", &value, false });
static const struct shape filters = LIST(0, 10, filter);
const struct shape shape_monitoring_list_metrics =
    OBJECT({ "Namespace", &name_space, false }, { "MetricName", &name, false }, { "Dimensions", &filters, false },
           { "NextToken", &token, false }, { "RecentlyActive", &activity, false });

static const struct shape statistic_set = OBJECT({ "SampleCount", &number, true }, { "Sum", &number, true },
                                                 { "Minimum", &number, true }, { "Maximum", &number, true });
static const struct shape number_list = LIST(1, 150, number);
static const struct shape datum =
    OBJECT({ "MetricName", &name, true }, { "Dimensions", &dimensions, false }, { "Timestamp", &time_, false },
           { "Value", &number, false }, { "StatisticValues", &statistic_set, false }, { "Values", &number_list, false },
           { "Counts", &number_list, false }, { "Unit", &unit, false }, { "StorageResolution", &positive, false });
static const struct shape data = LIST(1, 1000, datum);
const struct shape shape_monitoring_put_metric_data =
    OBJECT({ "Namespace", &name_space, false }, { "MetricData", &data, false }, { "EntityMetricData", &any, false });

/* ---- alarms ---- */

static const struct shape description = STRING(0, 1024), actions = LIST(0, 5, text);
static const struct shape alarm_names = LIST(0, 100, name);
static const struct shape tag_key = STRING(1, 128), tag_value = STRING(0, 256);
static const struct shape tag = OBJECT({ "Key", &tag_key, true }, { "Value", &tag_value, true });
static const struct shape tags = LIST(0, 50, tag); /* without effect */

const struct shape shape_monitoring_put_metric_alarm = OBJECT(
    { "AlarmName", &name, false }, { "AlarmDescription", &description, false }, { "ActionsEnabled", &boolean, false },
    { "OKActions", &actions, false }, { "AlarmActions", &actions, false },
    { "InsufficientDataActions", &actions, false }, { "MetricName", &name, false }, { "Namespace", &name_space, false },
    { "Statistic", &statistic, false }, { "ExtendedStatistic", &extended_statistic, false },
    { "Dimensions", &dimensions, false }, { "Period", &period, false }, { "Unit", &unit, false },
    { "EvaluationPeriods", &positive, false }, { "DatapointsToAlarm", &positive, false },
    { "Threshold", &number, false }, { "ComparisonOperator", &comparison, false },
    { "TreatMissingData", &treatment, false }, { "EvaluateLowSampleCountPercentile", &low, false },
    { "Metrics", &any, false }, { "ThresholdMetricId", &name, false }, { "Tags", &tags, false });

static const struct shape types = LIST(0, 2, alarm_type);
const struct shape shape_monitoring_describe_alarms = OBJECT(
    { "AlarmNames", &alarm_names, false }, { "AlarmNamePrefix", &name, false }, { "AlarmTypes", &types, false },
    { "ChildrenOfAlarmName", &name, false }, { "ParentsOfAlarmName", &name, false }, { "StateValue", &state, false },
    { "ActionPrefix", &text, false }, { "MaxRecords", &records, false }, { "NextToken", &token, false });
const struct shape shape_monitoring_describe_alarms_for_metric =
    OBJECT({ "MetricName", &name, false }, { "Namespace", &name_space, false }, { "Statistic", &statistic, false },
           { "ExtendedStatistic", &extended_statistic, false }, { "Dimensions", &dimensions, false },
           { "Period", &period, false }, { "Unit", &unit, false });
const struct shape shape_monitoring_alarm_names = OBJECT({ "AlarmNames", &alarm_names, false });

static const struct shape reason = STRING(0, 1023), reason_data = STRING(0, 4000);
const struct shape shape_monitoring_set_alarm_state =
    OBJECT({ "AlarmName", &name, false }, { "StateValue", &state, false }, { "StateReason", &reason, false },
           { "StateReasonData", &reason_data, false });
const struct shape shape_monitoring_describe_alarm_history =
    OBJECT({ "AlarmName", &name, false }, { "AlarmTypes", &types, false }, { "HistoryItemType", &event, false },
           { "StartDate", &time_, false }, { "EndDate", &time_, false }, { "MaxRecords", &records, false },
           { "NextToken", &token, false }, { "ScanBy", &order, false });
