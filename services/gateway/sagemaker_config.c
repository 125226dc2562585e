/* Endpoint configs.
 *
 * Creating one: the input is checked; the models of its variants are asked for one after the other, because what AWS
 * excludes from serverless endpoints (VPCs, several containers, ...) is said in them; then the config is created.
 *
 * A variant with a ServerlessConfig is one of ours. A variant with an InstanceType runs as always-warm instances
 * (settings instances.*), so that an endpoint which is persistent on AWS works, and can be moved to serverless in
 * place. */
#include "aws_error.h"
#include "gateway.h"
#include "sagemaker.h"
#include "sagemaker_shapes.h"
#include "upstream.h"

#include <string.h>

/* The handler's state while models are asked for. */
struct creation {
    size_t next;         /* variant whose model is asked for */
    const char **images; /* by variant; NULL where the model has none */
};

static json_t *variant_at(const struct aws_call *c, size_t i)
{
    return json_array_get(json_object_get(c->input, "ProductionVariants"), i);
}

static size_t variant_count(const struct aws_call *c)
{
    return json_array_size(json_object_get(c->input, "ProductionVariants"));
}

static bool is_serverless(const struct aws_call *c)
{
    return json_object_get(variant_at(c, 0), "ServerlessConfig") != NULL;
}

/* What each of the instance-based variants has of the concurrency that all of them have together. */
static int64_t instance_share(const struct aws_call *c)
{
    int64_t share = c->gateway->config->instance_concurrency / (int64_t)variant_count(c);
    return share > 0 ? share : 1;
}

static int64_t most_instances(const struct aws_call *c)
{
    int64_t most = instance_share(c) / c->gateway->config->instance_warm;
    return most > 0 ? most : 1;
}

static int64_t instance_count(const json_t *v)
{
    int64_t count = 1;
    (void)aws_integer(v, "InitialInstanceCount", &count);
    return count;
}

/* ---- what AWS does not allow, and what is not offered ---- */

static bool refuse(struct aws_call *c, const char *member, const char *why)
{
    aws_fail(c, AWS_VALIDATION, "%s %s.", member, why);
    return false;
}

static bool check_variant(struct aws_call *c, size_t i)
{
    static const char *const instance_only[] = {
        "InstanceType",   "InitialInstanceCount",   "AcceleratorType",
        "VolumeSizeInGB", "ManagedInstanceScaling", "RoutingConfig",
        "CoreDumpConfig", "InstancePools",          "CapacityReservationConfig"
    };
    const json_t *v = variant_at(c, i);
    const char *at = arena_format(c->arena, "ProductionVariants[%zu]", i);
    if (!aws_text(v, "ModelName"))
        return refuse(c, at, "has no ModelName: it must have one");
    bool serverless = json_object_get(v, "ServerlessConfig") != NULL;
    for (size_t k = 0; serverless && k < PL_COUNT(instance_only); k++)
        if (json_object_get(v, instance_only[k]))
            return refuse(c, arena_format(c->arena, "%s.%s", at, instance_only[k]),
                          "cannot be used with ServerlessConfig");
    if (!serverless && !aws_text(v, "InstanceType"))
        return refuse(c, at, "must have a ServerlessConfig, or an InstanceType with an InitialInstanceCount");
    if (serverless != is_serverless(c))
        return refuse(c, "ProductionVariants", "must all have a ServerlessConfig, or none");
    if (json_object_get(v, "AcceleratorType"))
        return refuse(c, arena_format(c->arena, "%s.AcceleratorType", at), "is not offered: instances have CPUs only");
    int64_t most = most_instances(c);
    if (!serverless && instance_count(v) > most)
        return refuse(c, arena_format(c->arena, "%s.InitialInstanceCount", at),
                      arena_format(c->arena,
                                   "is %lld: it must be at most %lld here (the gateway's instances.max_concurrency, "
                                   "shared by the variants, over instances.warm_per_instance)",
                                   (long long)instance_count(v), (long long)most));
    return true;
}

