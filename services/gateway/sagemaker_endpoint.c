/* Endpoints: created, described, pointed elsewhere, scaled, deleted. */
#include "aws_error.h"
#include "gateway.h"
#include "sagemaker.h"
#include "sagemaker_shapes.h"
#include "upstream.h"

#include <string.h>

static const char *input_name(const struct aws_call *c)
{
    return aws_text(c->input, "EndpointName");
}

/* AWS speaks of endpoints by their ARN, and says little. */
static bool failed(struct aws_call *c, const struct pl_err *status)
{
    if (status->code == PL_PRECONDITION && strstr(status->message, "in-progress")) {
        aws_fail(c, AWS_VALIDATION, "Cannot update in-progress endpoint \"%s\".",
                 sagemaker_arn(c, SAGEMAKER_ENDPOINT, input_name(c)));
        return true;
    }
    /* Not found in another call's words: the config. */
    if (status->code == PL_NOT_FOUND && strstr(status->field, "endpoint_config_name"))
        return sagemaker_failed(c, status, SAGEMAKER_CONFIG, aws_text(c->input, "EndpointConfigName"));
    return sagemaker_failed(c, status, SAGEMAKER_ENDPOINT, input_name(c));
}

static void reply_arn(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (!failed(c, status))
        aws_reply(c, json_pack("{s:s}", "EndpointArn", sagemaker_arn(c, SAGEMAKER_ENDPOINT, input_name(c))));
}

/* ---- how a new config takes over ---- */

static bool refuse_deployment(struct aws_call *c, const char *member, const char *why)
{
    aws_fail(c, AWS_VALIDATION, "DeploymentConfig.%s is not offered: %s.", member, why);
    return false;
}

/* The new config takes over all at once when it is ready, and not at all when it is not; what asks for more than that
 * is refused. False: answered. */
static bool check_deployment(struct aws_call *c)
{
    const json_t *deployment = json_object_get(c->input, "DeploymentConfig");
    const json_t *policy = json_object_get(deployment, "BlueGreenUpdatePolicy");
    const char *type = aws_text(json_object_get(policy, "TrafficRoutingConfiguration"), "Type");
    if (json_object_get(deployment, "RollingUpdatePolicy"))
        return refuse_deployment(c, "RollingUpdatePolicy", "a new config takes over all at once when it is ready");
    if (type && strcmp(type, "ALL_AT_ONCE") != 0)
        return refuse_deployment(
            c, arena_format(c->arena, "BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type %s", type),
            "only ALL_AT_ONCE is; the weights of variants move traffic by degrees");
    if (json_object_get(deployment, "AutoRollbackConfiguration"))
        return refuse_deployment(c, "AutoRollbackConfiguration",
                                 "a config that does not become ready leaves the old one in service by itself");
    return true;
}

/* What DescribeEndpoint is to show of it, as annotations; NULL = nothing new. */
static json_t *deployment_note(const struct aws_call *c)
{
    json_t *deployment = json_object_get(c->input, "DeploymentConfig");
    if (deployment)
        return json_pack("{s:O}", "LastDeploymentConfig", deployment);
    return aws_bool(c->input, "RetainDeploymentConfig", false) ? NULL : json_object();
}

/* ---- create, update, delete ---- */

void sagemaker_create_endpoint(struct aws_call *c)
{
    Pilotlight__V1__CreateEndpointRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    if (!shape_check(c, &shape_create_endpoint) || !check_deployment(c))
        return;
    r.name = arena_strdup(c->arena, input_name(c));
    r.endpoint_config_name = arena_strdup(c->arena, aws_text(c->input, "EndpointConfigName"));
    r.tags = sagemaker_tags(c, json_object_get(c->input, "Tags"), &r.n_tags);
    r.annotations =
        sagemaker_annotation(c, deployment_note(c),
                             &pilotlight__v1__create_endpoint_request__annotations_entry__descriptor, &r.n_annotations);
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "CreateEndpoint"), &r.base,
                  &pilotlight__v1__create_endpoint_response__descriptor, reply_arn);
}

/* All properties are retained, but for those that are excluded. */
static bool is_retained(const struct aws_call *c, const char *property)
{
    const json_t *excluded = json_object_get(c->input, "ExcludeRetainedVariantProperties"), *item;
    size_t i;
    if (!aws_bool(c->input, "RetainAllVariantProperties", false))
        return false;
    json_array_foreach(excluded, i, item)
    {
        if (strcmp(aws_text(item, "VariantPropertyType"), property) == 0)
            return false;
    }
    return true;
}

