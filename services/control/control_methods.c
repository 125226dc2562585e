#include "control_methods.h"

#include "control.h"
#include "control_config.h"
#include "proto/descriptors.h"
#include "rpc/server.h"
#include "store.h"

#include "pilotlight/internal/v1/report.pb-c.h"
#include "pilotlight/internal/v1/watch.pb-c.h"
#include "pilotlight/v1/alarm.pb-c.h"
#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/metrics.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"
#include "pilotlight/v1/scaling.pb-c.h"
#include "pilotlight/v1/usage.pb-c.h"

#define KIB ((size_t)1024)
/* A model's environment and annotations at their limits, with room for the envelope. */
#define RESOURCE_BYTES (512 * KIB)
#define SMALL_BYTES    (16 * KIB)
/* A thousand data of 150 values, 500 queries with 30 dimensions, or what a router measured while control was away. */
#define MEASURED_BYTES (4096 * KIB)

#define V1(service, name)       "/pilotlight.v1." service "/" name
#define INTERNAL(service, name) "/pilotlight.internal.v1." service "/" name

static const struct rpc_method model_methods[] = {
    { V1("ModelService", "CreateModel"), RPC_UNARY, &pilotlight__v1__create_model_request__descriptor, create_model,
      RESOURCE_BYTES },
    { V1("ModelService", "GetModel"), RPC_UNARY, &pilotlight__v1__get_model_request__descriptor, get_model,
      SMALL_BYTES },
    { V1("ModelService", "ListModels"), RPC_UNARY, &pilotlight__v1__list_models_request__descriptor, list_models,
      SMALL_BYTES },
    { V1("ModelService", "DeleteModel"), RPC_UNARY, &pilotlight__v1__delete_model_request__descriptor, delete_model,
      SMALL_BYTES },
    { 0 },
};

static const struct rpc_method config_methods[] = {
    { V1("EndpointConfigService", "CreateEndpointConfig"), RPC_UNARY,
      &pilotlight__v1__create_endpoint_config_request__descriptor, create_endpoint_config, RESOURCE_BYTES },
    { V1("EndpointConfigService", "GetEndpointConfig"), RPC_UNARY,
      &pilotlight__v1__get_endpoint_config_request__descriptor, get_endpoint_config, SMALL_BYTES },
    { V1("EndpointConfigService", "ListEndpointConfigs"), RPC_UNARY,
      &pilotlight__v1__list_endpoint_configs_request__descriptor, list_endpoint_configs, SMALL_BYTES },
    { V1("EndpointConfigService", "DeleteEndpointConfig"), RPC_UNARY,
      &pilotlight__v1__delete_endpoint_config_request__descriptor, delete_endpoint_config, SMALL_BYTES },
    { 0 },
};

static const struct rpc_method endpoint_methods[] = {
    { V1("EndpointService", "CreateEndpoint"), RPC_UNARY, &pilotlight__v1__create_endpoint_request__descriptor,
      create_endpoint, RESOURCE_BYTES },
    { V1("EndpointService", "GetEndpoint"), RPC_UNARY, &pilotlight__v1__get_endpoint_request__descriptor, get_endpoint,
      SMALL_BYTES },
    { V1("EndpointService", "ListEndpoints"), RPC_UNARY, &pilotlight__v1__list_endpoints_request__descriptor,
      list_endpoints, SMALL_BYTES },
    { V1("EndpointService", "UpdateEndpoint"), RPC_UNARY, &pilotlight__v1__update_endpoint_request__descriptor,
      update_endpoint, SMALL_BYTES },
    { V1("EndpointService", "UpdateEndpointCapacity"), RPC_UNARY,
      &pilotlight__v1__update_endpoint_capacity_request__descriptor, update_endpoint_capacity, SMALL_BYTES },
    { V1("EndpointService", "DeleteEndpoint"), RPC_UNARY, &pilotlight__v1__delete_endpoint_request__descriptor,
      delete_endpoint, SMALL_BYTES },
    { V1("EndpointService", "WatchEndpoint"), RPC_SERVER_STREAM, &pilotlight__v1__watch_endpoint_request__descriptor,
      watch_endpoint, SMALL_BYTES },
    { 0 },
};

