/* gateway_config - the settings of the gateway, as rows of common/config. */
#ifndef GATEWAY_GATEWAY_CONFIG_H
#define GATEWAY_GATEWAY_CONFIG_H

#include "service/service.h"

struct gateway_config {
    struct service_config base;
    char *control, *router;
    char *upstream_ca_file, *upstream_cert_file, *upstream_key_file;
    char *region, *account_id, *role;
    /* who may call */
    char *credentials_file;
    bool allow_unauthenticated;
    int64_t clock_skew_ms, upstream_connect_ms;
    /* HTTP */
    int64_t connections, connections_per_address;
    int64_t header_bytes, header_count;
    int64_t idle_ms, stall_ms, body_bytes_per_s;
    int64_t request_bytes, payload_bytes, invoke_timeout_ms;
    /* SageMaker */
    struct config_strings images;
    int64_t instance_memory_mb, instance_concurrency, instance_warm;
    /* the artifact bucket */
    char *bucket_dir, *s3_host;
    int64_t bucket_bytes, object_bytes, bucket_free_bytes, uploads, upload_age_ms;
};

extern const struct config_row gateway_config_rows[];
/* What rows cannot say; for struct service_def. */
enum pl_code gateway_config_check(const void *config, struct pl_err *err);

#endif
