/* CloudWatch: the table of operations, and errors in its names. */
#include "aws_error.h"
#include "aws_words.h"
#include "monitoring.h"
#include "services.h"

#include <stdarg.h>
#include <string.h>

static const struct aws_operation operations[] = {
    { "GetMetricStatistics", monitoring_get_metric_statistics },
    { "GetMetricData", monitoring_get_metric_data },
    { "ListMetrics", monitoring_list_metrics },
    { "PutMetricData", monitoring_put_metric_data },
    { "PutMetricAlarm", monitoring_put_metric_alarm },
    { "DescribeAlarms", monitoring_describe_alarms },
    { "DescribeAlarmsForMetric", monitoring_describe_alarms_for_metric },
    { "DeleteAlarms", monitoring_delete_alarms },
    { "SetAlarmState", monitoring_set_alarm_state },
    { "EnableAlarmActions", monitoring_enable_alarm_actions },
    { "DisableAlarmActions", monitoring_disable_alarm_actions },
    { "DescribeAlarmHistory", monitoring_describe_alarm_history },
    { 0 },
};

/* Newer SDKs may also choose RPC v2 CBOR, by path and the header smithy-protocol; routes.c refuses that. */
const struct aws_service monitoring_service = {
    .name = "cloudwatch",
    .signing_name = "monitoring",
    .target_prefix = "GraniteServiceVersion20100801",
    .json = AWS_JSON_1_0,
    .query_version = "2010-08-01",
    .xmlns = "http://monitoring.amazonaws.com/doc/2010-08-01/",
    .error_namespace = "com.amazonaws.cloudwatch#",
    .operations = operations,
    .fail_upstream = monitoring_fail_upstream,
};

void monitoring_invalid(struct aws_call *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vformat(c->arena, fmt, args);
    va_end(args);
    aws_fail_as(c, 400, "InvalidParameterValueException", "InvalidParameterValue", "%s", message);
}

void monitoring_combination(struct aws_call *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vformat(c->arena, fmt, args);
    va_end(args);
    aws_fail_as(c, 400, "InvalidParameterCombinationException", "InvalidParameterCombination", "%s", message);
}

bool monitoring_need(struct aws_call *c, const json_t *object, const char *member)
{
    const json_t *v = json_object_get(object, member);
    if (v && !json_is_null(v))
        return true;
    aws_fail_as(c, 400, "MissingRequiredParameterException", "MissingParameter", "The parameter %s is required.",
                member);
    return false;
}

/* Names of our protos in control's sentences, in AWS's. */
static const struct aws_word words[] = {
    { "alarm.metric.namespace", "Namespace" },
    { "alarm.metric.name", "MetricName" },
    { "alarm.metric.dimensions", "Dimensions" },
    { "alarm.name", "AlarmName" },
    { "alarm.description", "AlarmDescription" },
    { "alarm.statistic", "Statistic" },
    { "alarm.unit", "Unit" },
    { "alarm.threshold", "Threshold" },
    { "alarm.", "" },
    { "period_s", "Period" },
    { "evaluation_periods", "EvaluationPeriods" },
    { "datapoints_to_alarm", "DatapointsToAlarm" },
    { "alarm_actions", "AlarmActions" },
    { "ok_actions", "OKActions" },
    { "insufficient_data_actions", "InsufficientDataActions" },
    { "reason_data", "StateReasonData" },
    { "data[", "MetricData[" },
    { "queries[", "MetricDataQueries[" },
    { "queries", "MetricDataQueries" },
    { "metric.namespace", "Namespace" },
    { "metric.name", "MetricName" },
    { "metric.dimensions", "Dimensions" },
    { "values", "Values" },
    { "counts", "Counts" },
    { "sample_count", "SampleCount" },
    { "at_unix_ms", "Timestamp" },
    { "resolution_s", "StorageResolution" },
    { "extended_statistics", "ExtendedStatistics" },
    { "start_unix_ms", "StartTime" },
    { "end_unix_ms", "EndTime" },
    { 0 },
};

void monitoring_fail_upstream(struct aws_call *c, const struct pl_err *err)
{
    switch (err->code) {
    case PL_INVALID:
    case PL_OUT_OF_RANGE:
        if (strcmp(err->field, "page_token") == 0)
            aws_fail_as(c, 400, "InvalidNextToken", "InvalidNextToken", "The next token specified is invalid.");
        else
            monitoring_invalid(c, "%s", aws_words(c->arena, err->message, words));
        break;
    case PL_NOT_FOUND:
        aws_fail_as(c, 404, "ResourceNotFound", "ResourceNotFound", "%s", err->message);
        break;
    case PL_EXHAUSTED:
        aws_fail_as(c, 400, "LimitExceededFault", "LimitExceeded", "%s", err->message);
        break;
    case PL_UNAVAILABLE:
    case PL_DEADLINE:
    case PL_CANCELLED:
        aws_fail(c, AWS_UNAVAILABLE, "%s", err->message);
        break;
    default:
        aws_fail_as(c, 500, "InternalServiceFault", "InternalServiceError", "%s", err->message);
        break;
    }
}
