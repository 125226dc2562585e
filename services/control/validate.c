#include "validate.h"

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum pl_code try_ = (call);                                                                                    \
        if (try_ != PL_OK)                                                                                             \
            return try_;                                                                                               \
    } while (0)

/* "variants[3].name" into 'out'; returns it. */
#define FIELD(out, ...) (snprintf((out), sizeof(out), __VA_ARGS__), (out))

enum pl_code validate_name(const struct limits *l, const char *field, const char *name, struct pl_err *err)
{
    return check_name(l, LIMIT_name, field, name, err);
}

enum pl_code validate_request_id(const struct limits *l, const char *id, struct pl_err *err)
{
    return check_printable(l, LIMIT_request_id, "request_id", id, err);
}

static const char *tag_key(const void *list, size_t i)
{
    return ((Pilotlight__V1__Tag *const *)list)[i]->key;
}

enum pl_code validate_tags(const struct limits *l, Pilotlight__V1__Tag *const *tags, size_t count, struct pl_err *err)
{
    char field[48];
    TRY(check_count(l, LIMIT_tags, "tags", count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(check_tag_text(l, LIMIT_tag_key, FIELD(field, "tags[%zu].key", i), tags[i]->key, err));
        TRY(check_tag_text(l, LIMIT_tag_value, FIELD(field, "tags[%zu].value", i), tags[i]->value, err));
    }
    return check_unique("tags", tag_key, tags, count, err);
}

enum pl_code validate_tag_keys(const struct limits *l, char *const *keys, size_t count, struct pl_err *err)
{
    char field[48];
    TRY(check_count(l, LIMIT_tags, "keys", count, err));
    for (size_t i = 0; i < count; i++)
        TRY(check_tag_text(l, LIMIT_tag_key, FIELD(field, "keys[%zu]", i), keys[i], err));
    return PL_OK;
}

static const char *environment_key(const void *list, size_t i)
{
    return ((Pilotlight__V1__Model__EnvironmentEntry *const *)list)[i]->key;
}

static enum pl_code environment(const struct limits *l, const Pilotlight__V1__Model *m, struct pl_err *err)
{
    char field[64];
    TRY(check_count(l, LIMIT_environment, "environment", m->n_environment, err));
    for (size_t i = 0; i < m->n_environment; i++) {
        const Pilotlight__V1__Model__EnvironmentEntry *e = m->environment[i];
        TRY(check_identifier(l, LIMIT_environment_key, "environment key", e->key, err));
        TRY(check_length(l, LIMIT_environment_value, FIELD(field, "environment[%.40s]", e->key), e->value, err));
    }
    return check_unique("environment", environment_key, m->environment, m->n_environment, err);
}

/* The messages with annotations have map entries of the same layout: a key and a value. */
typedef Pilotlight__V1__Model__AnnotationsEntry annotation;
_Static_assert(sizeof(annotation) == sizeof(Pilotlight__V1__EndpointConfig__AnnotationsEntry), "same entries");
_Static_assert(sizeof(annotation) == sizeof(Pilotlight__V1__CreateEndpointRequest__AnnotationsEntry), "same entries");
_Static_assert(sizeof(annotation) == sizeof(Pilotlight__V1__UpdateEndpointRequest__AnnotationsEntry), "same entries");

static const char *annotation_key(const void *list, size_t i)
{
    return ((annotation *const *)list)[i]->key;
}

static enum pl_code annotations(const struct limits *l, void *entries, size_t count, struct pl_err *err)
{
    annotation *const *list = entries;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(list[i]->key) + strlen(list[i]->value);
    TRY(check_number(l, LIMIT_annotations, "annotations", (int64_t)bytes, err));
    return check_unique("annotations", annotation_key, entries, count, err);
}

static const char *variable(const Pilotlight__V1__Model *m, const char *key)
{
    for (size_t i = 0; i < m->n_environment; i++)
        if (strcmp(m->environment[i]->key, key) == 0)
            return m->environment[i]->value;
    return "";
}

/* The built-in runtime runs no code: a script that is never run would be a silent lie. */
static enum pl_code program(const struct limits *l, const Pilotlight__V1__Model *m, struct pl_err *err)
{
    const char *folder = variable(m, "SAGEMAKER_SUBMIT_DIRECTORY");
    if (!*m->runtime || strcmp(m->runtime, "xgboost") == 0) {
        if (*variable(m, "SAGEMAKER_PROGRAM"))
            return pl_fail(err, PL_INVALID, "runtime",
                           "runtime is \"xgboost\", which runs no scripts, but environment[SAGEMAKER_PROGRAM] is "
                           "\"%.200s\": runtime must be \"python\", or another one that runs it",
                           variable(m, "SAGEMAKER_PROGRAM"));
        return PL_OK;
    }
    if (strstr(folder, "://"))
        return check_artifact_uri(l, "environment[SAGEMAKER_SUBMIT_DIRECTORY]", folder, err);
    if (*folder && strcmp(folder, "/opt/ml/model") != 0 && strncmp(folder, "/opt/ml/model/", 14) != 0)
        return pl_fail(err, PL_INVALID, "environment",
                       "environment[SAGEMAKER_SUBMIT_DIRECTORY] is \"%.200s\": it must be a folder of the artifact, "
                       "/opt/ml/model/..., or an s3://, https:// or file:// URI of an archive",
                       folder);
    return PL_OK;
}

enum pl_code validate_model(const struct limits *l, const Pilotlight__V1__Model *m, struct pl_err *err)
{
    if (!m)
        return pl_fail(err, PL_INVALID, "model", "model is missing: the request must carry one");
    TRY(check_name(l, LIMIT_name, "name", m->name, err));
    TRY(check_artifact_uri(l, "artifact_uri", m->artifact_uri, err));
    TRY(check_sha256("artifact_sha256", m->artifact_sha256, err));
    if (*m->runtime)
        TRY(check_name(l, LIMIT_runtime, "runtime", m->runtime, err));
    TRY(environment(l, m, err));
    TRY(program(l, m, err));
    TRY(annotations(l, m->annotations, m->n_annotations, err));
    return validate_tags(l, m->tags, m->n_tags, err);
}

static enum pl_code weight(const char *field, const Pilotlight__V1__ProductionVariant *v, double *total,
                           struct pl_err *err)
{
    double w = v->initial_weight_case == PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT ? v->weight : 1;
    if (!isfinite(w) || w < 0)
        return pl_fail(err, PL_INVALID, field, "%s is %g: it must be a finite number, 0 or more", field, w);
    *total += w;
    return PL_OK;
}

/* The checks of one variant; 'at' is "variants[2]". */
static enum pl_code variant(const struct limits *l, const char *at, const Pilotlight__V1__ProductionVariant *v,
                            struct pl_err *err)
{
    char field[96];
    TRY(check_name(l, LIMIT_name, FIELD(field, "%s.name", at), v->name, err));
    TRY(check_name(l, LIMIT_name, FIELD(field, "%s.model_name", at), v->model_name, err));
    TRY(check_number(l, LIMIT_memory_size_mb, FIELD(field, "%s.memory_size_mb", at), v->memory_size_mb, err));
    TRY(check_number(l, LIMIT_max_concurrency, FIELD(field, "%s.max_concurrency", at), v->max_concurrency, err));
    FIELD(field, "%s.provisioned_concurrency", at);
    TRY(check_number(l, LIMIT_provisioned_concurrency, field, v->provisioned_concurrency, err));
    if (v->provisioned_concurrency > v->max_concurrency)
        return pl_fail(err, PL_INVALID, field, "%s is %d: it must be at most max_concurrency, which is %d", field,
                       v->provisioned_concurrency, v->max_concurrency);
    if (v->invoke_timeout_ms != 0)
        TRY(check_number(l, LIMIT_invoke_timeout_ms, FIELD(field, "%s.invoke_timeout_ms", at), v->invoke_timeout_ms,
                         err));
    if (v->start_timeout_ms != 0)
        TRY(check_number(l, LIMIT_start_timeout_ms, FIELD(field, "%s.start_timeout_ms", at), v->start_timeout_ms, err));
    if (v->keep_alive)
        TRY(check_number(l, LIMIT_keep_alive_idle_ms, FIELD(field, "%s.keep_alive.idle_ms", at), v->keep_alive->idle_ms,
                         err));
    return PL_OK;
}

static const char *variant_name(const void *list, size_t i)
{
    return ((Pilotlight__V1__ProductionVariant *const *)list)[i]->name;
}

static enum pl_code variants(const struct limits *l, const Pilotlight__V1__EndpointConfig *c, struct pl_err *err)
{
    const struct limit *most = &l->row[LIMIT_max_concurrency];
    char at[32], field[48];
    int64_t concurrency = 0;
    double total = 0;
    TRY(check_count(l, LIMIT_variants, "variants", c->n_variants, err));
    for (size_t i = 0; i < c->n_variants; i++) {
        TRY(variant(l, FIELD(at, "variants[%zu]", i), c->variants[i], err));
        TRY(weight(FIELD(field, "variants[%zu].weight", i), c->variants[i], &total, err));
        if (c->variants[i]->persistent != c->variants[0]->persistent)
            return pl_fail(err, PL_INVALID, FIELD(field, "variants[%zu].persistent", i),
                           "%s differs from the first variant's: all must be persistent, or none", field);
        concurrency += c->variants[i]->max_concurrency;
    }
    TRY(check_unique("variants", variant_name, c->variants, c->n_variants, err));
    if (concurrency > most->max)
        return pl_fail(err, PL_INVALID, "variants",
                       "max_concurrency adds up to %lld over the variants: it must be at most %lld %s an endpoint",
                       (long long)concurrency, (long long)most->max, most->unit);
    if (!isfinite(total) || total <= 0)
        return pl_fail(err, PL_INVALID, "variants",
                       "weight adds up to %g over the variants: it must be a finite number above 0", total);
    return PL_OK;
}

enum pl_code validate_config(const struct limits *l, const Pilotlight__V1__EndpointConfig *c, struct pl_err *err)
{
    if (!c)
        return pl_fail(err, PL_INVALID, "endpoint_config", "endpoint_config is missing: the request must carry one");
    TRY(check_name(l, LIMIT_name, "name", c->name, err));
    TRY(variants(l, c, err));
    TRY(annotations(l, c->annotations, c->n_annotations, err));
    for (size_t i = 0; i < c->n_variants; i++)
        TRY(annotations(l, c->variants[i]->annotations, c->variants[i]->n_annotations, err));
    return validate_tags(l, c->tags, c->n_tags, err);
}

enum pl_code validate_endpoint(const struct limits *l, const Pilotlight__V1__CreateEndpointRequest *r,
                               struct pl_err *err)
{
    TRY(check_name(l, LIMIT_name, "name", r->name, err));
    TRY(check_name(l, LIMIT_name, "endpoint_config_name", r->endpoint_config_name, err));
    TRY(annotations(l, r->annotations, r->n_annotations, err));
    TRY(validate_tags(l, r->tags, r->n_tags, err));
    return validate_request_id(l, r->request_id, err);
}

enum pl_code validate_update(const struct limits *l, const Pilotlight__V1__UpdateEndpointRequest *r, struct pl_err *err)
{
    TRY(check_name(l, LIMIT_name, "name", r->name, err));
    TRY(check_name(l, LIMIT_name, "endpoint_config_name", r->endpoint_config_name, err));
    TRY(annotations(l, r->annotations, r->n_annotations, err));
    return validate_request_id(l, r->request_id, err);
}

/* Not negative: milliseconds since 1970. */
static enum pl_code moment(const char *field, int64_t unix_ms, struct pl_err *err)
{
    if (unix_ms < 0)
        return pl_fail(err, PL_INVALID, field, "%s is %lld: it must be 0 or more", field, (long long)unix_ms);
    return PL_OK;
}

static enum pl_code known(const char *field, int value, const ProtobufCEnumDescriptor *values, struct pl_err *err)
{
    if (!protobuf_c_enum_descriptor_get_value(values, value))
        return pl_fail(err, PL_INVALID, field, "%s is %d: it is no value of %s", field, value, values->name);
    return PL_OK;
}

enum pl_code validate_status(Pilotlight__V1__EndpointStatus status, struct pl_err *err)
{
    return known("status", (int)status, &pilotlight__v1__endpoint_status__descriptor, err);
}

enum pl_code validate_list(const struct limits *l, const Pilotlight__V1__ListOptions *o, bool with_status,
                           struct pl_err *err)
{
    if (!o)
        return PL_OK;
    if (o->page_size != 0)
        TRY(check_number(l, LIMIT_page_size, "page_size", o->page_size, err));
    TRY(check_length(l, LIMIT_name_contains, "name_contains", o->name_contains, err));
    TRY(moment("created_from_unix_ms", o->created_from_unix_ms, err));
    TRY(moment("created_before_unix_ms", o->created_before_unix_ms, err));
    TRY(moment("updated_from_unix_ms", o->updated_from_unix_ms, err));
    TRY(moment("updated_before_unix_ms", o->updated_before_unix_ms, err));
    TRY(known("sort_by", (int)o->sort_by, &pilotlight__v1__sort_by__descriptor, err));
    TRY(known("sort_order", (int)o->sort_order, &pilotlight__v1__sort_order__descriptor, err));
    if (o->sort_by == PILOTLIGHT__V1__SORT_BY__SORT_BY_STATUS && !with_status)
        return pl_fail(err, PL_INVALID, "sort_by", "sort_by is SORT_BY_STATUS: only endpoints have a status");
    return PL_OK;
}

enum pl_code validate_member_id(const struct limits *l, const char *field, const char *id, struct pl_err *err)
{
    TRY(check_length(l, LIMIT_name, field, id, err));
    for (const char *p = id; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *p))
            return pl_fail(err, PL_INVALID, field, "%s \"%.80s\" may have only letters, digits, '.', '_' and '-'",
                           field, id);
    return PL_OK;
}

