/* pilotlight.v1.AlarmService. */
#include "control_methods.h"

#include "alarm_change.h"
#include "alarms.h"
#include "base/time.h"
#include "control.h"
#include "record.h"
#include "rpc/server.h"

CONTROL_HANDLER(put_alarm)
{
    const Pilotlight__V1__PutAlarmRequest *r = message;
    Pilotlight__V1__PutAlarmResponse reply = PILOTLIGHT__V1__PUT_ALARM_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *a = NULL;
    if (alarm_put(c->store, &c->limits, alarms_rules(c->alarms), r->alarm, pl_wall_ms(), &a, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    alarms_changed(c->alarms, a->name, a->period_s);
    reply.alarm = a;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_alarms)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListAlarmsResponse *reply = NULL;
    if (alarm_list(c->store, &c->limits, message, &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}

CONTROL_HANDLER(delete_alarms)
{
    const Pilotlight__V1__DeleteAlarmsRequest *r = message;
    static const Pilotlight__V1__DeleteAlarmsResponse reply = PILOTLIGHT__V1__DELETE_ALARMS_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (alarm_delete(c->store, &c->limits, r->names, r->n_names, pl_wall_ms(), &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    for (size_t i = 0; i < r->n_names; i++)
        alarms_deleted(c->alarms, r->names[i]);
    rpc_reply(call, &reply.base); /* last: the answer frees the request */
}

CONTROL_HANDLER(set_alarm_state)
{
    const Pilotlight__V1__SetAlarmStateRequest *r = message;
    static const Pilotlight__V1__SetAlarmStateResponse reply = PILOTLIGHT__V1__SET_ALARM_STATE_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    bool to_do;
    if (alarm_set_state(c->store, &c->limits, r, pl_wall_ms(), &to_do, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    if (to_do)
        alarms_act(c->alarms, r->name);
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(set_alarm_actions_enabled)
{
    static const Pilotlight__V1__SetAlarmActionsEnabledResponse reply =
        PILOTLIGHT__V1__SET_ALARM_ACTIONS_ENABLED_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (alarm_set_enabled(c->store, &c->limits, message, pl_wall_ms(), &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_alarm_history)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListAlarmHistoryResponse *reply = NULL;
    if (alarm_history(c->store, &c->limits, message, &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}
