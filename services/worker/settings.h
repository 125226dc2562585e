/* settings - what an operator can set of a worker host. One table (settings.c) is default, limit, help and parser.
 * Memory: a worker_config is filled by config_load() and freed by config_done(). */
#ifndef WORKER_SETTINGS_H
#define WORKER_SETTINGS_H

#include "base/err.h"
#include "config/config.h"
#include "service/service.h"

#include <stdbool.h>
#include <stdint.h>

struct worker_config {
    struct service_config base;
    char *control;       /* gRPC target of control; "" = no membership, routers know this host by their own config */
    char *host_id;       /* "" = the machine's name                                                                  */
    char *advertise;     /* gRPC target under which others reach this host; "" = the first address it listens on     */
    char *direct_socket; /* "" = no router of this machine gets sockets of instances */
    char *cache_dir;
    int64_t cache_limit_bytes;
    int64_t memory_bytes; /* offered to instances together; 0 = what the machine has */
    double overcommit;
    int64_t instance_limit;
    char *runner; /* "" = pilotlight-runner beside the worker's own program */
    int sandbox;  /* enum spawn_sandbox */
    int64_t sandbox_uid;
    char *cgroup_parent;
    int64_t blank_instances;
    int64_t orphan_ms;
    int64_t artifact_limit_bytes, unpacked_limit_bytes;
    int64_t fetch_timeout_ms;
    char *fetch_ca_file; /* "" = this system's alone */
    char *logs_dir;      /* "" = logs in cache_dir */
    int64_t logs_endpoint_limit_bytes, logs_limit_bytes, logs_retention_ms;
    struct config_strings python_interpreters; /* NAME=PATH */
    struct config_strings python_preload, python_folders;
    char *python_folder; /* of our own code; "" = beside the programs */
    bool python_eager;
    int64_t templates_keep_ms, templates_limit;
    bool http_enabled;
    int64_t http_stop_grace_ms;
    struct config_strings network_allow;
    int64_t network_connections, network_idle_ms, network_memory_mb;
    struct config_strings http_folders;
    bool allow_http;
    struct config_strings file_roots;
    char *s3_endpoint, *s3_region, *s3_access_key_id, *s3_secret_access_key, *s3_session_token;
    bool s3_path_style;
};

extern const struct config_row worker_config_rows[];

/* What the rows cannot say: for service_def. */
enum pl_code worker_config_check(const void *config, struct pl_err *err);

#endif
