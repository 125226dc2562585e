/* pilotlight.internal.v1.WatchService. */
#include "control_methods.h"

#include "control.h"
#include "routers.h"
#include "rpc/server.h"
#include "validate.h"

CONTROL_HANDLER(watch)
{
    const Pilotlight__Internal__V1__WatchRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    if (validate_member_id(&c->limits, "router_id", r->router_id, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        routers_watch(c->routers, call, r);
}

CONTROL_HANDLER(acknowledge)
{
    static const Pilotlight__Internal__V1__AcknowledgeResponse reply =
        PILOTLIGHT__INTERNAL__V1__ACKNOWLEDGE_RESPONSE__INIT;
    const Pilotlight__Internal__V1__AcknowledgeRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    if (validate_member_id(&c->limits, "router_id", r->router_id, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    routers_acknowledge(c->routers, r);
    rpc_reply(call, &reply.base);
}
