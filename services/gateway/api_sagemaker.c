/* SageMaker's control plane: the table of its operations, and what they share. */
#include "aws_error.h"
#include "aws_words.h"
#include "gateway.h"
#include "sagemaker.h"
#include "services.h"
#include "shape.h"

#include <stdlib.h>
#include <string.h>

static const struct aws_operation operations[] = {
    { "CreateModel", sagemaker_create_model },
    { "DescribeModel", sagemaker_describe_model },
    { "ListModels", sagemaker_list_models },
    { "DeleteModel", sagemaker_delete_model },
    { "CreateEndpointConfig", sagemaker_create_endpoint_config },
    { "DescribeEndpointConfig", sagemaker_describe_endpoint_config },
    { "ListEndpointConfigs", sagemaker_list_endpoint_configs },
    { "DeleteEndpointConfig", sagemaker_delete_endpoint_config },
    { "CreateEndpoint", sagemaker_create_endpoint },
    { "DescribeEndpoint", sagemaker_describe_endpoint },
    { "ListEndpoints", sagemaker_list_endpoints },
    { "UpdateEndpoint", sagemaker_update_endpoint },
    { "UpdateEndpointWeightsAndCapacities", sagemaker_update_weights },
    { "DeleteEndpoint", sagemaker_delete_endpoint },
    { "AddTags", sagemaker_add_tags },
    { "ListTags", sagemaker_list_tags },
    { "DeleteTags", sagemaker_delete_tags },
    { 0 },
};

const struct aws_service sagemaker_service = {
    .name = "sagemaker",
    .signing_name = "sagemaker",
    .target_prefix = "SageMaker",
    .json = AWS_JSON_1_1,
    .operations = operations,
    .fail_upstream = sagemaker_fail_upstream,
};

/* ---- names ---- */

static const struct {
    const char *arn, *words;
} kinds[] = {
    [SAGEMAKER_MODEL] = { "model", "model" },
    [SAGEMAKER_CONFIG] = { "endpoint-config", "endpoint configuration" },
    [SAGEMAKER_ENDPOINT] = { "endpoint", "endpoint" },
};

char *sagemaker_arn(const struct aws_call *c, enum sagemaker_kind kind, const char *name)
{
    return aws_arn(c, "sagemaker", arena_format(c->arena, "%s/%s", kinds[kind].arn, name));
}

const char *sagemaker_status(Pilotlight__V1__EndpointStatus s)
{
    static const char *const names[] = {
        [PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_CREATING] = "Creating",
        [PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE] = "InService",
        [PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_UPDATING] = "Updating",
        [PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_ROLLING_BACK] = "RollingBack",
        [PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_DELETING] = "Deleting",
        [PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED] = "Failed",
    };
    return (size_t)s < PL_COUNT(names) && names[s] ? names[s] : "OutOfService";
}

/* ---- errors ---- */

/* Names of our protos in control's sentences, in AWS's. */
static const struct aws_word words[] = {
    { "endpoint_config.variants[", "ProductionVariants[" },
    { "variants[", "ProductionVariants[" },
    { "model_name", "ModelName" },
    { "memory_size_mb", "MemorySizeInMB" },
    { "max_concurrency", "MaxConcurrency" },
    { "provisioned_concurrency", "ProvisionedConcurrency" },
    { "model.artifact_uri", "ModelDataUrl" },
    { "artifact_uri", "ModelDataUrl" },
    { "model.environment", "Environment" },
    { "environment", "Environment" },
    { "model.tags", "Tags" },
    { "endpoint_config.tags", "Tags" },
    { "tags[", "Tags[" },
    { "annotations", "members without effect here" },
    { "page_token", "NextToken" },
    { "options.", "" },
    { 0 },
};