static const struct rpc_method tag_methods[] = {
    { V1("TagService", "AddTags"), RPC_UNARY, &pilotlight__v1__add_tags_request__descriptor, add_tags, 128 * KIB },
    { V1("TagService", "ListTags"), RPC_UNARY, &pilotlight__v1__list_tags_request__descriptor, list_tags, SMALL_BYTES },
    { V1("TagService", "DeleteTags"), RPC_UNARY, &pilotlight__v1__delete_tags_request__descriptor, delete_tags,
      64 * KIB },
    { 0 },
};

static const struct rpc_method watch_methods[] = {
    { INTERNAL("WatchService", "Watch"), RPC_SERVER_STREAM, &pilotlight__internal__v1__watch_request__descriptor, watch,
      SMALL_BYTES },
    { INTERNAL("WatchService", "Acknowledge"), RPC_UNARY, &pilotlight__internal__v1__acknowledge_request__descriptor,
      acknowledge, 1024 * KIB },
    { 0 },
};

static const struct rpc_method membership_methods[] = {
    { INTERNAL("MembershipService", "Heartbeat"), RPC_UNARY, &pilotlight__internal__v1__heartbeat_request__descriptor,
      heartbeat, 64 * KIB },
    { 0 },
};

static const struct rpc_method metric_methods[] = {
    { V1("MetricsService", "PutMetricData"), RPC_UNARY, &pilotlight__v1__put_metric_data_request__descriptor,
      put_metric_data, MEASURED_BYTES },
    { V1("MetricsService", "ListMetrics"), RPC_UNARY, &pilotlight__v1__list_metrics_request__descriptor, list_metrics,
      64 * KIB },
    { V1("MetricsService", "GetMetricStatistics"), RPC_UNARY,
      &pilotlight__v1__get_metric_statistics_request__descriptor, get_metric_statistics, MEASURED_BYTES },
    { 0 },
};

static const struct rpc_method alarm_methods[] = {
    { V1("AlarmService", "PutAlarm"), RPC_UNARY, &pilotlight__v1__put_alarm_request__descriptor, put_alarm, 128 * KIB },
    { V1("AlarmService", "ListAlarms"), RPC_UNARY, &pilotlight__v1__list_alarms_request__descriptor, list_alarms,
      128 * KIB },
    { V1("AlarmService", "DeleteAlarms"), RPC_UNARY, &pilotlight__v1__delete_alarms_request__descriptor, delete_alarms,
      64 * KIB },
    { V1("AlarmService", "SetAlarmState"), RPC_UNARY, &pilotlight__v1__set_alarm_state_request__descriptor,
      set_alarm_state, SMALL_BYTES },
    { V1("AlarmService", "SetAlarmActionsEnabled"), RPC_UNARY,
      &pilotlight__v1__set_alarm_actions_enabled_request__descriptor, set_alarm_actions_enabled, 64 * KIB },
    { V1("AlarmService", "ListAlarmHistory"), RPC_UNARY, &pilotlight__v1__list_alarm_history_request__descriptor,
      list_alarm_history, SMALL_BYTES },
    { 0 },
};

