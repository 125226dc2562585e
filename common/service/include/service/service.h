/* service - what every main.c of ours does, once: options, config, logs, loop, rpc, admin port, signals, drain.
 *
 *     pilotlight-router [--config FILE] [--check-config] [--print-config] [--version] [--help]
 *
 * The order: parse, load config, set up logs, loop, metrics, rpc, admin port, 'start' (modules, rpc server), run; on
 * SIGTERM or SIGINT 'drain' once (a second signal ends at once with exit 1); when the service calls service_drained():
 * 'stop', exit 0. A service that can be reached no more (rpc_on_listener_lost()) drains and ends with 1. Exit codes: 0
 * stopped as asked, 1 failed at run time, 2 bad usage or config. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "base/err.h"
#include "config/config.h"

struct loop;
struct rpc;
struct metrics;
struct service;

/* Settings that every service has; embed as the first member of its own struct and start its rows with
 * SERVICE_CONFIG_ROWS. */
struct service_config {
    struct config_strings listen; /* HOST:PORT, unix:PATH or unix-frames:PATH (rpc/rpc.h) */
    char *admin_listen;           /* HOST:PORT of /metrics, /healthz, /readyz; "" = none */
    char *tls_cert_file, *tls_key_file, *tls_ca_file;
    int log_level;  /* enum log_level  */
    int log_format; /* enum log_format */
    int64_t drain_ms;
};

struct service_def {
    const char *name;              /* "router": PILOTLIGHT_ROUTER_*, log field, pilotlight-router */
    const char *summary;           /* one line for --help */
    const struct config_row *rows; /* of the whole config struct; the first member is a struct service_config */
    size_t config_size;
    unsigned job_threads; /* of its loop; 0 = the loop's default */
    /* Checks what rows cannot; may be NULL. */
    enum pl_code (*check)(const void *config, struct pl_err *err);
    /* With the turn. On failure everything that was started is undone. '*out_state' goes to the others. */
    enum pl_code (*start)(struct service *s, const void *config, void **out_state, struct pl_err *err);
    void (*drain)(struct service *s, void *state); /* with the turn; ends in service_drained(), soon or later */
    void (*stop)(void *state);                     /* with the turn, after the loop has ended */
    /* Any thread; NULL when ready, else why not. */
    const char *(*ready)(void *state);
};

int service_main(int argc, char **argv, const struct service_def *def);

/* For 'start' and later. */
struct loop *service_loop(struct service *s);
struct rpc *service_rpc(struct service *s);
struct metrics *service_metrics(struct service *s);
void service_drained(struct service *s);

#define SERVICE_CONFIG_ROWS(S, default_listen, default_admin)                                                          \
    SERVICE_CONFIG_ROWS_OF(                                                                                            \
        S, default_listen, default_admin,                                                                              \
        "gRPC addresses: HOST:PORT or unix:PATH; unix-frames:PATH for services of the same machine")
/* For a service whose own port speaks something else. */
#define SERVICE_CONFIG_ROWS_OF(S, default_listen, default_admin, listen_help)                                          \
    CONFIG_STRINGS(S, base.listen, "listen", default_listen, listen_help),                                             \
        CONFIG_STRING(S, base.admin_listen, "admin_listen", default_admin,                                             \
                      "HOST:PORT of /metrics, /healthz and /readyz; empty for none"),                                  \
        CONFIG_STRING(S, base.tls_cert_file, "tls.cert_file", NULL, "PEM certificate chain; turns TLS on"),            \
        CONFIG_STRING(S, base.tls_key_file, "tls.key_file", NULL, "PEM private key"),                                  \
        CONFIG_STRING(S, base.tls_ca_file, "tls.ca_file", NULL, "require client certificates signed by these (mTLS)"), \
        CONFIG_ENUM(S, base.log_level, "log.level", "info", service_log_levels,                                        \
                    "the least severe lines that are written"),                                                        \
        CONFIG_ENUM(S, base.log_format, "log.format", "text", service_log_formats, "how lines are written"),           \
        CONFIG_DURATION(S, base.drain_ms, "drain_timeout", "75s", 0, CONFIG_DAY_MS,                                    \
                        "how long calls in flight may go on after SIGTERM")

extern const char *const service_log_levels[];
extern const char *const service_log_formats[];

#endif
