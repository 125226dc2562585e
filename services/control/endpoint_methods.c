/* pilotlight.v1.EndpointService. A call commits the first status of what was asked for; lifecycle.c does the rest. */
#include "control_methods.h"

#include "base/time.h"
#include "control.h"
#include "creation.h"
#include "digest.h"
#include "endpoint_state.h"
#include "followers.h"
#include "lifecycle.h"
#include "page.h"
#include "record.h"
#include "rpc/server.h"
#include "validate.h"

#include <string.h>

/* The row and its pending generation, whose number is the version it is made at. */
static enum pl_code insert_endpoint(const struct creation *creation, struct store_row *row,
                                    const Pilotlight__V1__CreateEndpointRequest *r, struct pl_err *err)
{
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *record = record_endpoint(row, err);
    if (!record || store_next_version(creation->store, &row->version, err) != PL_OK)
        return err->code;
    record->pending = record_generation(creation->store, r->endpoint_config_name, row->version, err);
    if (!record->pending)
        return err->code;
    record_set_body(row, &record->base);
    return creation_insert(creation, row, r->tags, r->n_tags, err);
}

static enum pl_code create(struct control *c, const Pilotlight__V1__CreateEndpointRequest *r, void **out_endpoint,
                           struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    if (validate_endpoint(&c->limits, r, err) != PL_OK)
        return err->code;
    struct creation creation = {
        .store = c->store,
        .limits = &c->limits,
        .method = "CreateEndpoint",
        .request_id = r->request_id,
        .now_ms = pl_wall_ms(),
    };
    record_endpoint_row(r, creation.now_ms, &row);
    creation.content = creation_content(&row, r->tags, r->n_tags);
    if (store_begin(&tx, c->store, err) != PL_OK || creation_replay(&creation, STORE_ENDPOINT, &answer, err) != PL_OK)
        return err->code;
    if (!answer)
        if (insert_endpoint(&creation, &row, r, err) != PL_OK ||
            creation_answer(&creation, &row, &answer, err) != PL_OK || store_commit(&tx, err) != PL_OK)
            return err->code;
    *out_endpoint = pl_take(answer);
    return PL_OK;
}

CONTROL_HANDLER(create_endpoint)
{
    const Pilotlight__V1__CreateEndpointRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *endpoint = NULL;
    Pilotlight__V1__CreateEndpointResponse reply = PILOTLIGHT__V1__CREATE_ENDPOINT_RESPONSE__INIT;
    int64_t before = store_version(c->store);
    if (create(c, r, (void **)&endpoint, &err) != PL_OK) {
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
    struct pl_err err;
    pl_cleanup(record_free_p) void *endpoint = NULL;
    Pilotlight__V1__GetEndpointResponse reply = PILOTLIGHT__V1__GET_ENDPOINT_RESPONSE__INIT;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK ||
        !(endpoint = record_get(c->store, STORE_ENDPOINT, r->name, &err))) {
        rpc_fail(call, &err);
        return;
    }
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

/* ---- update ---- */

static enum pl_code may_update(const struct store_row *row, struct pl_err *err)
{
    if (endpoint_may_move(row, ENDPOINT_STATUS(UPDATING)) && row->status == ENDPOINT_STATUS(IN_SERVICE))
        return PL_OK;
    if (row->status == ENDPOINT_STATUS(FAILED))
        return pl_fail_reason(err, PL_PRECONDITION, "ENDPOINT_STATUS", "name",
                              "Cannot update endpoint \"%s\": its status is FAILED, it can only be deleted.",
                              row->name);
    return pl_fail_reason(err, PL_PRECONDITION, "ENDPOINT_STATUS", "name",
                          "Cannot update in-progress endpoint \"%s\". Its status is %s.", row->name,
                          endpoint_status_name(row->status));
}

/* In the transaction: IN_SERVICE -> UPDATING with the new config as pending generation. */
static enum pl_code move_to_updating(struct control *c, const Pilotlight__V1__UpdateEndpointRequest *r,
                                     struct store_row *row, int64_t now_ms, struct pl_err *err)
{
    if (store_get(c->store, STORE_ENDPOINT, r->name, row, err) != PL_OK || may_update(row, err) != PL_OK)
        return err->code;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *record = record_endpoint(row, err);
    if (!record || !(record->pending = record_generation(c->store, r->endpoint_config_name, 0, err)))
        return err->code;
    record_set_text(&record->endpoint_config_name, r->endpoint_config_name);
    record_set_text(&record->failure_reason, "");
    return endpoint_move(c->store, row, record, ENDPOINT_STATUS(UPDATING), false, now_ms, err);
}

static enum pl_code update(struct control *c, const Pilotlight__V1__UpdateEndpointRequest *r, void **out_endpoint,
                           struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    if (validate_name(&c->limits, "name", r->name, err) != PL_OK ||
        validate_name(&c->limits, "endpoint_config_name", r->endpoint_config_name, err) != PL_OK ||
        validate_request_id(&c->limits, r->request_id, err) != PL_OK)
        return err->code;
    struct creation creation = {
        .store = c->store,
        .limits = &c->limits,
        .method = "UpdateEndpoint",
        .request_id = r->request_id,
        .now_ms = pl_wall_ms(),
    };
    creation.content = digest_add(DIGEST_START, r->name, strlen(r->name) + 1);
    creation.content = digest_add(creation.content, r->endpoint_config_name, strlen(r->endpoint_config_name));
    if (store_begin(&tx, c->store, err) != PL_OK || creation_replay(&creation, STORE_ENDPOINT, &answer, err) != PL_OK)
        return err->code;
    if (!answer)
        if (move_to_updating(c, r, &row, creation.now_ms, err) != PL_OK ||
            creation_answer(&creation, &row, &answer, err) != PL_OK || store_commit(&tx, err) != PL_OK)
            return err->code;
    *out_endpoint = pl_take(answer);
    return PL_OK;
}

CONTROL_HANDLER(update_endpoint)
{
    const Pilotlight__V1__UpdateEndpointRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *endpoint = NULL;
    Pilotlight__V1__UpdateEndpointResponse reply = PILOTLIGHT__V1__UPDATE_ENDPOINT_RESPONSE__INIT;
    int64_t before = store_version(c->store);
    if (update(c, r, (void **)&endpoint, &err) != PL_OK) {
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

/* ---- delete ---- */

static enum pl_code move_to_deleting(struct control *c, const char *name, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (store_begin(&tx, c->store, err) != PL_OK || store_get(c->store, STORE_ENDPOINT, name, &row, err) != PL_OK)
        return err->code;
    if (!endpoint_may_move(&row, ENDPOINT_STATUS(DELETING)))
        return pl_fail_reason(err, PL_PRECONDITION, "ENDPOINT_STATUS", "name",
                              "Cannot delete endpoint \"%s\": its status is %s already.", name,
                              endpoint_status_name(row.status));
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *record = record_endpoint(&row, err);
    if (!record)
        return err->code;
    record_free(record->pending);
    record->pending = NULL;
    if (endpoint_move(c->store, &row, record, ENDPOINT_STATUS(DELETING), record->serving != NULL, pl_wall_ms(), err) !=
        PL_OK)
        return err->code;
    return store_commit(&tx, err);
}

CONTROL_HANDLER(delete_endpoint)
{
    const Pilotlight__V1__DeleteEndpointRequest *r = message;
    static const Pilotlight__V1__DeleteEndpointResponse reply = PILOTLIGHT__V1__DELETE_ENDPOINT_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK || move_to_deleting(c, r->name, &err) != PL_OK) {
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
