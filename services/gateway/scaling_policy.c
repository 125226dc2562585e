/* Scaling policies: target tracking of the used share of provisioned concurrency, or of a metric of one's own. */
#include "aws_error.h"
#include "monitoring.h"
#include "scaling.h"
#include "scaling_shapes.h"
#include "upstream.h"

#include <string.h>

#define PREDEFINED "SageMakerVariantProvisionedConcurrencyUtilization"

static char *policy_arn(struct aws_call *c, const char *endpoint, const char *variant, const char *name)
{
    return arena_format(c->arena, "arn:aws:autoscaling:%s:%s:scalingPolicy:%s:resource/sagemaker/%s:policyName/%s",
                        c->region, c->account, scaling_uuid(c, endpoint, variant, name),
                        scaling_resource_id(c, endpoint, variant), name);
}

/* ---- PutScalingPolicy ---- */

static bool read_metric(struct aws_call *c, const json_t *tracking, Pilotlight__V1__ScalingPolicy *p)
{
    const json_t *own = json_object_get(tracking, "CustomizedMetricSpecification");
    bool predefined = json_object_get(tracking, "PredefinedMetricSpecification") != NULL;
    if (predefined == (own != NULL)) {
        aws_fail(c, AWS_VALIDATION,
                 "TargetTrackingScalingPolicyConfiguration must have exactly one of PredefinedMetricSpecification and "
                 "CustomizedMetricSpecification.");
        return false;
    }
    if (!own)
        return true;
    const char *space = aws_text(own, "Namespace"), *name = aws_text(own, "MetricName"),
               *statistic = aws_text(own, "Statistic");
    if (json_object_get(own, "Metrics") || !space || !name) {
        aws_fail(c, AWS_VALIDATION,
                 "CustomizedMetricSpecification must name one metric by Namespace and MetricName; metric math is not "
                 "offered.");
        return false;
    }
    p->metric = ARENA_NEW(c->arena, Pilotlight__V1__Metric);
    pilotlight__v1__metric__init(p->metric);
    p->metric->namespace_ = arena_strdup(c->arena, space);
    p->metric->name = arena_strdup(c->arena, name);
    p->metric->dimensions = monitoring_dimensions(c, json_object_get(own, "Dimensions"), &p->metric->n_dimensions);
    p->statistic = arena_strdup(c->arena, statistic ? monitoring_statistic(statistic) : "average");
    p->unit = arena_strdup(c->arena, aws_text(own, "Unit") ? aws_text(own, "Unit") : "");
    return true;
}

static bool read_policy(struct aws_call *c, Pilotlight__V1__ScalingPolicy *p)
{
    const char *type = aws_text(c->input, "PolicyType");
    const json_t *tracking = json_object_get(c->input, "TargetTrackingScalingPolicyConfiguration");
    int64_t n;
    static const char *const others[] = { "StepScalingPolicyConfiguration", "PredictiveScalingPolicyConfiguration" };
    const char *other = "";
    for (size_t i = 0; i < PL_COUNT(others); i++)
        if (json_object_get(c->input, others[i]))
            other = arena_format(c->arena, "%s is not offered: ", others[i]);
    if (*other || !tracking || (type && strcmp(type, "TargetTrackingScaling") != 0)) {
        aws_fail(c, AWS_VALIDATION,
                 "%sOnly PolicyType TargetTrackingScaling, with TargetTrackingScalingPolicyConfiguration, is offered; "
                 "scheduled actions change the bounds of a target at certain times.",
                 other);
        return false;
    }
    if (!read_metric(c, tracking, p))
        return false;
    (void)aws_number(tracking, "TargetValue", &p->target_value);
    p->name = arena_strdup(c->arena, aws_text(c->input, "PolicyName"));
    p->scale_in_disabled = aws_bool(tracking, "DisableScaleIn", false);
    if (aws_integer(tracking, "ScaleOutCooldown", &n)) {
        p->scale_out_cooldown_case = PILOTLIGHT__V1__SCALING_POLICY__SCALE_OUT_COOLDOWN_SCALE_OUT_COOLDOWN_S;
        p->scale_out_cooldown_s = (int32_t)n;
    }
    if (aws_integer(tracking, "ScaleInCooldown", &n)) {
        p->scale_in_cooldown_case = PILOTLIGHT__V1__SCALING_POLICY__SCALE_IN_COOLDOWN_SCALE_IN_COOLDOWN_S;
        p->scale_in_cooldown_s = (int32_t)n;
    }
    return true;
}

/* Named as Application Auto Scaling names them. */
static char *alarm_name(struct aws_call *c, const char *endpoint, const char *variant, const char *policy,
                        const char *which)
{
    return arena_format(c->arena, "TargetTracking-%s-Alarm%s-%s", scaling_resource_id(c, endpoint, variant), which,
                        scaling_uuid(c, scaling_resource_id(c, endpoint, variant), policy, which));
}

static void set_alarms(struct aws_call *c, Pilotlight__V1__ScalingPolicy *p)
{
    p->alarm_action = policy_arn(c, p->endpoint_name, p->variant_name, p->name);
    p->high_alarm_name = alarm_name(c, p->endpoint_name, p->variant_name, p->name, "High");
    if (!p->scale_in_disabled)
        p->low_alarm_name = alarm_name(c, p->endpoint_name, p->variant_name, p->name, "Low");
}

