/* DescribeEndpoint: what serves, and what is being made ready to serve. */
#include "gateway.h"
#include "sagemaker.h"
#include "sagemaker_shapes.h"
#include "upstream.h"

#include <string.h>

static json_t *serverless_json(const Pilotlight__V1__ProductionVariant *v)
{
    json_t *s =
        json_pack("{s:i, s:i}", "MemorySizeInMB", (int)v->memory_size_mb, "MaxConcurrency", (int)v->max_concurrency);
    if (v->provisioned_concurrency > 0)
        json_object_set_new(s, "ProvisionedConcurrency", json_integer(v->provisioned_concurrency));
    return s;
}

static double weight_of(const Pilotlight__V1__ProductionVariant *v)
{
    return v->initial_weight_case == PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT ? v->weight : 1;
}

/* "Current" or "Desired" and what it is of a variant: instances or a serverless config. */
static void add_capacity(const struct aws_call *c, json_t *out, const Pilotlight__V1__ProductionVariant *v,
                         const char *weight, const char *count, const char *serverless)
{
    json_object_set_new(out, weight, json_real(weight_of(v)));
    if (v->persistent)
        json_object_set_new(out, count, json_integer(v->provisioned_concurrency / c->gateway->config->instance_warm));
    else
        json_object_set_new(out, serverless, serverless_json(v));
}

static const Pilotlight__V1__ProductionVariant *pending_of(const Pilotlight__V1__Endpoint *e, const char *name)
{
    for (size_t i = 0; i < e->n_pending_variants; i++)
        if (strcmp(e->pending_variants[i]->name, name) == 0)
            return e->pending_variants[i];
    return NULL;
}

static json_t *variant_json(const struct aws_call *c, const Pilotlight__V1__Endpoint *e,
                            const Pilotlight__V1__ProductionVariant *current,
                            const Pilotlight__V1__ProductionVariant *desired)
{
    json_t *note = sagemaker_annotation_json(desired->annotations, desired->n_annotations);
    const char *image = aws_text(note, "Image");
    json_t *out = json_pack("{s:s}", "VariantName", desired->name);
    if (image)
        json_object_set_new(out, "DeployedImages",
                            json_pack("[{s:s, s:s, s:o}]", "SpecifiedImage", image, "ResolvedImage", image,
                                      "ResolutionTime", aws_time(c, e->created_at_unix_ms)));
    if (current)
        add_capacity(c, out, current, "CurrentWeight", "CurrentInstanceCount", "CurrentServerlessConfig");
    add_capacity(c, out, desired, "DesiredWeight", "DesiredInstanceCount", "DesiredServerlessConfig");
    json_decref(note);
    return out;
}

static json_t *pending_json(const struct aws_call *c, const Pilotlight__V1__Endpoint *e)
{
    json_t *list = json_array();
    bool creating = e->status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_CREATING;
    for (size_t i = 0; i < e->n_pending_variants; i++) {
        json_t *v = variant_json(c, e, NULL, e->pending_variants[i]);
        json_t *note =
            sagemaker_annotation_json(e->pending_variants[i]->annotations, e->pending_variants[i]->n_annotations);
        if (aws_text(note, "InstanceType"))
            json_object_set(v, "InstanceType", json_object_get(note, "InstanceType"));
        json_decref(note);
        json_object_set_new(v, "VariantStatus",
                            json_pack("[{s:s, s:o}]", "Status", creating ? "Creating" : "Updating", "StartTime",
                                      aws_time(c, e->updated_at_unix_ms)));
        json_array_append_new(list, v);
    }
    return json_pack("{s:s, s:o, s:o}", "EndpointConfigName", e->pending_endpoint_config_name, "ProductionVariants",
                     list, "StartTime", aws_time(c, e->updated_at_unix_ms));
}

static json_t *variants_json(const struct aws_call *c, const Pilotlight__V1__Endpoint *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < e->n_variants; i++) {
        const Pilotlight__V1__ProductionVariant *v = e->variants[i]->variant, *next = pending_of(e, v->name);
        json_array_append_new(list, variant_json(c, e, v, next ? next : v));
    }
    return list;
}

static void described(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__GetEndpointResponse *r = reply;
    if (sagemaker_failed(c, status, SAGEMAKER_ENDPOINT, aws_text(c->input, "EndpointName")))
        return;
    const Pilotlight__V1__Endpoint *e = r->endpoint;
    json_t *v = sagemaker_annotation_json(e->annotations, e->n_annotations);
    json_object_set_new(v, "EndpointName", json_string(e->name));
    json_object_set_new(v, "EndpointArn", json_string(sagemaker_arn(c, SAGEMAKER_ENDPOINT, e->name)));
    json_object_set_new(v, "EndpointConfigName", json_string(e->endpoint_config_name));
    json_object_set_new(v, "EndpointStatus", json_string(sagemaker_status(e->status)));
    json_object_set_new(v, "CreationTime", aws_time(c, e->created_at_unix_ms));
    json_object_set_new(v, "LastModifiedTime", aws_time(c, e->updated_at_unix_ms));
    if (e->n_variants > 0)
        json_object_set_new(v, "ProductionVariants", variants_json(c, e));
    if (*e->failure_reason)
        json_object_set_new(v, "FailureReason", json_string(e->failure_reason));
    if (*e->pending_endpoint_config_name)
        json_object_set_new(v, "PendingDeploymentSummary", pending_json(c, e));
    aws_reply(c, v);
}

void sagemaker_describe_endpoint(struct aws_call *c)
{
    Pilotlight__V1__GetEndpointRequest r = PILOTLIGHT__V1__GET_ENDPOINT_REQUEST__INIT;
    if (!shape_check(c, &shape_describe_endpoint))
        return;
    r.name = arena_strdup(c->arena, aws_text(c->input, "EndpointName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "GetEndpoint"), &r.base,
                  &pilotlight__v1__get_endpoint_response__descriptor, described);
}
