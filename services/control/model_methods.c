/* pilotlight.v1.ModelService. */
#include "control_methods.h"

#include "base/time.h"
#include "control.h"
#include "creation.h"
#include "page.h"
#include "record.h"
#include "rpc/server.h"
#include "validate.h"

/* '*out_model' stays NULL when the request shall only be validated. */
static enum pl_code create(struct control *c, const Pilotlight__V1__CreateModelRequest *r, void **out_model,
                           struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    if (validate_model(&c->limits, r->model, err) != PL_OK ||
        validate_request_id(&c->limits, r->request_id, err) != PL_OK)
        return err->code;
    if (r->validate_only)
        return PL_OK;
    struct creation creation = {
        .store = c->store,
        .limits = &c->limits,
        .method = "CreateModel",
        .request_id = r->request_id,
        .now_ms = pl_wall_ms(),
    };
    record_model_row(r->model, creation.now_ms, &row);
    creation.content = creation_content(&row, r->model->tags, r->model->n_tags);
    return creation_run(&creation, &row, r->model->tags, r->model->n_tags, out_model, err);
}

CONTROL_HANDLER(create_model)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) void *model = NULL;
    Pilotlight__V1__CreateModelResponse reply = PILOTLIGHT__V1__CREATE_MODEL_RESPONSE__INIT;
    if (create(c, message, &model, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.model = model;
    rpc_reply(call, &reply.base);
    if (model)
        control_committed(c);
}

CONTROL_HANDLER(get_model)
{
    const Pilotlight__V1__GetModelRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) void *model = NULL;
    Pilotlight__V1__GetModelResponse reply = PILOTLIGHT__V1__GET_MODEL_RESPONSE__INIT;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK ||
        !(model = record_get(c->store, STORE_MODEL, r->name, &err))) {
        rpc_fail(call, &err);
        return;
    }
    reply.model = model;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_models)
{
    const Pilotlight__V1__ListModelsRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(page_done) struct page page = { 0 };
    Pilotlight__V1__ListModelsResponse reply = PILOTLIGHT__V1__LIST_MODELS_RESPONSE__INIT;
    if (validate_list(&c->limits, r->options, false, &err) != PL_OK ||
        page_read(c->store, STORE_MODEL, r->options, 0, &page, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.models = (Pilotlight__V1__Model **)page.messages;
    reply.n_models = page.count;
    reply.next_page_token = page.next_token;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(delete_model)
{
    const Pilotlight__V1__DeleteModelRequest *r = message;
    static const Pilotlight__V1__DeleteModelResponse reply = PILOTLIGHT__V1__DELETE_MODEL_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK ||
        delete_resource(c, STORE_MODEL, r->name, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply.base);
}