enum pl_code validate_heartbeat(const struct limits *l, const Pilotlight__Internal__V1__HeartbeatRequest *r,
                                struct pl_err *err)
{
    const Pilotlight__Internal__V1__WorkerHost *h = r->host;
    char field[48];
    if (!h)
        return pl_fail(err, PL_INVALID, "host", "host is missing: the request must carry one");
    TRY(validate_member_id(l, "host.id", h->id, err));
    if (r->leaving)
        return PL_OK;
    if (r->host_epoch < 1)
        return pl_fail(err, PL_INVALID, "host_epoch", "host_epoch is %lld: it must be 1 or more",
                       (long long)r->host_epoch);
    TRY(check_length(l, LIMIT_artifact_uri, "host.address", h->address, err));
    if (h->n_runtimes > 64)
        return pl_fail(err, PL_INVALID, "host.runtimes", "host.runtimes has %zu: it must have at most 64",
                       h->n_runtimes);
    for (size_t i = 0; i < h->n_runtimes; i++)
        TRY(check_name(l, LIMIT_runtime, FIELD(field, "host.runtimes[%zu]", i), h->runtimes[i], err));
    if (h->memory_mb < 0)
        return pl_fail(err, PL_INVALID, "host.memory_mb", "host.memory_mb is %lld: it must be 0 or more",
                       (long long)h->memory_mb);
    return PL_OK;
}
