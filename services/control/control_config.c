#include "control_config.h"

#include "base/mem.h"
#include "base/text.h"
#include "cost/cost.h"
#include "limit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000.0
#define MILLION   1000000.0
#define PRICE_MAX (1000000 * COST_NANO)

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
    CONFIG_DURATION(S, settle_ms, "settle", "5s", 0, MINUTE_MS,
                    "how long a router that lost its stream, or was there before a start, is expected back"),
    CONFIG_BOOL(
        S, persistent_to_serverless, "updates.persistent_to_serverless", "true",
        "an update may make an endpoint of instance-based variants serverless; false: refused, as by SageMaker"),
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
    CONFIG_INT(S, metrics, "limits.metrics", "100000", 1, MILLION,
               "metrics that may exist: a name with its dimensions; about 12 for each endpoint's variant"),
    CONFIG_DURATION(S, roll_up_ms, "metrics.roll_up_every", "1h", 1000, 24 * 60 * MINUTE_MS,
                    "how often old rows of metrics become coarser: 60 s for 15 days, 300 s for 63, 3600 s for 455"),
    CONFIG_INT(S, usage_keep_days, "usage.keep_days", "800", 1, 36500, "days for which usage is kept"),
    CONFIG_INT(S, alarms, "limits.alarms", "5000", 0, 100000, "alarms that may exist"),
    CONFIG_BOOL(S, alarm_webhooks, "alarms.webhooks", "true", "alarms may POST to https:// addresses"),
    CONFIG_STRINGS(S, alarm_hosts, "alarms.webhook_hosts", NULL,
                   "hosts that they may POST to, hooks.example.com or *.example.com; none = any"),
    CONFIG_BOOL(S, alarm_plain_http, "alarms.plain_http", "false", "http:// addresses will do, too"),
    CONFIG_MAP(S, alarm_commands, "alarms.commands",
               "programs that alarms may run, as command:NAME; NAME: /path/to/program; none by default"),
    CONFIG_DURATION(S, alarm_timeout_ms, "alarms.timeout", "10s", 100, 10 * MINUTE_MS, "longest time of one action"),
    CONFIG_STRING(S, cost_currency, "cost.currency", "USD", "of the prices below; at most 7 characters"),
    CONFIG_STRING(S, cost_gb, "cost.gb_second", "0.0000200", "a second of a request with 1024 MB"),
    CONFIG_STRING(S, cost_provisioned_request_gb, "cost.provisioned_request_gb_second", "0",
                  "the same within provisioned concurrency; 0: no price is set"),
    CONFIG_STRING(S, cost_provisioned_gb, "cost.provisioned_gb_second", "0",
                  "a second of one unit of provisioned concurrency with 1024 MB; 0: no price is set"),
    CONFIG_MAP(
        S, cost_sizes, "cost.sizes",
        "prices of a second by memory size where they are not in proportion: 3072: \"0.00006 0.00004 0.00001\", a "
        "request's, one's within provisioned concurrency, and of that being there"),
    CONFIG_STRING(S, cost_data_gb, "cost.data_gb", "0.016", "2^30 bytes of requests and answers"),
    CONFIG_STRING(S, cost_instance, "cost.instance", "ml.m5.large",
                  "name of the persistent instance that `pilotlight cost` compares with"),
    CONFIG_STRING(S, cost_instance_hour, "cost.instance_hour", "0.134", "an hour of it"),
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
    out->stay_persistent = !c->persistent_to_serverless;
    out->row[LIMIT_models].max = c->models;
    out->row[LIMIT_endpoint_configs].max = c->endpoint_configs;
    out->row[LIMIT_endpoints].max = c->endpoints;
    out->row[LIMIT_hosts].max = c->hosts;
    out->row[LIMIT_routers].max = c->routers;
    out->row[LIMIT_watchers].max = c->watchers;
    out->row[LIMIT_metrics].max = c->metrics;
    out->row[LIMIT_alarms].max = c->alarms;
    out->row[LIMIT_memory_size_mb].max = c->memory_size_mb;
    out->row[LIMIT_max_concurrency].max = c->max_concurrency;
    out->row[LIMIT_provisioned_concurrency].max = c->max_concurrency;
    out->row[LIMIT_invoke_timeout_ms].max = c->invoke_timeout_ms;
    out->row[LIMIT_start_timeout_ms].max = c->start_timeout_ms;
}

/* ---- prices ---- */

static enum pl_code price(const char *key, const char *text, int64_t *out, struct pl_err *err)
{
    if (cost_parse(text, out) && *out <= PRICE_MAX)
        return PL_OK;
    return pl_fail(
        err, PL_INVALID, key,
        "%s is \"%.40s\": it must be a decimal number from 0 to 1000000 with at most nine digits behind the point", key,
        text);
}

