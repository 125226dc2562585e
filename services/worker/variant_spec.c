#include "variant_spec.h"

#include "artifact_uri.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "runtimes.h"
#include "sink.h"

#include <stdio.h>
#include <string.h>

#define CODE_VARIABLE       "SAGEMAKER_SUBMIT_DIRECTORY"
#define NAME_MAX_BYTES      63
#define MEMORY_MB_MAX       (1 << 20)
#define TIMEOUT_MS_MAX      3600000
#define ENVIRONMENT_ENTRIES 256
#define ENVIRONMENT_BYTES   ((size_t)64 << 10)

static enum pl_code check_name(const char *field, const char *value, struct pl_err *err)
{
    size_t n = strlen(value);

    if (n == 0 || n > NAME_MAX_BYTES)
        return pl_fail(err, PL_INVALID, field, "%s: %zu bytes long; 1 to %d are allowed", field, n, NAME_MAX_BYTES);
    return PL_OK;
}

static enum pl_code check_range(const char *field, int value, int max, struct pl_err *err)
{
    if (value < 1 || value > max)
        return pl_fail(err, PL_INVALID, field, "%s: %d; 1 to %d are allowed", field, value, max);
    return PL_OK;
}

static enum pl_code check_runtime(const char *runtime, const struct runtimes *known, struct pl_err *err)
{
    char list[256] = "";

    if (runtimes_find(known, runtime))
        return PL_OK;
    for (size_t i = 0; i < runtimes_count(known); i++) {
        size_t n = strlen(list);

        (void)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", runtimes_at(known, i)->name);
    }
    return pl_fail(err, PL_INVALID, "spec.runtime", "spec.runtime: '%.64s' is not offered by this host: it has %s",
                   runtime, list);
}

static enum pl_code check_environment(const Pilotlight__Internal__V1__VariantSpec *spec, struct pl_err *err)
{
    size_t bytes = 0;

    if (spec->n_environment > ENVIRONMENT_ENTRIES)
        return pl_fail(err, PL_INVALID, "spec.environment", "spec.environment: %zu entries; at most %d are allowed",
                       spec->n_environment, ENVIRONMENT_ENTRIES);
    for (size_t i = 0; i < spec->n_environment; i++)
        bytes += strlen(spec->environment[i]->key) + strlen(spec->environment[i]->value);
    if (bytes > ENVIRONMENT_BYTES)
        return pl_fail(err, PL_INVALID, "spec.environment", "spec.environment: %zu bytes; at most %zu are allowed",
                       bytes, ENVIRONMENT_BYTES);
    return PL_OK;
}

static enum pl_code check_digest(const char *field, const char *digest, bool pinned, struct pl_err *err)
{
    if ((!digest[0] && !pinned) || sha256_valid(digest))
        return PL_OK;
    return pl_fail(err, PL_INVALID, field, "%s: '%.80s' is not 64 lower-case hex digits", field, digest);
}

static enum pl_code check_uri(const char *uri, struct pl_err *err)
{
    struct artifact_uri u;

    if (artifact_uri_parse(&u, uri, err) != PL_OK)
        return err->code;
    artifact_uri_done(&u);
    return PL_OK;
}

const char *variant_spec_variable(const Pilotlight__Internal__V1__VariantSpec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_environment; i++)
        if (strcmp(spec->environment[i]->key, name) == 0)
            return spec->environment[i]->value;
    return NULL;
}

const char *variant_spec_code_uri(const Pilotlight__Internal__V1__VariantSpec *spec)
{
    const char *value = variant_spec_variable(spec, CODE_VARIABLE);

    return value && strcmp(spec->runtime, RUNTIME_XGBOOST) != 0 && strstr(value, "://") ? value : NULL;
}

static enum pl_code check_code(const Pilotlight__Internal__V1__VariantSpec *spec, bool pinned, struct pl_err *err)
{
    const char *uri = variant_spec_code_uri(spec);

    if (!uri)
        return PL_OK;
    if (check_uri(uri, err) == PL_OK)
        return check_digest("spec.code_sha256", spec->code_sha256, pinned, err);
    (void)pl_err_prefix(err, CODE_VARIABLE);
    return err->code;
}

enum pl_code variant_spec_check(const Pilotlight__Internal__V1__VariantSpec *spec, bool pinned,
                                const struct runtimes *runtimes, struct pl_err *err)
{
    if (!spec)
        return pl_fail(err, PL_INVALID, "spec", "spec: is missing");
    if (check_name("spec.endpoint_name", spec->endpoint_name, err) != PL_OK ||
        check_name("spec.variant_name", spec->variant_name, err) != PL_OK ||
        check_uri(spec->artifact_uri, err) != PL_OK ||
        check_digest("spec.artifact_sha256", spec->artifact_sha256, pinned, err) != PL_OK ||
        check_runtime(spec->runtime, runtimes, err) != PL_OK || check_environment(spec, err) != PL_OK ||
        check_code(spec, pinned, err) != PL_OK ||
        check_range("spec.memory_size_mb", spec->memory_size_mb, MEMORY_MB_MAX, err) != PL_OK ||
        check_range("spec.start_timeout_ms", spec->start_timeout_ms, TIMEOUT_MS_MAX, err) != PL_OK)
        return err->code;
    return PL_OK;
}
