/* monitoring_shapes - the inputs of CloudWatch's operations, as its service model has them. What they miss although it
 * is required has an error of its own (MissingParameter), so nothing is required here but what is inside of lists. */
#ifndef GATEWAY_MONITORING_SHAPES_H
#define GATEWAY_MONITORING_SHAPES_H

#include "shape.h"

extern const struct shape shape_monitoring_get_metric_statistics, shape_monitoring_get_metric_data,
    shape_monitoring_list_metrics, shape_monitoring_put_metric_data, shape_monitoring_put_metric_alarm,
    shape_monitoring_describe_alarms, shape_monitoring_describe_alarms_for_metric, shape_monitoring_alarm_names,
    shape_monitoring_set_alarm_state, shape_monitoring_describe_alarm_history;

#endif