static const struct rpc_method scaling_methods[] = {
    { V1("ScalingService", "PutScalingTarget"), RPC_UNARY, &pilotlight__v1__put_scaling_target_request__descriptor,
      put_scaling_target, 64 * KIB },
    { V1("ScalingService", "ListScalingTargets"), RPC_UNARY, &pilotlight__v1__list_scaling_targets_request__descriptor,
      list_scaling_targets, 64 * KIB },
    { V1("ScalingService", "DeleteScalingTarget"), RPC_UNARY,
      &pilotlight__v1__delete_scaling_target_request__descriptor, delete_scaling_target, 64 * KIB },
    { V1("ScalingService", "PutScalingPolicy"), RPC_UNARY, &pilotlight__v1__put_scaling_policy_request__descriptor,
      put_scaling_policy, 64 * KIB },
    { V1("ScalingService", "ListScalingPolicies"), RPC_UNARY,
      &pilotlight__v1__list_scaling_policies_request__descriptor, list_scaling_policies, 64 * KIB },
    { V1("ScalingService", "DeleteScalingPolicy"), RPC_UNARY,
      &pilotlight__v1__delete_scaling_policy_request__descriptor, delete_scaling_policy, 64 * KIB },
    { V1("ScalingService", "PutScalingSchedule"), RPC_UNARY, &pilotlight__v1__put_scaling_schedule_request__descriptor,
      put_scaling_schedule, 64 * KIB },
    { V1("ScalingService", "ListScalingSchedules"), RPC_UNARY,
      &pilotlight__v1__list_scaling_schedules_request__descriptor, list_scaling_schedules, 64 * KIB },
    { V1("ScalingService", "DeleteScalingSchedule"), RPC_UNARY,
      &pilotlight__v1__delete_scaling_schedule_request__descriptor, delete_scaling_schedule, 64 * KIB },
    { V1("ScalingService", "ListScalingActivities"), RPC_UNARY,
      &pilotlight__v1__list_scaling_activities_request__descriptor, list_scaling_activities, 64 * KIB },
    { 0 },
};

static const struct rpc_method usage_methods[] = {
    { V1("UsageService", "ListUsage"), RPC_UNARY, &pilotlight__v1__list_usage_request__descriptor, list_usage,
      SMALL_BYTES },
    { V1("UsageService", "GetRates"), RPC_UNARY, &pilotlight__v1__get_rates_request__descriptor, get_rates,
      SMALL_BYTES },
    { 0 },
};

static const struct rpc_method report_methods[] = {
    { INTERNAL("ReportService", "Report"), RPC_UNARY, &pilotlight__internal__v1__report_request__descriptor, report,
      MEASURED_BYTES },
    { 0 },
};

enum pl_code control_listen(struct control *c, const struct control_config *config, struct pl_err *err)
{
    const struct rpc_service services[] = {
        { "pilotlight.v1.ModelService", model_methods, c },
        { "pilotlight.v1.EndpointConfigService", config_methods, c },
        { "pilotlight.v1.EndpointService", endpoint_methods, c },
        { "pilotlight.v1.TagService", tag_methods, c },
        { "pilotlight.v1.MetricsService", metric_methods, c },
        { "pilotlight.v1.AlarmService", alarm_methods, c },
        { "pilotlight.v1.ScalingService", scaling_methods, c },
        { "pilotlight.v1.UsageService", usage_methods, c },
        { "pilotlight.internal.v1.WatchService", watch_methods, c },
        { "pilotlight.internal.v1.MembershipService", membership_methods, c },
        { "pilotlight.internal.v1.ReportService", report_methods, c },
    };
    const struct service_config *base = &config->base;
    const struct rpc_server_options options = {
        .listen = (const char *const *)base->listen.items,
        .listen_count = base->listen.count,
        .tls = { .cert_file = *base->tls_cert_file ? base->tls_cert_file : NULL,
                 .key_file = *base->tls_key_file ? base->tls_key_file : NULL,
                 .ca_file = *base->tls_ca_file ? base->tls_ca_file : NULL },
        .services = services,
        .service_count = PL_COUNT(services),
        .descriptor_set = proto_descriptor_set,
        .descriptor_set_len = proto_descriptor_set_len(),
    };
    return rpc_server_start(&c->server, c->rpc, &options, err);
}

enum pl_code delete_resource(struct control *c, int kind, const char *name, struct pl_err *err)
{
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    int64_t version;
    if (store_begin(&tx, c->store, err) != PL_OK ||
        store_get(c->store, (enum store_kind)kind, name, &row, err) != PL_OK ||
        store_next_version(c->store, &version, err) != PL_OK || store_delete(c->store, row.id, err) != PL_OK ||
        store_commit(&tx, err) != PL_OK)
        return err->code;
    control_committed(c);
    return PL_OK;
}
