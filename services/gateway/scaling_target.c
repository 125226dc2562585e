/* Scalable targets, and what was scaled. */
#include "aws_error.h"
#include "scaling.h"
#include "scaling_shapes.h"
#include "upstream.h"

#include <string.h>

static char *target_arn(struct aws_call *c, const char *endpoint, const char *variant)
{
    return aws_arn(c, "application-autoscaling",
                   arena_format(c->arena, "scalable-target/%.22s", scaling_uuid(c, endpoint, variant, "target")));
}

/* ---- RegisterScalableTarget: what is not given stays ---- */

static void registered(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__PutScalingTargetResponse *r = reply;
    if (status->code != PL_OK)
        aws_fail_upstream(c, status);
    else
        aws_reply(c, json_pack("{s:s}", "ScalableTargetARN",
                               target_arn(c, r->target->endpoint_name, r->target->variant_name)));
}

/* What the caller has not given is named, for control to keep. */
struct registration {
    Pilotlight__V1__ScalingTarget target;
    char *kept[5];
    size_t kept_count;
};

static void keep(struct registration *r, const char *field)
{
    r->kept[r->kept_count++] = (char *)(uintptr_t)field;
}

static void set_capacity(const json_t *input, const char *member, struct registration *r, const char *field,
                         int32_t *out)
{
    int64_t n;
    if (aws_integer(input, member, &n))
        *out = (int32_t)n;
    else
        keep(r, field);
}

static void set_suspended(const json_t *suspended, const char *member, struct registration *r, const char *field,
                          protobuf_c_boolean *out)
{
    if (json_object_get(suspended, member))
        *out = aws_bool(suspended, member, false);
    else
        keep(r, field);
}

void scaling_register_target(struct aws_call *c)
{
    Pilotlight__V1__PutScalingTargetRequest request = PILOTLIGHT__V1__PUT_SCALING_TARGET_REQUEST__INIT;
    const json_t *suspended = json_object_get(c->input, "SuspendedState");
    struct registration r = { .target = PILOTLIGHT__V1__SCALING_TARGET__INIT };
    Pilotlight__V1__ScalingTarget *t = &r.target;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_register) || !scaling_resource(c, &resource))
        return;
    t->endpoint_name = resource.endpoint;
    t->variant_name = resource.variant;
    set_capacity(c->input, "MinCapacity", &r, "min_capacity", &t->min_capacity);
    set_capacity(c->input, "MaxCapacity", &r, "max_capacity", &t->max_capacity);
    set_suspended(suspended, "DynamicScalingInSuspended", &r, "scale_in_suspended", &t->scale_in_suspended);
    set_suspended(suspended, "DynamicScalingOutSuspended", &r, "scale_out_suspended", &t->scale_out_suspended);
    set_suspended(suspended, "ScheduledScalingSuspended", &r, "schedules_suspended", &t->schedules_suspended);
    request.target = t;
    request.kept_fields = r.kept;
    request.n_kept_fields = r.kept_count;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "PutScalingTarget"), &request.base,
                  &pilotlight__v1__put_scaling_target_response__descriptor, registered);
}

/* ---- the others ---- */

static void deregistered(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (status->code != PL_OK)
        aws_fail_upstream(c, status);
    else
        aws_reply(c, json_object());
}

void scaling_deregister_target(struct aws_call *c)
{
    Pilotlight__V1__DeleteScalingTargetRequest r = PILOTLIGHT__V1__DELETE_SCALING_TARGET_REQUEST__INIT;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_deregister) || !scaling_resource(c, &resource))
        return;
    r.endpoint_name = resource.endpoint;
    r.variant_name = resource.variant;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "DeleteScalingTarget"), &r.base,
                  &pilotlight__v1__delete_scaling_target_response__descriptor, deregistered);
}

static bool wanted(struct aws_call *c, const char *resource_id)
{
    const json_t *ids = json_object_get(c->input, "ResourceIds");
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (strcmp(json_string_value(json_array_get(ids, i)), resource_id) == 0)
            return true;
    return json_array_size(ids) == 0;
}

