/* worker_stats - the host's metrics; handles for the modules that count. */
#ifndef WORKER_WORKER_STATS_H
#define WORKER_WORKER_STATS_H

#include "metrics/metrics.h"

struct worker_stats {
    struct metrics_counter *compilations, *compile_failures, *forest_starts, *library_starts;
    struct metrics_counter *starts, *start_failures, *deaths, *invocations, *invocation_failures;
    struct metrics_histogram *sandbox_seconds, *load_seconds, *first_predict_seconds; /* parts of the next */
    struct metrics_histogram *start_seconds, *model_seconds;
    struct metrics_counter *template_starts;
    struct metrics_gauge *templates;
    struct metrics_counter *network_opened, *network_refused, *network_failed, *network_bytes_out, *network_bytes_in;
    struct metrics_gauge *network_connections;
    struct metrics_gauge *instances, *busy, *cache_bytes, *memory_free_bytes, *memory_used_bytes, *routers;
};

static inline void worker_stats_init(struct worker_stats *s, struct metrics *m)
{
    s->starts = metrics_counter(m, "worker_instance_starts_total", NULL, "Instances that became ready");
    s->start_failures = metrics_counter(m, "worker_instance_start_failures_total", NULL, "Starts that failed");
    s->forest_starts = metrics_counter(m, "worker_forest_starts_total", NULL,
                                       "Starts of xgboost models that are served by compiled forests");
    s->library_starts =
        metrics_counter(m, "worker_library_starts_total", NULL, "Starts of xgboost models that need XGBoost's library");
    s->template_starts =
        metrics_counter(m, "worker_template_starts_total", NULL, "Starts that were copies of a template");
    s->templates =
        metrics_gauge(m, "worker_templates", NULL, "Processes with a loaded model that instances are copies of");
    s->network_opened = metrics_counter(m, "worker_network_connections_total", "result=\"opened\"",
                                        "Connections that instances asked for");
    s->network_refused = metrics_counter(m, "worker_network_connections_total", "result=\"refused\"", NULL);
    s->network_failed = metrics_counter(m, "worker_network_connections_total", "result=\"failed\"", NULL);
    s->network_bytes_out =
        metrics_counter(m, "worker_network_bytes_total", "direction=\"out\"", "Bytes of the connections of instances");
    s->network_bytes_in = metrics_counter(m, "worker_network_bytes_total", "direction=\"in\"", NULL);
    s->network_connections = metrics_gauge(m, "worker_network_connections", NULL, "Connections of instances, open now");
    s->compilations =
        metrics_counter(m, "worker_compilations_total", NULL, "Models compiled, or found not to be compilable");
    s->compile_failures = metrics_counter(m, "worker_compile_failures_total", NULL, "Compilations that did not end");
    s->deaths = metrics_counter(m, "worker_instance_deaths_total", NULL, "Instances that ended without being told to");
    s->invocations = metrics_counter(m, "worker_invocations_total", NULL, "Requests handed to instances");
    s->invocation_failures = metrics_counter(m, "worker_invocation_failures_total", NULL,
                                             "Requests that did not end with the model's answer");
    s->start_seconds = metrics_histogram(m, "worker_instance_start_seconds", NULL, "From StartInstance to ready");
    s->sandbox_seconds =
        metrics_histogram(m, "worker_instance_sandbox_seconds", NULL, "From StartInstance to a process in its sandbox");
    s->load_seconds = metrics_histogram(m, "worker_instance_load_seconds", NULL, "Loading the model");
    s->first_predict_seconds = metrics_histogram(m, "worker_instance_first_predict_seconds", NULL,
                                                 "The prediction that a model makes before it is ready");
    s->model_seconds = metrics_histogram(m, "worker_model_seconds", NULL, "From a request's way out to its answer");
    s->instances = metrics_gauge(m, "worker_instances", NULL, "Instances that have a process");
    s->busy = metrics_gauge(m, "worker_instances_busy", NULL, "Instances that serve a request");
    s->cache_bytes = metrics_gauge(m, "worker_cache_bytes", NULL, "Artifacts on disk, fetched and unpacked");
    s->memory_used_bytes =
        metrics_gauge(m, "worker_memory_used_bytes", NULL, "Memory that instances use, shared pages in proportion");
    s->memory_free_bytes = metrics_gauge(m, "worker_memory_free_bytes", NULL, "Memory left for instances");
    s->routers = metrics_gauge(m, "worker_routers", NULL, "Routers that watch this host");
}

#endif