static bool check_whole(struct aws_call *c)
{
    if (json_object_get(c->input, "AsyncInferenceConfig"))
        return refuse(c, "AsyncInferenceConfig", "is not offered: endpoints are synchronous");
    if (json_array_size(json_object_get(c->input, "ShadowProductionVariants")) > 0)
        return refuse(c, "ShadowProductionVariants", "are not offered: give ProductionVariants weights instead");
    if (json_object_get(c->input, "ExplainerConfig"))
        return refuse(c, "ExplainerConfig", "is not offered");
    const json_t *capture = json_object_get(c->input, "DataCaptureConfig");
    if (capture && (is_serverless(c) || aws_bool(capture, "EnableCapture", false)))
        return refuse(c, "DataCaptureConfig", "is not offered");
    if (is_serverless(c) && json_object_get(c->input, "VpcConfig"))
        return refuse(c, "VpcConfig", "cannot be used with ServerlessConfig");
    if (is_serverless(c) && aws_bool(c->input, "EnableNetworkIsolation", false))
        return refuse(c, "EnableNetworkIsolation", "cannot be used with ServerlessConfig");
    for (size_t i = 0; i < variant_count(c); i++)
        if (!check_variant(c, i))
            return false;
    return true;
}

/* 'kept' is the input of the model's CreateModel, as far as the model itself does not hold it. */
static bool check_model(struct aws_call *c, const char *name, const json_t *kept)
{
    const json_t *primary = json_object_get(kept, "PrimaryContainer"), *all = json_object_get(kept, "Containers");
    const json_t *container = primary ? primary : json_array_get(all, 0);
    const char *mode = aws_text(container, "Mode");
    const char *access = aws_text(json_object_get(container, "ImageConfig"), "RepositoryAccessMode");
    const char *what = NULL;
    if (json_array_size(all) > 1)
        what = "several Containers";
    else if (mode && strcmp(mode, "MultiModel") == 0)
        what = "Mode MultiModel";
    else if (aws_text(container, "ModelPackageName"))
        what = "a ModelPackageName";
    else if (is_serverless(c) && json_object_get(kept, "VpcConfig"))
        what = "a VpcConfig";
    else if (is_serverless(c) && aws_bool(kept, "EnableNetworkIsolation", false))
        what = "EnableNetworkIsolation";
    else if (is_serverless(c) && access && strcmp(access, "Vpc") == 0)
        what = "RepositoryAccessMode Vpc";
    if (!what)
        return true;
    aws_fail(c, AWS_VALIDATION, "Model \"%s\" has %s, which cannot be used with %s.",
             sagemaker_arn(c, SAGEMAKER_MODEL, name), what, is_serverless(c) ? "ServerlessConfig" : "an endpoint here");
    return false;
}

/* ---- create ---- */

static void set_serverless(const json_t *v, Pilotlight__V1__ProductionVariant *out)
{
    const json_t *s = json_object_get(v, "ServerlessConfig");
    int64_t memory = 0, concurrency = 0, provisioned = 0;
    (void)aws_integer(s, "MemorySizeInMB", &memory);
    (void)aws_integer(s, "MaxConcurrency", &concurrency);
    (void)aws_integer(s, "ProvisionedConcurrency", &provisioned);
    out->memory_size_mb = aws_narrow(memory);
    out->max_concurrency = aws_narrow(concurrency);
    out->provisioned_concurrency = aws_narrow(provisioned);
}

static void set_instances(const struct aws_call *c, const json_t *v, Pilotlight__V1__ProductionVariant *out)
{
    const struct gateway_config *config = c->gateway->config;
    int64_t share = instance_share(c), warm = instance_count(v) * config->instance_warm;
    out->persistent = true;
    out->memory_size_mb = (int32_t)config->instance_memory_mb;
    out->max_concurrency = (int32_t)share;
    out->provisioned_concurrency = (int32_t)(warm < share ? warm : share);
}

