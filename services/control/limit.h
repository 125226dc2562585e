/* limit - the one table of what a resource may be: validation, error texts and the settings' defaults come from it.
 *
 * A row is LIMIT(name, min, max, step, unit, source). Lengths of names, keys and values count what 'unit' says. Some
 * rows can be changed by the operator (settings "limits.*", see control.h); a struct limits carries the values in
 * force. Threads: the table is constant; a struct limits is filled at start and then only read. */
#ifndef CONTROL_LIMIT_H
#define CONTROL_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITS(LIMIT)                                                                                                  \
    LIMIT(name, 1, 63, 1, "characters", "SageMaker EndpointName, ModelName")                                           \
    LIMIT(memory_size_mb, 1024, 6144, 1024, "MB", "SageMaker ServerlessConfig.MemorySizeInMB")                         \
    LIMIT(max_concurrency, 1, 200, 1, "requests", "SageMaker ServerlessConfig.MaxConcurrency")                         \
    LIMIT(provisioned_concurrency, 0, 200, 1, "instances", "SageMaker ServerlessConfig.ProvisionedConcurrency")        \
    LIMIT(variants, 1, 10, 1, "variants", "SageMaker ProductionVariants")                                              \
    LIMIT(invoke_timeout_ms, 1, 60000, 1, "ms", "SageMaker Serverless: 60 s an invocation")                            \
    LIMIT(start_timeout_ms, 1, 180000, 1, "ms", "SageMaker Serverless: 180 s a cold start")                            \
    LIMIT(keep_alive_idle_ms, 0, 604800000, 1, "ms", "ours: 7 days")                                                   \
    LIMIT(artifact_uri, 1, 1024, 1, "bytes", "SageMaker ModelDataUrl")                                                 \
    LIMIT(runtime, 1, 63, 1, "characters", "as names")                                                                 \
    LIMIT(environment, 0, 100, 1, "entries", "SageMaker ContainerDefinition.Environment")                              \
    LIMIT(environment_key, 1, 1024, 1, "bytes", "SageMaker EnvironmentKey")                                            \
    LIMIT(environment_value, 0, 1024, 1, "bytes", "SageMaker EnvironmentValue")                                        \
    LIMIT(annotations, 0, 65536, 1, "bytes", "ours: keys and values together")                                         \
    LIMIT(tags, 0, 50, 1, "tags", "SageMaker TagList, per resource")                                                   \
    LIMIT(tag_key, 1, 128, 1, "characters", "SageMaker Tag.Key")                                                       \
    LIMIT(tag_value, 0, 256, 1, "characters", "SageMaker Tag.Value")                                                   \
    LIMIT(request_id, 0, 64, 1, "characters", "ours")                                                                  \
    LIMIT(page_size, 1, 1000, 1, "entries", "ours")                                                                    \
    LIMIT(name_contains, 0, 63, 1, "characters", "SageMaker NameContains")                                             \
    LIMIT(models, 0, 10000, 1, "models", "ours: what one control keeps")                                               \
    LIMIT(endpoint_configs, 0, 10000, 1, "endpoint configs", "ours: what one control keeps")                           \
    LIMIT(endpoints, 0, 1000, 1, "endpoints", "ours: what one control keeps")                                          \
    LIMIT(hosts, 0, 1000, 1, "worker hosts", "ours: what one control follows")                                         \
    LIMIT(routers, 0, 100, 1, "routers", "ours: what one control follows")                                             \
    LIMIT(watchers, 0, 10000, 1, "streams", "ours: WatchEndpoint streams at once")                                     \
    LIMIT(metrics, 0, 100000, 1, "metrics", "ours: what one control keeps")                                            \
    LIMIT(metric_namespace, 1, 255, 1, "characters", "CloudWatch Namespace")                                           \
    LIMIT(metric_name, 1, 255, 1, "characters", "CloudWatch MetricName")                                               \
    LIMIT(dimensions, 0, 30, 1, "dimensions", "CloudWatch Dimensions")                                                 \
    LIMIT(dimension_name, 1, 255, 1, "characters", "CloudWatch Dimension.Name")                                        \
    LIMIT(dimension_value, 1, 1024, 1, "characters", "CloudWatch Dimension.Value")                                     \
    LIMIT(dimension_filters, 0, 10, 1, "filters", "CloudWatch ListMetrics")                                            \
    LIMIT(metric_data, 1, 1000, 1, "data", "CloudWatch MetricData")                                                    \
    LIMIT(metric_values, 1, 150, 1, "values", "CloudWatch MetricDatum.Values")                                         \
    LIMIT(metric_queries, 1, 500, 1, "queries", "CloudWatch MetricDataQueries")                                        \
    LIMIT(extended_statistics, 0, 10, 1, "statistics", "CloudWatch ExtendedStatistics")                                \
    LIMIT(datapoints, 0, 100800, 1, "datapoints", "CloudWatch GetMetricData")                                          \
    LIMIT(metric_answer, 0, 4128768, 1, "bytes", "gRPC: what clients receive unless told otherwise, 4 MiB")            \
    LIMIT(report_batches, 1, 256, 1, "batches", "ours: in one report")                                                 \
    LIMIT(alarms, 0, 5000, 1, "alarms", "CloudWatch: alarms in a region")                                              \
    LIMIT(alarm_name, 1, 255, 1, "characters", "CloudWatch AlarmName")                                                 \
    LIMIT(alarm_names, 1, 100, 1, "names", "CloudWatch AlarmNames")                                                    \
    LIMIT(alarm_name_filters, 0, 100, 1, "names", "CloudWatch AlarmNames")                                             \
    LIMIT(alarm_description, 0, 1024, 1, "bytes", "CloudWatch AlarmDescription")                                       \
    LIMIT(alarm_actions, 0, 5, 1, "actions", "CloudWatch AlarmActions")                                                \
    LIMIT(alarm_action, 1, 1024, 1, "bytes", "CloudWatch AlarmActions")                                                \
    LIMIT(alarm_reason, 0, 1023, 1, "bytes", "CloudWatch StateReason")                                                 \
    LIMIT(alarm_reason_data, 0, 4000, 1, "bytes", "CloudWatch StateReasonData")                                        \
    LIMIT(alarm_evaluation_periods, 1, 8640, 1, "periods", "CloudWatch EvaluationPeriods: a day of 10 s")              \
    LIMIT(scaling_name, 1, 256, 1, "characters", "Application Auto Scaling PolicyName")                                \
    LIMIT(scaling_policies, 0, 50, 1, "policies", "Application Auto Scaling, per target")                              \
    LIMIT(scaling_schedules, 0, 200, 1, "schedules", "Application Auto Scaling, per target")                           \
    LIMIT(alarm_page_size, 1, 100, 1, "entries", "CloudWatch MaxRecords")

enum limit_id {
#define LIMIT(name, min, max, step, unit, source) LIMIT_##name,
    LIMITS(LIMIT)
#undef LIMIT
        LIMIT_COUNT
};

struct limit {
    const char *name; /* as in the protos where there is such a field */
    int64_t min, max, step;
    const char *unit;
    const char *source; /* where the numbers come from */
};

struct limits {
    struct limit row[LIMIT_COUNT];
    bool stay_persistent; /* an endpoint of persistent variants is not made serverless by an update */
};

/* The table as it stands above. */
void limits_init(struct limits *l);

#endif
