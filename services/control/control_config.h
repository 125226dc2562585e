/* control_config - the settings of control, as rows of common/config. */
#ifndef CONTROL_CONTROL_CONFIG_H
#define CONTROL_CONTROL_CONFIG_H

#include "service/service.h"

struct cost_rates;
struct limits;

struct control_config {
    struct service_config base;
    char *database;
    int64_t lease_ms;
    int64_t prepare_timeout_ms, publish_timeout_ms, drain_wait_ms, settle_ms;
    int64_t models, endpoint_configs, endpoints, hosts, routers, watchers;
    int64_t memory_size_mb, max_concurrency, invoke_timeout_ms, start_timeout_ms;
    bool persistent_to_serverless, alarm_webhooks, alarm_plain_http;
    struct config_strings alarm_hosts, alarm_commands;
    int64_t alarms, alarm_timeout_ms;
    int64_t metrics, roll_up_ms, usage_keep_days;
    char *cost_currency, *cost_gb, *cost_provisioned_gb, *cost_provisioned_request_gb, *cost_data_gb;
    struct config_strings cost_sizes;
    char *cost_instance, *cost_instance_hour;
    char *worker_ca_file, *worker_cert_file, *worker_key_file, *worker_server_name;
};

extern const struct config_row control_config_rows[];
/* The limits table with the operator's values. */
void control_config_limits(const struct control_config *c, struct limits *out);
/* The prices; the config has passed control_config_check(). */
void control_config_rates(const struct control_config *c, struct cost_rates *out);
/* What rows cannot say; for struct service_def. */
enum pl_code control_config_check(const void *config, struct pl_err *err);

#endif
