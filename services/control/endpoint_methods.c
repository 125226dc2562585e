/* pilotlight.v1.EndpointService. A call commits the first status of what was asked for; lifecycle.c does the rest. */
#include "control_methods.h"

#include "base/time.h"
#include "control.h"
#include "endpoint_change.h"
#include "followers.h"
#include "lifecycle.h"
#include "page.h"
#include "record.h"
#include "rpc/server.h"
#include "validate.h"

CONTROL_HANDLER(create_endpoint)
{
    const Pilotlight__V1__CreateEndpointRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *endpoint = NULL;
    Pilotlight__V1__CreateEndpointResponse reply = PILOTLIGHT__V1__CREATE_ENDPOINT_RESPONSE__INIT;
    int64_t before = store_version(c->store);
    if (endpoint_create(c->store, &c->limits, r, pl_wall_ms(), &endpoint, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.endpoint = endpoint;
    rpc_reply(call, &reply.base);
    if (store_version(c->store) == before)
        return; /* an old answer again */
    control_committed(c);
    lifecycle_start(c->lifecycle, endpoint->name);
}

CONTROL_HANDLER(get_endpoint)
{
    const Pilotlight__V1__GetEndpointRequest *r = message;
    struct control *c = service;
    struct pl_err err, waits;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *endpoint = NULL;
    Pilotlight__V1__GetEndpointResponse reply = PILOTLIGHT__V1__GET_ENDPOINT_RESPONSE__INIT;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK ||
        !(endpoint = record_get(c->store, STORE_ENDPOINT, r->name, &err))) {
        rpc_fail(call, &err);
        return;
    }
    if (lifecycle_waits_for(c->lifecycle, r->name, &waits))
        record_set_text(&endpoint->waiting_reason, waits.message);
    reply.endpoint = endpoint;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_endpoints)
{
    const Pilotlight__V1__ListEndpointsRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(page_done) struct page page = { 0 };
    Pilotlight__V1__ListEndpointsResponse reply = PILOTLIGHT__V1__LIST_ENDPOINTS_RESPONSE__INIT;
    if (validate_list(&c->limits, r->options, true, &err) != PL_OK || validate_status(r->status, &err) != PL_OK ||
        page_read(c->store, STORE_ENDPOINT, r->options, (int)r->status, &page, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.endpoints = (Pilotlight__V1__Endpoint **)page.messages;
    reply.n_endpoints = page.count;
    reply.next_page_token = page.next_token;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(update_endpoint)
{
    const Pilotlight__V1__UpdateEndpointRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *endpoint = NULL;
    Pilotlight__V1__UpdateEndpointResponse reply = PILOTLIGHT__V1__UPDATE_ENDPOINT_RESPONSE__INIT;
    int64_t before = store_version(c->store);
    if (endpoint_update(c->store, &c->limits, r, pl_wall_ms(), &endpoint, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.endpoint = endpoint;
    rpc_reply(call, &reply.base);
    if (store_version(c->store) == before)
        return; /* an old answer again */
    control_endpoint_changed(c, endpoint->name);
    lifecycle_start(c->lifecycle, endpoint->name);
}

CONTROL_HANDLER(update_endpoint_capacity)
{
    const Pilotlight__V1__UpdateEndpointCapacityRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *endpoint = NULL;
    Pilotlight__V1__UpdateEndpointCapacityResponse reply = PILOTLIGHT__V1__UPDATE_ENDPOINT_CAPACITY_RESPONSE__INIT;
    int64_t before = store_version(c->store);
    if (endpoint_update_capacity(c->store, &c->limits, r, pl_wall_ms(), &endpoint, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.endpoint = endpoint;
    rpc_reply(call, &reply.base);
    if (store_version(c->store) == before)
        return; /* an old answer again */
    control_endpoint_changed(c, endpoint->name);
    lifecycle_start(c->lifecycle, endpoint->name);
}

CONTROL_HANDLER(delete_endpoint)
{
    const Pilotlight__V1__DeleteEndpointRequest *r = message;
    static const Pilotlight__V1__DeleteEndpointResponse reply = PILOTLIGHT__V1__DELETE_ENDPOINT_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK ||
        endpoint_delete(c->store, r->name, pl_wall_ms(), &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    control_endpoint_changed(c, r->name);
    lifecycle_start(c->lifecycle, r->name);
    rpc_reply(call, &reply.base); /* last: the answer frees the request */
}

CONTROL_HANDLER(watch_endpoint)
{
    const Pilotlight__V1__WatchEndpointRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        followers_add(c->followers, call, r->name);
}
