/* pilotlight.v1.UsageService. */
#include "control_methods.h"

#include "base/time.h"
#include "control.h"
#include "history.h"
#include "record.h"
#include "rpc/server.h"
#include "usage_list.h"

CONTROL_HANDLER(list_usage)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__ListUsageResponse *reply = NULL;
    if (usage_list(c->store, &c->limits, history_rates(c->history), message, pl_wall_ms(), &reply, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply->base);
}

CONTROL_HANDLER(get_rates)
{
    struct control *c = service;
    pl_cleanup(record_free_p) Pilotlight__V1__Rates *rates = usage_rates(history_rates(c->history));
    Pilotlight__V1__GetRatesResponse reply = PILOTLIGHT__V1__GET_RATES_RESPONSE__INIT;
    (void)message;
    reply.rates = rates;
    rpc_reply(call, &reply.base);
}