/* "3072=0.00006 0.00004 0.00001"; the last two may be left out. */
static enum pl_code size_prices(const char *entry, struct cost_rate *out, struct pl_err *err)
{
    static const char key[] = "cost.sizes";
    pl_cleanup(pl_free_p) char *copy = pl_strdup(entry);
    char *rest = copy, *size = strsep(&rest, "=");
    int64_t memory_mb, *const prices[] = { &out->request_nano, &out->provisioned_request_nano, &out->provisioned_nano };
    if (!rest || !pl_parse_i64(size, 1, 1048576, &memory_mb))
        return pl_fail(err, PL_INVALID, key, "%s has \"%.40s\": its key must be a memory size in MB", key, entry);
    *out = (struct cost_rate){ .memory_mb = (int32_t)memory_mb };
    for (size_t i = 0; i < PL_COUNT(prices) && rest; i++)
        if (price(key, strsep(&rest, " "), prices[i], err) != PL_OK)
            return err->code;
    return rest ? pl_fail(err, PL_INVALID, key, "%s has \"%.40s\": it must have at most three prices", key, entry)
                : PL_OK;
}

static int by_size(const void *a, const void *b)
{
    return ((const struct cost_rate *)a)->memory_mb - ((const struct cost_rate *)b)->memory_mb;
}

static enum pl_code read_rates(const struct control_config *c, struct cost_rates *out, struct pl_err *err)
{
    *out = (struct cost_rates){ .gb.memory_mb = 1024 };
    if (!*c->cost_currency || strlen(c->cost_currency) >= sizeof(out->currency))
        return pl_fail(err, PL_INVALID, "cost.currency", "cost.currency is \"%.40s\": it must have 1 to %zu characters",
                       c->cost_currency, sizeof(out->currency) - 1);
    if (strlen(c->cost_instance) >= sizeof(out->instance_name))
        return pl_fail(err, PL_INVALID, "cost.instance", "cost.instance must have at most %zu characters",
                       sizeof(out->instance_name) - 1);
    if (c->cost_sizes.count > COST_RATES_MAX)
        return pl_fail(err, PL_INVALID, "cost.sizes", "cost.sizes has %zu: it must have at most %d",
                       c->cost_sizes.count, COST_RATES_MAX);
    (void)snprintf(out->currency, sizeof(out->currency), "%s", c->cost_currency);
    (void)snprintf(out->instance_name, sizeof(out->instance_name), "%s", c->cost_instance);
    if (price("cost.gb_second", c->cost_gb, &out->gb.request_nano, err) != PL_OK ||
        price("cost.provisioned_request_gb_second", c->cost_provisioned_request_gb, &out->gb.provisioned_request_nano,
              err) != PL_OK ||
        price("cost.provisioned_gb_second", c->cost_provisioned_gb, &out->gb.provisioned_nano, err) != PL_OK ||
        price("cost.data_gb", c->cost_data_gb, &out->data_gb_nano, err) != PL_OK ||
        price("cost.instance_hour", c->cost_instance_hour, &out->instance_hour_nano, err) != PL_OK)
        return err->code;
    for (; out->size_count < c->cost_sizes.count; out->size_count++)
        if (size_prices(c->cost_sizes.items[out->size_count], &out->sizes[out->size_count], err) != PL_OK)
            return err->code;
    qsort(out->sizes, out->size_count, sizeof(out->sizes[0]), by_size);
    return PL_OK;
}

void control_config_rates(const struct control_config *c, struct cost_rates *out)
{
    struct pl_err err;
    enum pl_code code = read_rates(c, out, &err);
    assert(code == PL_OK); /* it was checked */
    (void)code;
}

enum pl_code control_config_check(const void *config, struct pl_err *err)
{
    const struct control_config *c = config;
    if (!*c->database)
        return pl_fail(err, PL_INVALID, "database", "database is empty: it must be a path");
    if (c->memory_size_mb % 1024 != 0)
        return pl_fail(err, PL_INVALID, "limits.memory_size_mb",
                       "limits.memory_size_mb is %lld: it must be a multiple of 1024", (long long)c->memory_size_mb);
    for (size_t i = 0; i < c->alarm_commands.count; i++) {
        const char *entry = c->alarm_commands.items[i], *path = strchr(entry, '=');
        if (!path || path == entry || path[1] != '/')
            return pl_fail(err, PL_INVALID, "alarms.commands",
                           "alarms.commands has \"%.80s\": it must be a name and the absolute path of a program",
                           entry);
    }
    struct cost_rates rates;
    if (read_rates(c, &rates, err) != PL_OK)
        return err->code;
    if (!*c->worker_cert_file != !*c->worker_key_file)
        return pl_fail(err, PL_INVALID, "worker_tls.key_file",
                       "worker_tls.cert_file and worker_tls.key_file must be given together");
    return PL_OK;
}
