/* router_config - the settings of the router, as rows of common/config. */
#ifndef ROUTER_ROUTER_CONFIG_H
#define ROUTER_ROUTER_CONFIG_H

#include "rpc/rpc.h"
#include "service/service.h"

struct router_tls_config {
    char *ca_file, *cert_file, *key_file, *server_name;
};

enum router_direct { ROUTER_DIRECT_AUTO, ROUTER_DIRECT_OFF };

struct router_config {
    struct service_config base;
    char *control, *router_id, *snapshot;
    int64_t keep_alive_ms, capacity_wait_ms;
    int direct; /* enum router_direct */
    struct router_tls_config control_tls, worker_tls;
};

extern const struct config_row router_config_rows[];
/* What rows cannot say; for struct service_def. */
enum pl_code router_config_check(const void *config, struct pl_err *err);
/* Empty texts as NULL; points into 'c'. */
struct rpc_tls router_config_tls(const struct router_tls_config *c);

#endif
