/* pilotlight.v1.EndpointConfigService. */
#include "control_methods.h"

#include "base/time.h"
#include "control.h"
#include "creation.h"
#include "page.h"
#include "record.h"
#include "rpc/server.h"
#include "validate.h"

#include <stdio.h>

/* Every variant's model exists; PL_NOT_FOUND names the variant and the model. */
static enum pl_code models_exist(struct store *s, const Pilotlight__V1__EndpointConfig *config, struct pl_err *err)
{
    for (size_t i = 0; i < config->n_variants; i++) {
        pl_cleanup(store_row_done) struct store_row row = { 0 };
        if (store_get(s, STORE_MODEL, config->variants[i]->model_name, &row, err) != PL_OK) {
            (void)snprintf(err->field, sizeof(err->field), "variants[%zu].model_name", i);
            return err->code;
        }
    }
    return PL_OK;
}

/* The models are looked at in the transaction that writes the config; a request that was answered is not looked at
 * again. */
static enum pl_code write_config(const struct creation *creation, struct store_row *row,
                                 const Pilotlight__V1__EndpointConfig *config, void **out_config, struct pl_err *err)
{
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    if (store_begin(&tx, creation->store, err) != PL_OK ||
        creation_replay(creation, STORE_CONFIG, &answer, err) != PL_OK)
        return err->code;
    if (!answer)
        if (models_exist(creation->store, config, err) != PL_OK ||
            creation_insert(creation, row, config->tags, config->n_tags, err) != PL_OK ||
            creation_answer(creation, row, &answer, err) != PL_OK || store_commit(&tx, err) != PL_OK)
            return err->code;
    *out_config = pl_take(answer);
    return PL_OK;
}

/* '*out_config' stays NULL when the request shall only be validated. */
static enum pl_code create(struct control *c, const Pilotlight__V1__CreateEndpointConfigRequest *r, void **out_config,
                           struct pl_err *err)
{
    const Pilotlight__V1__EndpointConfig *config = r->endpoint_config;
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    if (validate_config(&c->limits, config, err) != PL_OK ||
        validate_request_id(&c->limits, r->request_id, err) != PL_OK)
        return err->code;
    if (r->validate_only)
        return PL_OK;
    struct creation creation = {
        .store = c->store,
        .limits = &c->limits,
        .method = "CreateEndpointConfig",
        .request_id = r->request_id,
        .now_ms = pl_wall_ms(),
    };
    record_config_row(config, creation.now_ms, &row);
    creation.content = creation_content(&row, config->tags, config->n_tags);
    return write_config(&creation, &row, config, out_config, err);
}

CONTROL_HANDLER(create_endpoint_config)
{
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) void *config = NULL;
    Pilotlight__V1__CreateEndpointConfigResponse reply = PILOTLIGHT__V1__CREATE_ENDPOINT_CONFIG_RESPONSE__INIT;
    if (create(c, message, &config, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.endpoint_config = config;
    rpc_reply(call, &reply.base);
    if (config)
        control_committed(c);
}

CONTROL_HANDLER(get_endpoint_config)
{
    const Pilotlight__V1__GetEndpointConfigRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(record_free_p) void *config = NULL;
    Pilotlight__V1__GetEndpointConfigResponse reply = PILOTLIGHT__V1__GET_ENDPOINT_CONFIG_RESPONSE__INIT;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK ||
        !(config = record_get(c->store, STORE_CONFIG, r->name, &err))) {
        rpc_fail(call, &err);
        return;
    }
    reply.endpoint_config = config;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_endpoint_configs)
{
    const Pilotlight__V1__ListEndpointConfigsRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(page_done) struct page page = { 0 };
    Pilotlight__V1__ListEndpointConfigsResponse reply = PILOTLIGHT__V1__LIST_ENDPOINT_CONFIGS_RESPONSE__INIT;
    if (validate_list(&c->limits, r->options, false, &err) != PL_OK ||
        page_read(c->store, STORE_CONFIG, r->options, 0, &page, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    reply.endpoint_configs = (Pilotlight__V1__EndpointConfig **)page.messages;
    reply.n_endpoint_configs = page.count;
    reply.next_page_token = page.next_token;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(delete_endpoint_config)
{
    const Pilotlight__V1__DeleteEndpointConfigRequest *r = message;
    static const Pilotlight__V1__DeleteEndpointConfigResponse reply =
        PILOTLIGHT__V1__DELETE_ENDPOINT_CONFIG_RESPONSE__INIT;
    struct control *c = service;
    struct pl_err err;
    if (validate_name(&c->limits, "name", r->name, &err) != PL_OK ||
        delete_resource(c, STORE_CONFIG, r->name, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply.base);
}
