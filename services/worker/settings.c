#include "settings.h"

#include "network.h"
#include "runtimes.h"

#include <string.h>

#define MIB 1048576.0
#define GIB (1024.0 * MIB)
#define TIB (1024.0 * GIB)

static const char *const sandbox_choices[] = { "best-effort", "require", NULL };

const struct config_row worker_config_rows[] = {
    SERVICE_CONFIG_ROWS(struct worker_config, "127.0.0.1:8083", "127.0.0.1:8093"),
    CONFIG_STRING(struct worker_config, control, "control", NULL,
                  "gRPC target of control, which lists this host while it sends heartbeats; empty for none"),
    CONFIG_STRING(struct worker_config, host_id, "host_id", NULL,
                  "name of this host, unique among worker hosts; empty for the machine's name"),
    CONFIG_STRING(struct worker_config, advertise, "advertise", NULL,
                  "gRPC target under which routers and control reach this host; empty for the first of 'listen'"),
    CONFIG_STRING(struct worker_config, direct_socket, "direct_socket", NULL,
                  "unix socket on which routers of this machine that run as the same user borrow instances, to hand "
                  "requests to them without a hop through the worker; empty for none"),
    CONFIG_STRING(struct worker_config, cache_dir, "cache_dir", "/var/cache/pilotlight",
                  "folder of fetched and unpacked artifacts; one worker uses it at a time"),
    CONFIG_BYTES(struct worker_config, cache_limit_bytes, "cache_limit", "20GiB", 1 * MIB, 1024 * TIB,
                 "largest size of cache_dir; what no instance uses goes first, least recently used first"),
    CONFIG_BYTES(struct worker_config, memory_bytes, "memory", "0", 0, 1024 * TIB,
                 "memory offered to all instances together, by measured use; 0 for what the machine has"),
    CONFIG_DOUBLE(struct worker_config, overcommit, "overcommit", "0", 0, 100000,
                  "the memory sizes of all instances together may be this many times 'memory'; 1 promises no more than "
                  "there is, 0 sets no limit: instances then come in by measured use alone"),
    CONFIG_INT(struct worker_config, instance_limit, "instance_limit", "4000", 1, 100000, "most instances at a time"),
    CONFIG_STRING(struct worker_config, runner, "runner", NULL,
                  "the program of an instance; empty for pilotlight-runner beside the worker's own program"),
    CONFIG_ENUM(
        struct worker_config, sandbox, "sandbox", "best-effort", sandbox_choices,
        "'require': do not start on a host that cannot enforce every part of the sandbox; 'best-effort': log what "
        "is missing and go on. `pilotlight doctor` shows what this host can do"),
    CONFIG_INT(struct worker_config, sandbox_uid, "sandbox_uid", "1900000000", 0, 2147483647,
               "user and group id of whatever runs in a sandbox, when the worker is root; one that nobody else has"),
    CONFIG_STRING(struct worker_config, cgroup_parent, "cgroup_parent", NULL,
                  "cgroup v2 folder in which the worker makes its groups; empty for its own, or the top as root"),
    CONFIG_INT(struct worker_config, blank_instances, "blank_instances", "4", 0, 256,
               "processes of each runtime that are kept ready without a model, for the next cold starts"),
    CONFIG_DURATION(struct worker_config, orphan_ms, "orphan_timeout", "10m", 1 * CONFIG_SECOND_MS, CONFIG_DAY_MS,
                    "idle instances stop when no router has been connected for this long"),
    CONFIG_BYTES(struct worker_config, artifact_limit_bytes, "artifact_limit", "2GiB", 1024, 1 * TIB,
                 "largest artifact as fetched"),
    CONFIG_BYTES(struct worker_config, unpacked_limit_bytes, "unpacked_limit", "10GiB", 1024, 1 * TIB,
                 "largest artifact as unpacked"),
    CONFIG_DURATION(struct worker_config, fetch_timeout_ms, "fetch_timeout", "10m", 1 * CONFIG_SECOND_MS, CONFIG_DAY_MS,
                    "longest time to fetch an artifact, with all attempts"),
    CONFIG_STRING(struct worker_config, fetch_ca_file, "fetch_ca_file", NULL,
                  "PEM; trust these for https:// and s3:// too, beside those in this system's /etc/ssl/certs"),
    CONFIG_STRING(struct worker_config, logs_dir, "logs.dir", NULL,
                  "folder of what instances print; empty for 'logs' in cache_dir"),
    CONFIG_BYTES(struct worker_config, logs_endpoint_limit_bytes, "logs.endpoint_limit", "64MiB", 2 * MIB, 1 * TIB,
                 "most of one endpoint; the oldest lines go first"),
    CONFIG_BYTES(struct worker_config, logs_limit_bytes, "logs.limit", "1GiB", 2 * MIB, 1024 * TIB,
                 "most of all endpoints together"),
    CONFIG_DURATION(struct worker_config, logs_retention_ms, "logs.retention", "14d", 60 * CONFIG_SECOND_MS,
                    3650 * CONFIG_DAY_MS, "lines older than this go; those of an endpoint that was deleted too"),
    CONFIG_STRINGS(struct worker_config, python_interpreters, "python.interpreters", "python=/usr/bin/python3",
                   "python runtimes, NAME=PATH of its interpreter; models ask for one by its name"),
    CONFIG_STRINGS(struct worker_config, python_preload, "python.preload", "numpy,scipy,sklearn,joblib,pandas,xgboost",
                   "modules that are imported once for all instances of a python runtime; what is missing is logged"),
    CONFIG_STRINGS(struct worker_config, python_folders, "python.folders", NULL,
                   "folders that instances of python runtimes may read, besides /usr and their interpreter's own"),
    CONFIG_STRING(struct worker_config, python_folder, "python.folder", NULL,
                  "folder of the python runtime's own code; empty for lib/pilotlight/python beside the runner's bin"),
    CONFIG_BOOL(struct worker_config, python_eager, "python.eager", "false",
                "import python.preload when the worker starts, not when the first model of that runtime comes"),
    CONFIG_DURATION(
        struct worker_config, templates_keep_ms, "templates.keep", "1h", 0, 30 * CONFIG_DAY_MS,
        "a model that asks for PILOTLIGHT_SNAPSHOT keeps a process with the model loaded, of which instances "
        "are copies, for so long after its last instance; 0 for no such processes"),
    CONFIG_INT(struct worker_config, templates_limit, "templates.limit", "16", 1, 4096,
               "most of those processes; the one that was used least recently makes way"),
    CONFIG_BOOL(struct worker_config, http_enabled, "http.enabled", "true",
                "offer the http runtime, which runs programs of a model's owner"),
    CONFIG_STRINGS(struct worker_config, http_folders, "http.folders", NULL,
                   "folders with programs that models of the http runtime may name by their path, besides /usr"),
    CONFIG_DURATION(struct worker_config, http_stop_grace_ms, "http.stop_grace", "30s", 0, 10 * 60 * CONFIG_SECOND_MS,
                    "a program of the http runtime that has been asked to stop is killed after this long"),
    CONFIG_STRINGS(
        struct worker_config, network_allow, "network.allow", NULL,
        "what instances may reach, ENDPOINT=HOST:PORT each; '*' in ENDPOINT stands for any letters, HOST is a "
        "name, *.SUFFIX, an address or *, PORT a number or *; empty for nothing"),
    CONFIG_INT(struct worker_config, network_connections, "network.connections", "64", 1, 1024,
               "most connections to the outside of one instance at a time"),
    CONFIG_INT(
        struct worker_config, network_memory_mb, "network.memory_size_mb", "1024", 256, 65536,
        "MB, of the process through which all instances reach the outside; it has a core for each 1769 of them, as "
        "instances do"),
    CONFIG_DURATION(struct worker_config, network_idle_ms, "network.idle", "5m", 1 * CONFIG_SECOND_MS, CONFIG_DAY_MS,
                    "a connection to the outside ends after so long without a byte"),
    CONFIG_BOOL(struct worker_config, allow_http, "allow_http", "false",
                "fetch artifacts from http:// too, unencrypted"),
    CONFIG_STRINGS(
        struct worker_config, file_roots, "file_roots", "/",
        "file:// artifacts must lie in one of these folders; with / a worker that is root takes only files that "
        "everybody may read"),
    CONFIG_STRING(struct worker_config, s3_endpoint, "s3.endpoint", NULL,
                  "URL of the S3 service, https://minio.example:9000; empty for AWS in s3.region"),
    CONFIG_STRING(struct worker_config, s3_region, "s3.region", NULL,
                  "region to sign for; empty for AWS_REGION, else us-east-1"),
    CONFIG_STRING(struct worker_config, s3_access_key_id, "s3.access_key_id", NULL,
                  "empty for AWS_ACCESS_KEY_ID; without any, requests are not signed"),
    CONFIG_SECRET(struct worker_config, s3_secret_access_key, "s3.secret_access_key",
                  "empty for AWS_SECRET_ACCESS_KEY"),
    CONFIG_SECRET(struct worker_config, s3_session_token, "s3.session_token", "empty for AWS_SESSION_TOKEN"),
    CONFIG_BOOL(struct worker_config, s3_path_style, "s3.path_style", "false",
                "ask ENDPOINT/BUCKET/KEY instead of BUCKET.ENDPOINT/KEY"),
    { 0 },
};