static json_t *alarms_json(struct aws_call *c, const Pilotlight__V1__ScalingPolicy *p)
{
    const char *const names[] = { p->high_alarm_name, p->low_alarm_name };
    json_t *list = json_array();
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (*names[i])
            json_array_append_new(list,
                                  json_pack("{s:s, s:s}", "AlarmName", names[i], "AlarmARN",
                                            aws_arn(c, "cloudwatch", arena_format(c->arena, "alarm:%s", names[i]))));
    return list;
}

static void was_put(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__PutScalingPolicyResponse *r = reply;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    aws_reply(c, json_pack("{s:s, s:o}", "PolicyARN",
                           policy_arn(c, r->policy->endpoint_name, r->policy->variant_name, r->policy->name), "Alarms",
                           alarms_json(c, r->policy)));
}

void scaling_put_policy(struct aws_call *c)
{
    Pilotlight__V1__PutScalingPolicyRequest r = PILOTLIGHT__V1__PUT_SCALING_POLICY_REQUEST__INIT;
    Pilotlight__V1__ScalingPolicy p = PILOTLIGHT__V1__SCALING_POLICY__INIT;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_put_policy) || !scaling_resource(c, &resource) || !read_policy(c, &p))
        return;
    p.endpoint_name = resource.endpoint;
    p.variant_name = resource.variant;
    set_alarms(c, &p);
    r.policy = &p;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "PutScalingPolicy"), &r.base,
                  &pilotlight__v1__put_scaling_policy_response__descriptor, was_put);
}

/* ---- the others ---- */

static void deleted(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (status->code != PL_OK)
        aws_fail_upstream(c, status);
    else
        aws_reply(c, json_object());
}

void scaling_delete_policy(struct aws_call *c)
{
    Pilotlight__V1__DeleteScalingPolicyRequest r = PILOTLIGHT__V1__DELETE_SCALING_POLICY_REQUEST__INIT;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_delete_policy) || !scaling_resource(c, &resource))
        return;
    r.endpoint_name = resource.endpoint;
    r.variant_name = resource.variant;
    r.name = arena_strdup(c->arena, aws_text(c->input, "PolicyName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "DeleteScalingPolicy"), &r.base,
                  &pilotlight__v1__delete_scaling_policy_response__descriptor, deleted);
}

static json_t *metric_json(const Pilotlight__V1__ScalingPolicy *p)
{
    json_t *o = json_pack("{s:s, s:s, s:o, s:s}", "Namespace", p->metric->namespace_, "MetricName", p->metric->name,
                          "Dimensions", monitoring_dimensions_json(p->metric), "Statistic",
                          monitoring_statistic_name(*p->statistic ? p->statistic : "average"));
    if (*p->unit)
        json_object_set_new(o, "Unit", json_string(p->unit));
    return o;
}

static json_t *tracking_json(const Pilotlight__V1__ScalingPolicy *p)
{
    json_t *o = json_pack("{s:f, s:b}", "TargetValue", p->target_value, "DisableScaleIn", p->scale_in_disabled);
    if (p->scale_out_cooldown_case)
        json_object_set_new(o, "ScaleOutCooldown", json_integer(p->scale_out_cooldown_s));
    if (p->scale_in_cooldown_case)
        json_object_set_new(o, "ScaleInCooldown", json_integer(p->scale_in_cooldown_s));
    if (p->metric)
        json_object_set_new(o, "CustomizedMetricSpecification", metric_json(p));
    else
        json_object_set_new(o, "PredefinedMetricSpecification", json_pack("{s:s}", "PredefinedMetricType", PREDEFINED));
    return o;
}

static void policies_listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListScalingPoliciesResponse *r = reply;
    struct scaling_page page;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    if (!scaling_page(c, r->n_policies, &page))
        return;
    json_t *list = json_array();
    for (size_t i = page.from; i < page.to; i++) {
        const Pilotlight__V1__ScalingPolicy *p = r->policies[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "PolicyARN",
                                        policy_arn(c, p->endpoint_name, p->variant_name, p->name), "PolicyName",
                                        p->name, "ServiceNamespace", SCALING_NAMESPACE, "ResourceId",
                                        scaling_resource_id(c, p->endpoint_name, p->variant_name), "ScalableDimension",
                                        SCALING_DIMENSION, "PolicyType", "TargetTrackingScaling",
                                        "TargetTrackingScalingPolicyConfiguration", tracking_json(p), "Alarms",
                                        alarms_json(c, p), "CreationTime", aws_time(c, p->created_at_unix_ms)));
    }
    scaling_reply_list(c, "ScalingPolicies", list, &page);
}

void scaling_describe_policies(struct aws_call *c)
{
    Pilotlight__V1__ListScalingPoliciesRequest r = PILOTLIGHT__V1__LIST_SCALING_POLICIES_REQUEST__INIT;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_describe_policies) || !scaling_resource_filter(c, &resource))
        return;
    r.endpoint_name = resource.endpoint;
    r.variant_name = resource.variant;
    r.names = monitoring_texts(c, json_object_get(c->input, "PolicyNames"), &r.n_names);
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "ListScalingPolicies"), &r.base,
                  &pilotlight__v1__list_scaling_policies_response__descriptor, policies_listed);
}