static json_t *target_json(struct aws_call *c, const Pilotlight__V1__ScalingTarget *t)
{
    return json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:s, s:o, s:s, s:{s:b, s:b, s:b}}", "ServiceNamespace", SCALING_NAMESPACE,
        "ResourceId", scaling_resource_id(c, t->endpoint_name, t->variant_name), "ScalableDimension", SCALING_DIMENSION,
        "MinCapacity", t->min_capacity, "MaxCapacity", t->max_capacity, "RoleARN",
        arena_format(c->arena,
                     "arn:aws:iam::%s:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
                     "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
                     c->account),
        "CreationTime", aws_time(c, t->created_at_unix_ms), "ScalableTargetARN",
        target_arn(c, t->endpoint_name, t->variant_name), "SuspendedState", "DynamicScalingInSuspended",
        t->scale_in_suspended, "DynamicScalingOutSuspended", t->scale_out_suspended, "ScheduledScalingSuspended",
        t->schedules_suspended);
}

static void targets_listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListScalingTargetsResponse *r = reply;
    struct scaling_page page;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    const Pilotlight__V1__ScalingTarget **found = arena_get(c->arena, (r->n_targets + 1) * sizeof(*found));
    size_t count = 0;
    for (size_t i = 0; i < r->n_targets; i++)
        if (wanted(c, scaling_resource_id(c, r->targets[i]->endpoint_name, r->targets[i]->variant_name)))
            found[count++] = r->targets[i];
    if (!scaling_page(c, count, &page))
        return;
    json_t *list = json_array();
    for (size_t i = page.from; i < page.to; i++)
        json_array_append_new(list, target_json(c, found[i]));
    scaling_reply_list(c, "ScalableTargets", list, &page);
}

void scaling_describe_targets(struct aws_call *c)
{
    Pilotlight__V1__ListScalingTargetsRequest r = PILOTLIGHT__V1__LIST_SCALING_TARGETS_REQUEST__INIT;
    if (!shape_check(c, &shape_scaling_describe_targets))
        return;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "ListScalingTargets"), &r.base,
                  &pilotlight__v1__list_scaling_targets_response__descriptor, targets_listed);
}

/* ---- activities ---- */

static json_t *activity_json(struct aws_call *c, const Pilotlight__V1__ScalingActivity *a)
{
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s}", "ActivityId", scaling_uuid(c, a->id, "", ""),
                  "ServiceNamespace", SCALING_NAMESPACE, "ResourceId",
                  scaling_resource_id(c, a->endpoint_name, a->variant_name), "ScalableDimension", SCALING_DIMENSION,
                  "Description", a->description, "Cause", a->cause, "StartTime", aws_time(c, a->at_unix_ms), "EndTime",
                  aws_time(c, a->at_unix_ms), "StatusCode", a->successful ? "Successful" : "Failed", "StatusMessage",
                  a->successful ? "Successfully asked for the provisioned concurrency." : a->detail);
    return o;
}

static void activities_listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListScalingActivitiesResponse *r = reply;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    json_t *list = json_array(), *result;
    for (size_t i = 0; i < r->n_activities; i++)
        json_array_append_new(list, activity_json(c, r->activities[i]));
    result = json_pack("{s:o}", "ScalingActivities", list);
    if (*r->next_page_token)
        json_object_set_new(result, "NextToken", json_string(r->next_page_token));
    aws_reply(c, result);
}

void scaling_describe_activities(struct aws_call *c)
{
    Pilotlight__V1__ListScalingActivitiesRequest r = PILOTLIGHT__V1__LIST_SCALING_ACTIVITIES_REQUEST__INIT;
    struct scaling_resource resource;
    int64_t size = 50;
    if (!shape_check(c, &shape_scaling_describe_activities) || !scaling_resource_filter(c, &resource))
        return;
    (void)aws_integer(c->input, "MaxResults", &size);
    r.endpoint_name = resource.endpoint;
    r.variant_name = resource.variant;
    r.page_size = (int32_t)size;
    r.page_token = arena_strdup(c->arena, aws_text(c->input, "NextToken") ? aws_text(c->input, "NextToken") : "");
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "ListScalingActivities"), &r.base,
                  &pilotlight__v1__list_scaling_activities_response__descriptor, activities_listed);
}
