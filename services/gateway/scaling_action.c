/* Scheduled actions: the bounds of a target at certain times. */
#include "aws_error.h"
#include "monitoring.h"
#include "scaling.h"
#include "scaling_shapes.h"
#include "upstream.h"

#include <string.h>
#include <strings.h>

static char *action_arn(struct aws_call *c, const char *endpoint, const char *variant, const char *name)
{
    return arena_format(c->arena,
                        "arn:aws:autoscaling:%s:%s:scheduledAction:%s:resource/sagemaker/%s:scheduledActionName/%s",
                        c->region, c->account, scaling_uuid(c, endpoint, variant, name),
                        scaling_resource_id(c, endpoint, variant), name);
}

static int32_t capacity(const json_t *action, const char *member)
{
    int64_t n;
    return aws_integer(action, member, &n) ? (int32_t)n : -1;
}

static bool read_action(struct aws_call *c, Pilotlight__V1__ScalingSchedule *s)
{
    const char *schedule = aws_text(c->input, "Schedule"), *zone = aws_text(c->input, "Timezone");
    const json_t *action = json_object_get(c->input, "ScalableTargetAction");
    if (!schedule || !action) {
        aws_fail(c, AWS_VALIDATION, "A scheduled action must have Schedule and ScalableTargetAction.");
        return false;
    }
    if (zone && strcasecmp(zone, "UTC") != 0 && strcmp(zone, "Etc/UTC") != 0 && strcmp(zone, "GMT") != 0) {
        aws_fail(c, AWS_VALIDATION, "Timezone %.64s is not offered: times are UTC.", zone);
        return false;
    }
    s->name = arena_strdup(c->arena, aws_text(c->input, "ScheduledActionName"));
    s->expression = arena_strdup(c->arena, schedule);
    s->min_capacity = capacity(action, "MinCapacity");
    s->max_capacity = capacity(action, "MaxCapacity");
    if (json_object_get(c->input, "StartTime"))
        (void)aws_read_time(json_object_get(c->input, "StartTime"), &s->from_unix_ms);
    if (json_object_get(c->input, "EndTime"))
        (void)aws_read_time(json_object_get(c->input, "EndTime"), &s->until_unix_ms);
    return true;
}

static void done_empty(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (status->code != PL_OK)
        aws_fail_upstream(c, status);
    else
        aws_reply(c, json_object());
}

void scaling_put_scheduled_action(struct aws_call *c)
{
    Pilotlight__V1__PutScalingScheduleRequest r = PILOTLIGHT__V1__PUT_SCALING_SCHEDULE_REQUEST__INIT;
    Pilotlight__V1__ScalingSchedule s = PILOTLIGHT__V1__SCALING_SCHEDULE__INIT;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_put_action) || !scaling_resource(c, &resource) || !read_action(c, &s))
        return;
    s.endpoint_name = resource.endpoint;
    s.variant_name = resource.variant;
    r.schedule = &s;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "PutScalingSchedule"), &r.base,
                  &pilotlight__v1__put_scaling_schedule_response__descriptor, done_empty);
}

void scaling_delete_scheduled_action(struct aws_call *c)
{
    Pilotlight__V1__DeleteScalingScheduleRequest r = PILOTLIGHT__V1__DELETE_SCALING_SCHEDULE_REQUEST__INIT;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_delete_action) || !scaling_resource(c, &resource))
        return;
    r.endpoint_name = resource.endpoint;
    r.variant_name = resource.variant;
    r.name = arena_strdup(c->arena, aws_text(c->input, "ScheduledActionName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "DeleteScalingSchedule"), &r.base,
                  &pilotlight__v1__delete_scaling_schedule_response__descriptor, done_empty);
}

static json_t *action_json(struct aws_call *c, const Pilotlight__V1__ScalingSchedule *s)
{
    json_t *target = json_object();
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "ScheduledActionName", s->name, "ScheduledActionARN",
        action_arn(c, s->endpoint_name, s->variant_name, s->name), "ServiceNamespace", SCALING_NAMESPACE, "ResourceId",
        scaling_resource_id(c, s->endpoint_name, s->variant_name), "ScalableDimension", SCALING_DIMENSION, "Schedule",
        s->expression, "ScalableTargetAction", target, "CreationTime", aws_time(c, s->created_at_unix_ms));
    if (s->min_capacity >= 0)
        json_object_set_new(target, "MinCapacity", json_integer(s->min_capacity));
    if (s->max_capacity >= 0)
        json_object_set_new(target, "MaxCapacity", json_integer(s->max_capacity));
    if (s->from_unix_ms)
        json_object_set_new(o, "StartTime", aws_time(c, s->from_unix_ms));
    if (s->until_unix_ms)
        json_object_set_new(o, "EndTime", aws_time(c, s->until_unix_ms));
    return o;
}

static void listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListScalingSchedulesResponse *r = reply;
    struct scaling_page page;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    if (!scaling_page(c, r->n_schedules, &page))
        return;
    json_t *list = json_array();
    for (size_t i = page.from; i < page.to; i++)
        json_array_append_new(list, action_json(c, r->schedules[i]));
    scaling_reply_list(c, "ScheduledActions", list, &page);
}

void scaling_describe_scheduled_actions(struct aws_call *c)
{
    Pilotlight__V1__ListScalingSchedulesRequest r = PILOTLIGHT__V1__LIST_SCALING_SCHEDULES_REQUEST__INIT;
    struct scaling_resource resource;
    if (!shape_check(c, &shape_scaling_describe_actions) || !scaling_resource_filter(c, &resource))
        return;
    r.endpoint_name = resource.endpoint;
    r.variant_name = resource.variant;
    r.names = monitoring_texts(c, json_object_get(c->input, "ScheduledActionNames"), &r.n_names);
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ScalingService", "ListScalingSchedules"), &r.base,
                  &pilotlight__v1__list_scaling_schedules_response__descriptor, listed);
}
