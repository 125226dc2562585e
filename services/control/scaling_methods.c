/* pilotlight.v1.ScalingService. */
#include "control_methods.h"

#include "base/time.h"
#include "control.h"
#include "record.h"
#include "rpc/server.h"
#include "scaling.h"
#include "scaling_alarms.h"
#include "scaling_change.h"
#include "store_scaling.h"

CONTROL_HANDLER(put_scaling_target)
{
    const Pilotlight__V1__PutScalingTargetRequest *r = message;
    Pilotlight__V1__PutScalingTargetResponse reply = PILOTLIGHT__V1__PUT_SCALING_TARGET_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingTarget *t = NULL;
    if (scaling_put_target(c->store, &c->limits, r, pl_wall_ms(), &t, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    scaling_changed(c->scaling);
    reply.target = t;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_scaling_targets)
{
    const Pilotlight__V1__ListScalingTargetsRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingTargetsResponse *reply = NULL;
    if (scaling_targets(c->store, r->endpoint_name, r->variant_name, &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}

CONTROL_HANDLER(delete_scaling_target)
{
    const Pilotlight__V1__DeleteScalingTargetRequest *r = message;
    static const Pilotlight__V1__DeleteScalingTargetResponse reply =
        PILOTLIGHT__V1__DELETE_SCALING_TARGET_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingPoliciesResponse *policies = NULL;
    if (scaling_policies(c->store, r->endpoint_name, r->variant_name, NULL, 0, &policies, &err) != PL_OK ||
        scaling_delete_target(c->store, r->endpoint_name, r->variant_name, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    scaling_alarms_delete(c, policies);
    scaling_changed(c->scaling);
    rpc_reply(call, &reply.base);
}

static enum pl_code policy_named(struct control *c, const char *endpoint, const char *variant, char *name,
                                 Pilotlight__V1__ListScalingPoliciesResponse **out, struct pl_err *err)
{
    return scaling_policies(c->store, endpoint, variant, &name, 1, out, err);
}

CONTROL_HANDLER(put_scaling_policy)
{
    const Pilotlight__V1__PutScalingPolicyRequest *r = message;
    Pilotlight__V1__PutScalingPolicyResponse reply = PILOTLIGHT__V1__PUT_SCALING_POLICY_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingPolicy *p = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingPoliciesResponse *before = NULL;
    if ((r->policy &&
         policy_named(c, r->policy->endpoint_name, r->policy->variant_name, r->policy->name, &before, &err) != PL_OK) ||
        scaling_put_policy(c->store, &c->limits, r->policy, pl_wall_ms(), &p, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    scaling_alarms_put(c, p, before && before->n_policies > 0 ? before->policies[0] : NULL);
    scaling_changed(c->scaling);
    reply.policy = p;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_scaling_policies)
{
    const Pilotlight__V1__ListScalingPoliciesRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingPoliciesResponse *reply = NULL;
    if (scaling_policies(c->store, r->endpoint_name, r->variant_name, r->names, r->n_names, &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}

CONTROL_HANDLER(delete_scaling_policy)
{
    const Pilotlight__V1__DeleteScalingPolicyRequest *r = message;
    static const Pilotlight__V1__DeleteScalingPolicyResponse reply =
        PILOTLIGHT__V1__DELETE_SCALING_POLICY_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingPoliciesResponse *policies = NULL;
    if (policy_named(c, r->endpoint_name, r->variant_name, r->name, &policies, &err) != PL_OK ||
        scaling_delete_rule(c->store, (int)STORE_POLICY, r->endpoint_name, r->variant_name, r->name, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    scaling_alarms_delete(c, policies);
    scaling_changed(c->scaling);
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(put_scaling_schedule)
{
    const Pilotlight__V1__PutScalingScheduleRequest *r = message;
    Pilotlight__V1__PutScalingScheduleResponse reply = PILOTLIGHT__V1__PUT_SCALING_SCHEDULE_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingSchedule *s = NULL;
    if (scaling_put_schedule(c->store, &c->limits, r->schedule, pl_wall_ms(), &s, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    scaling_changed(c->scaling);
    reply.schedule = s;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_scaling_schedules)
{
    const Pilotlight__V1__ListScalingSchedulesRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingSchedulesResponse *reply = NULL;
    if (scaling_schedules(c->store, r->endpoint_name, r->variant_name, r->names, r->n_names, &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}

CONTROL_HANDLER(delete_scaling_schedule)
{
    const Pilotlight__V1__DeleteScalingScheduleRequest *r = message;
    static const Pilotlight__V1__DeleteScalingScheduleResponse reply =
        PILOTLIGHT__V1__DELETE_SCALING_SCHEDULE_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (scaling_delete_rule(c->store, (int)STORE_SCHEDULE, r->endpoint_name, r->variant_name, r->name, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    scaling_changed(c->scaling);
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_scaling_activities)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingActivitiesResponse *reply = NULL;
    if (scaling_activities(c->store, &c->limits, message, &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}
