/* The gateway's parts, started in order and ended in reverse. See gateway.h. */
#include "gateway.h"

#include "base/descriptors.h"
#include "base/mem.h"
#include "bucket.h"
#include "http.h"
#include "keys.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "routes.h"
#include "upstream.h"

#include <stdlib.h>

/* Every connection is a descriptor: as many as the system lets us have. */
static void raise_descriptor_limit(int64_t connections)
{
    uint64_t wanted = (uint64_t)connections + 1024, limit = pl_descriptors_raise(wanted);
    if (limit < wanted)
        log_warn("few_descriptors", LOG_UINT("limit", limit), LOG_UINT("wanted", wanted));
}

static enum pl_code start_http(struct gateway *g, struct pl_err *err)
{
    const struct gateway_config *config = g->config;
    const struct http_options options = {
        .listen = (const char *const *)config->base.listen.items,
        .listen_count = config->base.listen.count,
        .tls_cert_file = config->base.tls_cert_file,
        .tls_key_file = config->base.tls_key_file,
        .connection_limit = config->connections,
        .connections_per_address = config->connections_per_address,
        .header_bytes = config->header_bytes,
        .header_count = config->header_count,
        .idle_ms = config->idle_ms,
        .stall_ms = config->stall_ms,
        .body_bytes_per_s = config->body_bytes_per_s,
        .handlers = &routes_handlers,
        .app = g,
    };
    return http_start(&g->http, g->loop, g->metrics, &options, err);
}

enum pl_code gateway_start(struct service *s, const void *config, void **out_state, struct pl_err *err)
{
    struct gateway *g = PL_NEW(struct gateway);
    g->config = config;
    g->service = s;
    g->loop = service_loop(s);
    g->metrics = service_metrics(s);
    g->calls = metrics_counter(g->metrics, "gateway_calls_total", NULL, "Calls begun");
    g->failed_auth = metrics_counter(g->metrics, "gateway_calls_refused_total", "why=\"signature\"", "Calls refused");
    g->seconds = metrics_histogram(g->metrics, "gateway_call_seconds", NULL, "From request line to answer");
    raise_descriptor_limit(g->config->connections);
    g->upstream = upstream_open(service_rpc(s), g->config);
    if (keys_open(&g->keys, g->config->credentials_file, err) != PL_OK ||
        (*g->config->bucket_dir && bucket_store_open(&g->buckets, g->loop, g->config, err) != PL_OK) ||
        start_http(g, err) != PL_OK) {
        gateway_stop(g);
        return err->code;
    }
    for (size_t i = 0; i < g->config->base.listen.count; i++)
        log_info("listening", LOG_STR("address", g->config->base.listen.items[i]),
                 LOG_INT("port", http_port(g->http, i)), LOG_BOOL("tls", http_secure(g->http)));
    if (g->config->allow_unauthenticated)
        log_warn("unauthenticated_calls_allowed");
    atomic_store(&g->started, true);
    *out_state = g;
    return PL_OK;
}

static void on_drained(void *arg)
{
    struct gateway *g = arg;
    service_drained(g->service);
}

void gateway_drain(struct service *s, void *state)
{
    struct gateway *g = state;
    (void)s;
    http_drain(g->http, g->config->base.drain_ms, on_drained, g);
}

void gateway_stop(void *state)
{
    struct gateway *g = state;
    http_stop(g->http);
    upstream_close(g->upstream);
    bucket_store_close(g->buckets);
    keys_close(g->keys);
    free(g);
}

const char *gateway_ready(void *state)
{
    struct gateway *g = state;
    return atomic_load(&g->started) ? NULL : "starting";
}
