#include "router_config.h"

#include "name.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_MS 60000.0

#define S struct router_config
#define TLS_ROWS(member, key, whom)                                                                                    \
    CONFIG_STRING(S, member.ca_file, key ".ca_file", NULL, "PEM; call " whom " with TLS and trust these"),             \
        CONFIG_STRING(S, member.cert_file, key ".cert_file", NULL, "PEM certificate shown to " whom " (mTLS)"),        \
        CONFIG_STRING(S, member.key_file, key ".key_file", NULL, "PEM private key for it"),                            \
        CONFIG_STRING(S, member.server_name, key ".server_name", NULL, "name expected in the certificate of " whom)

static const char *const direct_choices[] = { "auto", "off", NULL };

const struct config_row router_config_rows[] = {
    SERVICE_CONFIG_ROWS(S, "127.0.0.1:8081", "127.0.0.1:8091"),
    CONFIG_STRING(S, control, "control", "127.0.0.1:8082", "gRPC target of control, which says what is to be served"),
    CONFIG_STRING(S, router_id, "router_id", NULL,
                  "name of this router, unique among routers; empty for the machine's name"),
    CONFIG_STRING(
        S, snapshot, "snapshot", NULL,
        "file that keeps what is to be served, to start from when control is down; beside it, in FILE.reports, "
        "numbers that control has not taken yet; empty for neither: then the machine's clock must not be behind where "
        "it "
        "was at the last start"),
    CONFIG_DURATION(S, keep_alive_ms, "keep_alive", "10m", 0, 7 * CONFIG_DAY_MS,
                    "how long an idle instance stays, for variants that do not say"),
    CONFIG_DURATION(S, capacity_wait_ms, "capacity_wait", "5s", 0, 10 * MINUTE_MS,
                    "how long a request waits for a worker host that can take an instance"),
    CONFIG_ENUM(S, direct, "direct", "auto", direct_choices,
                "'auto': hand requests straight to the instances of worker hosts on this machine that have a "
                "direct_socket and run as the same user; 'off': always by way of the worker"),
    TLS_ROWS(control_tls, "control_tls", "control"),
    TLS_ROWS(worker_tls, "worker_tls", "worker hosts"),
    { 0 },
};
#undef S

static enum pl_code check_tls(const struct router_tls_config *c, const char *key, struct pl_err *err)
{
    if (!*c->cert_file == !*c->key_file)
        return PL_OK;
    (void)pl_fail(err, PL_INVALID, NULL, "%s.cert_file and %s.key_file must be given together", key, key);
    (void)snprintf(err->field, sizeof(err->field), "%s.key_file", key);
    return err->code;
}

enum pl_code router_config_check(const void *config, struct pl_err *err)
{
    const struct router_config *c = config;

    if (!*c->control)
        return pl_fail(err, PL_INVALID, "control",
                       "control is empty: it must be a gRPC target, HOST:PORT or unix:PATH");
    if (*c->router_id && !name_valid(c->router_id, strlen(c->router_id)))
        return pl_fail(err, PL_INVALID, "router_id",
                       "router_id is '%.80s': 1 to %d letters, digits and inner hyphens are allowed", c->router_id,
                       NAME_LENGTH_MAX);
    if (check_tls(&c->control_tls, "control_tls", err) != PL_OK)
        return err->code;
    return check_tls(&c->worker_tls, "worker_tls", err);
}

static const char *or_null(const char *s)
{
    return *s ? s : NULL;
}

struct rpc_tls router_config_tls(const struct router_tls_config *c)
{
    return (struct rpc_tls){ .ca_file = or_null(c->ca_file),
                             .cert_file = or_null(c->cert_file),
                             .key_file = or_null(c->key_file),
                             .server_name = or_null(c->server_name) };
}
