/* pilotlight.internal.v1.MembershipService. */
#include "control_methods.h"

#include "control.h"
#include "hosts.h"
#include "rpc/server.h"
#include "validate.h"

CONTROL_HANDLER(heartbeat)
{
    const Pilotlight__Internal__V1__HeartbeatRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    Pilotlight__Internal__V1__HeartbeatResponse reply = PILOTLIGHT__INTERNAL__V1__HEARTBEAT_RESPONSE__INIT;
    if (validate_heartbeat(&c->limits, r, &err) != PL_OK || hosts_heartbeat(c->hosts, r, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.lease_ms = c->lease_ms;
    rpc_reply(call, &reply.base);
}
