/* control_config - the settings of control, as rows of common/config. */
#ifndef CONTROL_CONTROL_CONFIG_H
#define CONTROL_CONTROL_CONFIG_H

#include "service/service.h"

struct limits;

struct control_config {
    struct service_config base;
    char *database;
    int64_t lease_ms;
    int64_t prepare_timeout_ms, publish_timeout_ms, drain_wait_ms, settle_ms;
    int64_t models, endpoint_configs, endpoints, hosts, routers, watchers;
    int64_t memory_size_mb, max_concurrency, invoke_timeout_ms, start_timeout_ms;
    char *worker_ca_file, *worker_cert_file, *worker_key_file, *worker_server_name;
};

extern const struct config_row control_config_rows[];
/* The limits table with the operator's values. */
void control_config_limits(const struct control_config *c, struct limits *out);
/* What rows cannot say; for struct service_def. */
enum pl_code control_config_check(const void *config, struct pl_err *err);

#endif