void sagemaker_update_endpoint(struct aws_call *c)
{
    Pilotlight__V1__UpdateEndpointRequest r = PILOTLIGHT__V1__UPDATE_ENDPOINT_REQUEST__INIT;
    if (!shape_check(c, &shape_update_endpoint) || !check_deployment(c))
        return;
    r.name = arena_strdup(c->arena, input_name(c));
    r.endpoint_config_name = arena_strdup(c->arena, aws_text(c->input, "EndpointConfigName"));
    r.retain_weights = is_retained(c, "DesiredWeight");
    r.retain_provisioned_concurrency = is_retained(c, "DesiredInstanceCount");
    json_t *note = deployment_note(c);
    if (note)
        r.annotations = sagemaker_annotation(
            c, note, &pilotlight__v1__update_endpoint_request__annotations_entry__descriptor, &r.n_annotations);
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "UpdateEndpoint"), &r.base,
                  &pilotlight__v1__update_endpoint_response__descriptor, reply_arn);
}

static void deleted(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (!failed(c, status))
        aws_reply_empty(c);
}

void sagemaker_delete_endpoint(struct aws_call *c)
{
    Pilotlight__V1__DeleteEndpointRequest r = PILOTLIGHT__V1__DELETE_ENDPOINT_REQUEST__INIT;
    if (!shape_check(c, &shape_describe_endpoint))
        return;
    r.name = arena_strdup(c->arena, input_name(c));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "DeleteEndpoint"), &r.base,
                  &pilotlight__v1__delete_endpoint_response__descriptor, deleted);
}

/* ---- weights and capacities ---- */

/* Instances of an instance-based variant are provisioned, as what a serverless one has of that. */
static bool provisioned_of(const struct aws_call *c, const json_t *v, const json_t *update, int64_t *out)
{
    if (update)
        return aws_integer(update, "ProvisionedConcurrency", out);
    if (!aws_integer(v, "DesiredInstanceCount", out))
        return false;
    *out *= c->gateway->config->instance_warm;
    return true;
}

static void set_capacity(struct aws_call *c, const json_t *v, Pilotlight__V1__VariantCapacity *out)
{
    const json_t *update = json_object_get(v, "ServerlessUpdateConfig");
    int64_t n;
    pilotlight__v1__variant_capacity__init(out);
    out->variant_name = arena_strdup(c->arena, aws_text(v, "VariantName"));
    if (aws_number(v, "DesiredWeight", &out->weight))
        out->new_weight_case = PILOTLIGHT__V1__VARIANT_CAPACITY__NEW_WEIGHT_WEIGHT;
    if (aws_integer(update, "MaxConcurrency", &n)) {
        out->new_max_concurrency_case = PILOTLIGHT__V1__VARIANT_CAPACITY__NEW_MAX_CONCURRENCY_MAX_CONCURRENCY;
        out->max_concurrency = aws_narrow(n);
    }
    if (provisioned_of(c, v, update, &n)) {
        out->new_provisioned_concurrency_case =
            PILOTLIGHT__V1__VARIANT_CAPACITY__NEW_PROVISIONED_CONCURRENCY_PROVISIONED_CONCURRENCY;
        out->provisioned_concurrency = aws_narrow(n);
    }
    out->persistent = json_object_get(v, "DesiredInstanceCount") != NULL;
    if (out->persistent || update)
        out->expected_kind_case = PILOTLIGHT__V1__VARIANT_CAPACITY__EXPECTED_KIND_PERSISTENT;
}

static const json_t *desired_at(const struct aws_call *c, size_t i)
{
    return json_array_get(json_object_get(c->input, "DesiredWeightsAndCapacities"), i);
}

/* A variant has instances or a serverless config. False: answered. */
static bool has_one_kind(struct aws_call *c, const json_t *v)
{
    if (!json_object_get(v, "DesiredInstanceCount") || !json_object_get(v, "ServerlessUpdateConfig"))
        return true;
    aws_fail(c, AWS_VALIDATION,
             "Variant \"%s\": only one of DesiredInstanceCount and ServerlessUpdateConfig may be given.",
             aws_text(v, "VariantName"));
    return false;
}

static void weights_updated(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    if (status->code == PL_NOT_FOUND && strcmp(status->reason, "VARIANT_NOT_FOUND") == 0)
        aws_fail(c, AWS_VALIDATION, "%s", status->message);
    else
        reply_arn(c, status, reply);
}

void sagemaker_update_weights(struct aws_call *c)
{
    Pilotlight__V1__UpdateEndpointCapacityRequest r = PILOTLIGHT__V1__UPDATE_ENDPOINT_CAPACITY_REQUEST__INIT;
    if (!shape_check(c, &shape_update_weights))
        return;
    size_t count = json_array_size(json_object_get(c->input, "DesiredWeightsAndCapacities"));
    for (size_t i = 0; i < count; i++)
        if (!has_one_kind(c, desired_at(c, i)))
            return;
    r.name = arena_strdup(c->arena, input_name(c));
    r.variants = arena_get(c->arena, count * sizeof(*r.variants));
    r.n_variants = count;
    for (size_t i = 0; i < count; i++) {
        r.variants[i] = ARENA_NEW(c->arena, Pilotlight__V1__VariantCapacity);
        set_capacity(c, desired_at(c, i), r.variants[i]);
    }
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "UpdateEndpointCapacity"), &r.base,
                  &pilotlight__v1__update_endpoint_capacity_response__descriptor, weights_updated);
}
