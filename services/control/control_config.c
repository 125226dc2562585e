#include "control_config.h"

#include "limit.h"

#define MINUTE_MS 60000.0
#define MILLION   1000000.0

#define S struct control_config
const struct config_row control_config_rows[] = {
    SERVICE_CONFIG_ROWS(S, "127.0.0.1:8082", "127.0.0.1:8092"),
    CONFIG_STRING(S, database, "database", "pilotlight.db", "path of the SQLite database; made when it is not there"),
    CONFIG_DURATION(S, lease_ms, "lease", "15s", 100, 60 * MINUTE_MS,
                    "a worker host that is not heard of for this long is gone"),
    CONFIG_DURATION(S, prepare_timeout_ms, "prepare_timeout", "180s", 100, 60 * MINUTE_MS,
                    "longest time to prove an endpoint's models, waiting for a worker host included"),
    CONFIG_DURATION(S, publish_timeout_ms, "publish_timeout", "10s", 0, 10 * MINUTE_MS,
                    "longest wait for routers to apply an endpoint before it is IN_SERVICE"),
    CONFIG_DURATION(S, drain_wait_ms, "endpoint_drain_timeout", "90s", 0, 60 * MINUTE_MS,
                    "longest wait for the requests of a deleted endpoint"),
    CONFIG_DURATION(S, settle_ms, "settle", "2s", 0, MINUTE_MS,
                    "after a start, how long routers get to come back before they are counted"),
    CONFIG_INT(S, models, "limits.models", "10000", 1, MILLION, "models that may exist"),
    CONFIG_INT(S, endpoint_configs, "limits.endpoint_configs", "10000", 1, MILLION, "endpoint configs that may exist"),
    CONFIG_INT(S, endpoints, "limits.endpoints", "1000", 1, MILLION, "endpoints that may exist"),
    CONFIG_INT(S, hosts, "limits.hosts", "1000", 1, 100000, "worker hosts that may hold a lease"),
    CONFIG_INT(S, routers, "limits.routers", "100", 1, 10000, "routers that may watch"),
    CONFIG_INT(S, watchers, "limits.watchers", "10000", 1, MILLION, "WatchEndpoint streams at once"),
    CONFIG_INT(S, memory_size_mb, "limits.memory_size_mb", "6144", 1024, 1048576,
               "largest memory size of a variant; a multiple of 1024"),
    CONFIG_INT(S, max_concurrency, "limits.max_concurrency", "200", 1, 100000,
               "largest max concurrency of a variant, and of an endpoint's variants together"),
    CONFIG_DURATION(S, invoke_timeout_ms, "limits.invoke_timeout", "60s", 1, 60 * MINUTE_MS,
                    "longest and default time of an invocation"),
    CONFIG_DURATION(S, start_timeout_ms, "limits.start_timeout", "180s", 1, 60 * MINUTE_MS,
                    "longest and default time of a cold start"),
    CONFIG_STRING(S, worker_ca_file, "worker_tls.ca_file", NULL, "PEM; call worker hosts with TLS and trust these"),
    CONFIG_STRING(S, worker_cert_file, "worker_tls.cert_file", NULL, "PEM certificate shown to worker hosts (mTLS)"),
    CONFIG_STRING(S, worker_key_file, "worker_tls.key_file", NULL, "PEM private key for it"),
    CONFIG_STRING(S, worker_server_name, "worker_tls.server_name", NULL, "name expected in their certificates"),
    { 0 },
};
#undef S

void control_config_limits(const struct control_config *c, struct limits *out)
{
    limits_init(out);
    out->row[LIMIT_models].max = c->models;
    out->row[LIMIT_endpoint_configs].max = c->endpoint_configs;
    out->row[LIMIT_endpoints].max = c->endpoints;
    out->row[LIMIT_hosts].max = c->hosts;
    out->row[LIMIT_routers].max = c->routers;
    out->row[LIMIT_watchers].max = c->watchers;
    out->row[LIMIT_memory_size_mb].max = c->memory_size_mb;
    out->row[LIMIT_max_concurrency].max = c->max_concurrency;
    out->row[LIMIT_provisioned_concurrency].max = c->max_concurrency;
    out->row[LIMIT_invoke_timeout_ms].max = c->invoke_timeout_ms;
    out->row[LIMIT_start_timeout_ms].max = c->start_timeout_ms;
}

enum pl_code control_config_check(const void *config, struct pl_err *err)
{
    const struct control_config *c = config;
    if (!*c->database)
        return pl_fail(err, PL_INVALID, "database", "database is empty: it must be a path");
    if (c->memory_size_mb % 1024 != 0)
        return pl_fail(err, PL_INVALID, "limits.memory_size_mb",
                       "limits.memory_size_mb is %lld: it must be a multiple of 1024", (long long)c->memory_size_mb);
    if (!*c->worker_cert_file != !*c->worker_key_file)
        return pl_fail(err, PL_INVALID, "worker_tls.key_file",
                       "worker_tls.cert_file and worker_tls.key_file must be given together");
    return PL_OK;
}
