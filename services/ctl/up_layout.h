/* up_layout - where everything of one-machine mode lives: folders, sockets, ports, and each service's config.
 *
 *     DIR/lock                    held while `pilotlight up` runs; holds its pid
 *     DIR/config/SERVICE.yaml     written at each start (0600)
 *     DIR/log/SERVICE.log[.1-.5]  unless the logs go to stderr
 *     DIR/run/SERVICE.sock        or a short folder elsewhere when the path is too long for a socket
 *     DIR/control/, DIR/router/, DIR/worker/   what the services keep
 *     DIR/gateway/                the built-in artifact buckets
 *     DIR/credentials.json        access keys (0600), made at the first start
 *
 * Ports: base for the gateway (HTTP), base + 1..3 for router, control, worker (gRPC); ten more for their admin HTTP.
 * Computes and checks; touches no file, except to look at the short folder. */
#ifndef CTL_UP_LAYOUT_H
#define CTL_UP_LAYOUT_H

#include "base/err.h"

#include <jansson.h>

enum up_service_id { UP_CONTROL, UP_WORKER, UP_ROUTER, UP_GATEWAY, UP_SERVICE_COUNT }; /* in the order of starting */

extern const char *const up_service_names[UP_SERVICE_COUNT];

struct up_options {
    const char *state;       /* folder; relative to the working directory or absolute */
    const char *listen;      /* address without port */
    int port;                /* base */
    const char *const *sets; /* "SERVICE.KEY=VALUE" */
    size_t set_count;
    bool foreground_logs;
    int64_t start_timeout_ms;
    const char *program_dir; /* NULL: the folder of this executable */
};

struct up_service {
    const char *name;
    char *program;
    char *address;       /* HOST:PORT of gRPC, of the gateway HTTP */
    char *admin_address; /* HOST:PORT of HTTP  */
    int port, admin_port;
    char *socket; /* the gateway has none */
    char *config_path, *log_path;
    json_t *config;
    bool has_sets; /* a --set of the user is in it */
};

struct up_layout {
    char *state, *lock_path, *run_dir, *credentials_path;
    char *probe_host; /* where this machine reaches what listens on options->listen */
    bool short_run_dir;
    struct up_service services[UP_SERVICE_COUNT];
};

/* PL_INVALID: a --set that is none. PL_NOT_FOUND: a service's program is not there. */
PL_MUST_CHECK enum pl_code up_layout_make(struct up_layout *out, const struct up_options *o, struct pl_err *err);
void up_layout_done(struct up_layout *l);

/* "127.0.0.1", 80 -> "127.0.0.1:80"; "::1", 80 -> "[::1]:80". The caller frees it. */
char *up_host_port(const char *host, int port);

#endif