/* What DescribeEndpoint needs of a variant when the config is long gone. */
static json_t *variant_note(const json_t *v, const char *image)
{
    json_t *note = json_object();
    if (aws_text(v, "InstanceType"))
        json_object_set(note, "InstanceType", json_object_get(v, "InstanceType"));
    if (image)
        json_object_set_new(note, "Image", json_string(image));
    return note;
}

static void set_variant(struct aws_call *c, size_t i, Pilotlight__V1__ProductionVariant *out)
{
    const json_t *v = variant_at(c, i);
    const struct creation *creation = c->state;
    pilotlight__v1__production_variant__init(out);
    out->name = arena_strdup(c->arena, aws_text(v, "VariantName"));
    out->model_name = arena_strdup(c->arena, aws_text(v, "ModelName"));
    out->initial_weight_case = PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT;
    out->weight = 1;
    (void)aws_number(v, "InitialVariantWeight", &out->weight);
    if (json_object_get(v, "ServerlessConfig"))
        set_serverless(v, out);
    else
        set_instances(c, v, out);
    out->annotations =
        sagemaker_annotation(c, variant_note(v, creation->images[i]),
                             &pilotlight__v1__production_variant__annotations_entry__descriptor, &out->n_annotations);
}

static void created(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const char *name = aws_text(c->input, "EndpointConfigName");
    (void)reply;
    if (!sagemaker_failed(c, status, SAGEMAKER_CONFIG, name))
        aws_reply(c, json_pack("{s:s}", "EndpointConfigArn", sagemaker_arn(c, SAGEMAKER_CONFIG, name)));
}

static void create(struct aws_call *c)
{
    Pilotlight__V1__EndpointConfig config = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__CreateEndpointConfigRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_CONFIG_REQUEST__INIT;
    size_t count = variant_count(c);
    config.name = arena_strdup(c->arena, aws_text(c->input, "EndpointConfigName"));
    config.variants = arena_get(c->arena, count * sizeof(*config.variants));
    config.n_variants = count;
    for (size_t i = 0; i < count; i++) {
        config.variants[i] = ARENA_NEW(c->arena, Pilotlight__V1__ProductionVariant);
        set_variant(c, i, config.variants[i]);
    }
    config.tags = sagemaker_tags(c, json_object_get(c->input, "Tags"), &config.n_tags);
    json_t *kept = json_deep_copy(c->input);
    json_object_del(kept, "EndpointConfigName");
    json_object_del(kept, "Tags");
    config.annotations = sagemaker_annotation(c, kept, &pilotlight__v1__endpoint_config__annotations_entry__descriptor,
                                              &config.n_annotations);
    r.endpoint_config = &config;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointConfigService", "CreateEndpointConfig"), &r.base,
                  &pilotlight__v1__create_endpoint_config_response__descriptor, created);
}

static void ask_next_model(struct aws_call *c);

static void model_answered(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__GetModelResponse *r = reply;
    struct creation *creation = c->state;
    const char *name = aws_text(variant_at(c, creation->next), "ModelName");
    if (sagemaker_failed(c, status, SAGEMAKER_MODEL, name))
        return;
    json_t *kept = sagemaker_annotation_json(r->model->annotations, r->model->n_annotations);
    const json_t *primary = json_object_get(kept, "PrimaryContainer");
    creation->images[creation->next++] = arena_strdup(c->arena, aws_text(primary, "Image"));
    bool good = check_model(c, name, kept);
    json_decref(kept);
    if (good)
        ask_next_model(c);
}

static void ask_next_model(struct aws_call *c)
{
    struct creation *creation = c->state;
    Pilotlight__V1__GetModelRequest r = PILOTLIGHT__V1__GET_MODEL_REQUEST__INIT;
    if (creation->next == variant_count(c)) {
        create(c);
        return;
    }
    r.name = arena_strdup(c->arena, aws_text(variant_at(c, creation->next), "ModelName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ModelService", "GetModel"), &r.base,
                  &pilotlight__v1__get_model_response__descriptor, model_answered);
}