void sagemaker_fail_upstream(struct aws_call *c, const struct pl_err *err)
{
    switch (err->code) {
    case PL_INVALID:
    case PL_OUT_OF_RANGE:
        aws_fail(c, AWS_VALIDATION, "%s", shape_soft(c) ? shape_soft(c) : aws_words(c->arena, err->message, words));
        break;
    case PL_NOT_FOUND:
    case PL_EXISTS:
    case PL_PRECONDITION:
        aws_fail(c, AWS_VALIDATION, "%s", err->message);
        break;
    case PL_EXHAUSTED:
        aws_fail(c, AWS_LIMIT_EXCEEDED, "%s", err->message);
        break;
    case PL_ABORTED:
        aws_fail(c, AWS_THROTTLED, "Rate exceeded: %s", err->message);
        break;
    case PL_UNAVAILABLE:
    case PL_DEADLINE:
    case PL_CANCELLED:
        aws_fail(c, AWS_UNAVAILABLE, "%s", err->message);
        break;
    default:
        aws_fail(c, AWS_INTERNAL, "%s", err->message);
    }
}

bool sagemaker_failed(struct aws_call *c, const struct pl_err *status, enum sagemaker_kind kind, const char *name)
{
    if (status->code == PL_OK)
        return false;
    if (status->code == PL_NOT_FOUND)
        aws_fail(c, AWS_VALIDATION, "Could not find %s \"%s\".", kinds[kind].words, sagemaker_arn(c, kind, name));
    else if (status->code == PL_EXISTS)
        aws_fail(c, AWS_VALIDATION, "Cannot create already existing %s \"%s\".", kinds[kind].words,
                 sagemaker_arn(c, kind, name));
    else
        aws_fail_upstream(c, status);
    return true;
}

/* ---- tags and annotations ---- */

Pilotlight__V1__Tag **sagemaker_tags(struct aws_call *c, const json_t *tags, size_t *out_count)
{
    size_t count = json_array_size(tags);
    Pilotlight__V1__Tag **list = arena_get(c->arena, (count + 1) * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        const json_t *tag = json_array_get(tags, i);
        list[i] = ARENA_NEW(c->arena, Pilotlight__V1__Tag);
        pilotlight__v1__tag__init(list[i]);
        list[i]->key = arena_strdup(c->arena, aws_text(tag, "Key"));
        list[i]->value = arena_strdup(c->arena, aws_text(tag, "Value"));
    }
    *out_count = count;
    return list;
}

json_t *sagemaker_tags_json(Pilotlight__V1__Tag *const *tags, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "Key", tags[i]->key, "Value", tags[i]->value));
    return list;
}

void *sagemaker_annotation(struct aws_call *c, json_t *v, const ProtobufCMessageDescriptor *entry, size_t *out_count)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(16));
    json_decref(v);
    struct sagemaker_entry **list = arena_get(c->arena, sizeof(*list)),
                           *e = ARENA_NEW(c->arena, struct sagemaker_entry);
    protobuf_c_message_init(entry, e);
    e->key = arena_strdup(c->arena, SAGEMAKER_ANNOTATION);
    e->value = arena_strdup(c->arena, text ? text : "{}");
    free(text);
    list[0] = e;
    *out_count = 1;
    return list;
}

json_t *sagemaker_annotation_json(const void *entries, size_t count)
{
    struct sagemaker_entry *const *list = entries;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->key, SAGEMAKER_ANNOTATION) != 0)
            continue;
        json_t *v = json_loads(list[i]->value, 0, NULL);
        if (json_is_object(v))
            return v;
        json_decref(v);
    }
    return json_object();
}

/* ---- images ---- */

const char *sagemaker_runtime(struct aws_call *c, const char *image, bool has_script)
{
    const struct config_strings *images = &c->gateway->config->images;
    for (size_t i = 0; i < images->count; i++) {
        const char *equals = strchr(images->items[i], '=');
        char *part = arena_strndup(c->arena, images->items[i], (size_t)(equals - images->items[i]));
        if (!strstr(image, part))
            continue;
        /* A script of the user's runs in Python, whatever made the model. */
        return has_script && strcmp(equals + 1, "xgboost") == 0 ? "python" : equals + 1;
    }
    return NULL;
}
