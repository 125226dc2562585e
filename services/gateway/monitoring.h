/* monitoring - CloudWatch's metrics and alarms over our MetricsService and AlarmService: api_monitoring.c has the
 * table.
 *
 * Metrics are stored under AWS's own names, so that little is translated: lists, times, statistics' names, and the
 * rules of single calls (1,440 datapoints, one of two lists of statistics). Alarms keep their actions as they are
 * given. */
#ifndef GATEWAY_MONITORING_H
#define GATEWAY_MONITORING_H

#include "aws_call.h"
#include "base/err.h"

#include "pilotlight/v1/alarm.pb-c.h"
#include "pilotlight/v1/metrics.pb-c.h"

/* ---- operations ---- */
void monitoring_get_metric_statistics(struct aws_call *c);
void monitoring_get_metric_data(struct aws_call *c);
void monitoring_list_metrics(struct aws_call *c);
void monitoring_put_metric_data(struct aws_call *c);
void monitoring_put_metric_alarm(struct aws_call *c);
void monitoring_describe_alarms(struct aws_call *c);
void monitoring_describe_alarms_for_metric(struct aws_call *c);
void monitoring_delete_alarms(struct aws_call *c);
void monitoring_set_alarm_state(struct aws_call *c);
void monitoring_enable_alarm_actions(struct aws_call *c);
void monitoring_disable_alarm_actions(struct aws_call *c);
void monitoring_describe_alarm_history(struct aws_call *c);

/* ---- errors ---- */
void monitoring_fail_upstream(struct aws_call *c, const struct pl_err *err);
/* "InvalidParameterValue" */
void monitoring_invalid(struct aws_call *c, const char *fmt, ...) PL_PRINTF(2, 3);
/* "InvalidParameterCombination" */
void monitoring_combination(struct aws_call *c, const char *fmt, ...) PL_PRINTF(2, 3);
/* False: answered with MissingParameter. 'object' is the input or a part of it. */
bool monitoring_need(struct aws_call *c, const json_t *object, const char *member);

/* ---- metrics ---- */

/* Namespace, MetricName and Dimensions of an object, as a message of the arena; NULL: answered. */
Pilotlight__V1__Metric *monitoring_metric(struct aws_call *c, const json_t *object);
Pilotlight__V1__Dimension **monitoring_dimensions(struct aws_call *c, const json_t *list, size_t *out_count);
json_t *monitoring_dimensions_json(const Pilotlight__V1__Metric *m);
/* "Sum" <-> "sum", "SampleCount" <-> "sample_count"; NULL: it is none of the five. */
const char *monitoring_statistic(const char *aws_name);
const char *monitoring_statistic_name(const char *ours);
/* The value of one of the five, by AWS's name. */
double monitoring_value(const Pilotlight__V1__Datapoint *d, const char *aws_name);
char **monitoring_texts(struct aws_call *c, const json_t *list, size_t *out_count);
/* "1,440" */
char *monitoring_thousands(struct aws_call *c, int64_t n);

#endif