void sagemaker_create_endpoint_config(struct aws_call *c)
{
    if (!shape_check(c, &shape_create_endpoint_config) || !check_whole(c))
        return;
    struct creation *creation = ARENA_NEW(c->arena, struct creation);
    creation->images = arena_get(c->arena, variant_count(c) * sizeof(*creation->images));
    c->state = creation;
    ask_next_model(c);
}

/* ---- describe ---- */

static json_t *variant_json(const Pilotlight__V1__ProductionVariant *v)
{
    bool weighted = v->initial_weight_case == PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT;
    json_t *serverless =
        json_pack("{s:i, s:i}", "MemorySizeInMB", (int)v->memory_size_mb, "MaxConcurrency", (int)v->max_concurrency);
    if (v->provisioned_concurrency > 0)
        json_object_set_new(serverless, "ProvisionedConcurrency", json_integer(v->provisioned_concurrency));
    return json_pack("{s:s, s:s, s:f, s:o}", "VariantName", v->name, "ModelName", v->model_name, "InitialVariantWeight",
                     weighted ? v->weight : 1.0, "ServerlessConfig", serverless);
}

/* As given at its creation; of one that came by gRPC, as it would have been given. */
static void set_variants(json_t *v, const Pilotlight__V1__EndpointConfig *config)
{
    json_t *list = json_object_get(v, "ProductionVariants"), *item;
    size_t i;
    if (!list) {
        list = json_array();
        for (i = 0; i < config->n_variants; i++)
            json_array_append_new(list, variant_json(config->variants[i]));
        json_object_set_new(v, "ProductionVariants", list);
    }
    json_array_foreach(list, i, item)
    {
        if (!json_object_get(item, "InitialVariantWeight"))
            json_object_set_new(item, "InitialVariantWeight", json_real(1));
    }
}

static void described(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__GetEndpointConfigResponse *r = reply;
    if (sagemaker_failed(c, status, SAGEMAKER_CONFIG, aws_text(c->input, "EndpointConfigName")))
        return;
    const Pilotlight__V1__EndpointConfig *config = r->endpoint_config;
    json_t *v = sagemaker_annotation_json(config->annotations, config->n_annotations);
    set_variants(v, config);
    json_object_set_new(v, "EndpointConfigName", json_string(config->name));
    json_object_set_new(v, "EndpointConfigArn", json_string(sagemaker_arn(c, SAGEMAKER_CONFIG, config->name)));
    json_object_set_new(v, "CreationTime", aws_time(c, config->created_at_unix_ms));
    aws_reply(c, v);
}

void sagemaker_describe_endpoint_config(struct aws_call *c)
{
    Pilotlight__V1__GetEndpointConfigRequest r = PILOTLIGHT__V1__GET_ENDPOINT_CONFIG_REQUEST__INIT;
    if (!shape_check(c, &shape_describe_endpoint_config))
        return;
    r.name = arena_strdup(c->arena, aws_text(c->input, "EndpointConfigName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointConfigService", "GetEndpointConfig"), &r.base,
                  &pilotlight__v1__get_endpoint_config_response__descriptor, described);
}

/* ---- delete ---- */

static void deleted(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (!sagemaker_failed(c, status, SAGEMAKER_CONFIG, aws_text(c->input, "EndpointConfigName")))
        aws_reply_empty(c);
}

void sagemaker_delete_endpoint_config(struct aws_call *c)
{
    Pilotlight__V1__DeleteEndpointConfigRequest r = PILOTLIGHT__V1__DELETE_ENDPOINT_CONFIG_REQUEST__INIT;
    if (!shape_check(c, &shape_describe_endpoint_config))
        return;
    r.name = arena_strdup(c->arena, aws_text(c->input, "EndpointConfigName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointConfigService", "DeleteEndpointConfig"), &r.base,
                  &pilotlight__v1__delete_endpoint_config_response__descriptor, deleted);
}
