#include "gateway_config.h"

#include <string.h>

#define MINUTE_MS 60000.0
#define KIB       1024.0
#define MIB       (1024.0 * KIB)
#define TIB       (1024.0 * 1024.0 * MIB)

#define S struct gateway_config
const struct config_row gateway_config_rows[] = {
    SERVICE_CONFIG_ROWS_OF(S, "127.0.0.1:8080", "127.0.0.1:8090", "addresses of the AWS front door: HOST:PORT"),
    CONFIG_STRING(S, control, "control", "127.0.0.1:8082", "gRPC target of control"),
    CONFIG_STRING(S, router, "router", "127.0.0.1:8081",
                  "a router: gRPC target, or unix-frames:PATH where it listens on one (same machine, much faster)"),
    CONFIG_STRING(S, upstream_ca_file, "upstream_tls.ca_file", NULL,
                  "PEM; call control and router with TLS and trust these"),
    CONFIG_STRING(S, upstream_cert_file, "upstream_tls.cert_file", NULL, "PEM certificate shown to them (mTLS)"),
    CONFIG_STRING(S, upstream_key_file, "upstream_tls.key_file", NULL, "PEM private key for it"),
    CONFIG_DURATION(S, upstream_connect_ms, "upstream_connect_timeout", "5s", 0, 10 * MINUTE_MS,
                    "how long a call waits for a connection to control or the router; 0 = not at all"),
    CONFIG_STRING(S, region, "region", "us-east-1", "region in ARNs when a request names none"),
    CONFIG_STRING(S, account_id, "account_id", "000000000000", "account in ARNs and of every caller: 12 digits"),
    CONFIG_STRING(S, role, "role", "pilotlight", "name of the role that GetCallerIdentity and GetRole speak of"),
    CONFIG_STRING(S, credentials_file, "credentials_file", "credentials.json",
                  "access keys, made by `pilotlight credentials`"),
    CONFIG_BOOL(S, allow_unauthenticated, "allow_unauthenticated", "false",
                "serve requests that are not signed; for a laptop only (wrong signatures are still refused)"),
    CONFIG_DURATION(S, clock_skew_ms, "clock_skew", "15m", 1000, 24 * 60 * MINUTE_MS,
                    "how far a signature's time may be from ours"),
    CONFIG_INT(S, connections, "http.connections", "20000", 8, 1000000, "connections open at once"),
    CONFIG_INT(S, connections_per_address, "http.connections_per_address", "0", 0, 1000000,
               "connections open at once from one address; 0 = no limit of its own"),
    CONFIG_BYTES(S, header_bytes, "http.header_bytes", "16KiB", 4 * KIB, MIB, "request line and headers of a request"),
    CONFIG_INT(S, header_count, "http.headers", "100", 16, 1000, "headers of a request"),
    CONFIG_DURATION(S, idle_ms, "http.idle_timeout", "5m", 1000, CONFIG_DAY_MS,
                    "from an answer to the complete headers of the next request"),
    CONFIG_DURATION(S, stall_ms, "http.stall_timeout", "60s", 1000, CONFIG_DAY_MS,
                    "longest silence while a request or an answer is on its way"),
    CONFIG_BYTES(S, body_bytes_per_s, "http.body_bytes_per_second", "1KiB", 0, MIB * 1024,
                 "a body that comes slower for ten seconds is given up; 0 = any speed"),
    CONFIG_BYTES(S, request_bytes, "limits.request_bytes", "1MiB", 64 * KIB, 64 * MIB,
                 "largest body of a control-plane call"),
    CONFIG_BYTES(S, payload_bytes, "limits.payload_bytes", "6MiB", KIB, 6 * MIB,
                 "largest body of InvokeEndpoint, and of its answer"),
    CONFIG_DURATION(S, invoke_timeout_ms, "limits.invoke_timeout", "245s", 1000, 60 * MINUTE_MS,
                    "longest wait for a router's answer: a cold start and an invocation together"),
    CONFIG_STRINGS(S, images, "images",
                   "sagemaker-xgboost=xgboost,xgboost=xgboost,sagemaker-scikit-learn=python,scikit-learn=python,"
                   "sklearn=python,python=python",
                   "runtimes by image: TEXT=RUNTIME; the first TEXT that the image's name contains decides"),
    CONFIG_INT(S, instance_memory_mb, "instances.memory_size_mb", "6144", 1024, 1048576,
               "memory size of variants that have an InstanceType"),
    CONFIG_INT(S, instance_concurrency, "instances.max_concurrency", "200", 1, 100000,
               "max concurrency of variants that have an InstanceType, together in a config"),
    CONFIG_INT(S, instance_warm, "instances.warm_per_instance", "1", 1, 200,
               "instances kept warm for each of InitialInstanceCount"),
    CONFIG_STRING(S, bucket_dir, "s3.directory", "buckets", "folder of the built-in artifact buckets; empty for none"),
    CONFIG_STRING(S, s3_host, "s3.host", "localhost", "BUCKET.HOST is the bucket, as in a path; empty for paths only"),
    CONFIG_BYTES(S, bucket_bytes, "s3.total_bytes", "20GiB", MIB, TIB, "all objects together, uploads included"),
    CONFIG_BYTES(S, object_bytes, "s3.object_bytes", "5GiB", MIB, TIB, "one object"),
    CONFIG_BYTES(S, bucket_free_bytes, "s3.keep_free_bytes", "256MiB", 0, TIB,
                 "space on the disk that uploads leave alone"),
    CONFIG_INT(S, uploads, "s3.uploads", "100", 1, 10000, "multipart uploads open at once"),
    CONFIG_DURATION(S, upload_age_ms, "s3.upload_age", "1d", MINUTE_MS, 30 * CONFIG_DAY_MS,
                    "multipart uploads that are older are thrown away"),
    { 0 },
};
#undef S

enum pl_code gateway_config_check(const void *config, struct pl_err *err)
{
    const struct gateway_config *c = config;
    if (strlen(c->account_id) != 12 || strspn(c->account_id, "0123456789") != 12)
        return pl_fail(err, PL_INVALID, "account_id", "account_id is '%s': it must have 12 digits", c->account_id);
    if (*c->base.tls_ca_file)
        return pl_fail(err, PL_INVALID, "tls.ca_file",
                       "tls.ca_file: the gateway knows its clients by their signatures and asks for no certificates");
    if (!*c->upstream_cert_file != !*c->upstream_key_file)
        return pl_fail(err, PL_INVALID, "upstream_tls.key_file",
                       "upstream_tls.cert_file and upstream_tls.key_file must be given together");
    for (size_t i = 0; i < c->images.count; i++) {
        const char *equals = strchr(c->images.items[i], '=');
        if (!equals || equals == c->images.items[i] || !equals[1])
            return pl_fail(err, PL_INVALID, "images", "images[%zu] is '%s': it must be TEXT=RUNTIME", i,
                           c->images.items[i]);
    }
    return PL_OK;
}