static bool is_url(const char *s)
{
    return strncmp(s, "https://", 8) == 0 || strncmp(s, "http://", 7) == 0;
}

enum pl_code worker_config_check(const void *config, struct pl_err *err)
{
    const struct worker_config *c = config;

    if (c->cache_dir[0] != '/')
        return pl_fail(err, PL_INVALID, "cache_dir", "cache_dir: '%s' is not an absolute path", c->cache_dir);
    if (c->direct_socket[0] && c->direct_socket[0] != '/')
        return pl_fail(err, PL_INVALID, "direct_socket", "direct_socket: '%s' is not an absolute path",
                       c->direct_socket);
    if (c->logs_dir[0] && c->logs_dir[0] != '/')
        return pl_fail(err, PL_INVALID, "logs.dir", "logs.dir: '%s' is not an absolute path", c->logs_dir);
    if (c->runner[0] && c->runner[0] != '/')
        return pl_fail(err, PL_INVALID, "runner", "runner: '%s' is not an absolute path", c->runner);
    if (c->fetch_ca_file[0] && c->fetch_ca_file[0] != '/')
        return pl_fail(err, PL_INVALID, "fetch_ca_file", "fetch_ca_file: '%s' is not an absolute path",
                       c->fetch_ca_file);
    if (c->s3_endpoint[0] && !is_url(c->s3_endpoint))
        return pl_fail(err, PL_INVALID, "s3.endpoint", "s3.endpoint: '%s' does not start with https:// or http://",
                       c->s3_endpoint);
    if ((c->s3_access_key_id[0] != '\0') != (c->s3_secret_access_key[0] != '\0'))
        return pl_fail(err, PL_INVALID, "s3.access_key_id",
                       "s3.access_key_id and s3.secret_access_key go together: only one of them is set");
    for (size_t i = 0; i < c->file_roots.count; i++)
        if (c->file_roots.items[i][0] != '/')
            return pl_fail(err, PL_INVALID, "file_roots", "file_roots: '%s' is not an absolute path",
                           c->file_roots.items[i]);
    if (network_check(&c->network_allow, err) != PL_OK)
        return err->code;
    return runtimes_check(c, err);
}
