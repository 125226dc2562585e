#include "endpoint_change.h"

#include "creation.h"
#include "digest.h"
#include "endpoint_state.h"
#include "record.h"
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

enum pl_code endpoint_create(struct store *s, const struct limits *l, const Pilotlight__V1__CreateEndpointRequest *r,
                             int64_t wall_ms, Pilotlight__V1__Endpoint **out_endpoint, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    if (validate_endpoint(l, r, err) != PL_OK)
        return err->code;
    if (r->validate_only)
        return PL_OK;
    struct creation creation = {
        .store = s,
        .limits = l,
        .method = "CreateEndpoint",
        .request_id = r->request_id,
        .now_ms = wall_ms,
    };
    record_endpoint_row(r, creation.now_ms, &row);
    creation.content = creation_content(&row, r->tags, r->n_tags);
    if (store_begin(&tx, s, err) != PL_OK || creation_replay(&creation, STORE_ENDPOINT, &answer, err) != PL_OK)
        return err->code;
    if (!answer)
        if (insert_endpoint(&creation, &row, r, err) != PL_OK ||
            creation_answer(&creation, &row, &answer, err) != PL_OK || store_commit(&tx, err) != PL_OK)
            return err->code;
    *out_endpoint = pl_take(answer);
    return PL_OK;
}

/* ---- update ---- */

enum pl_code endpoint_may_update(const struct store_row *row, struct pl_err *err)
{
    if (row->status == ENDPOINT_STATUS(IN_SERVICE))
        return PL_OK;
    if (row->status == ENDPOINT_STATUS(FAILED))
        return pl_fail_reason(err, PL_PRECONDITION, "ENDPOINT_STATUS", "name",
                              "Cannot update endpoint \"%s\": its status is FAILED, it can only be deleted.",
                              row->name);
    return pl_fail_reason(err, PL_PRECONDITION, "ENDPOINT_STATUS", "name",
                          "Cannot update in-progress endpoint \"%s\". Its status is %s.", row->name,
                          endpoint_status_name(row->status));
}

static bool is_persistent(const Pilotlight__Internal__V1__EndpointGeneration *g)
{
    return g && g->n_variants > 0 && g->variants[0]->variant->variant->persistent;
}

/* SageMaker does not make a persistent endpoint serverless; whoever wants to hear it here, too, sets it so. */
static enum pl_code may_change_kind(const struct limits *l, const Pilotlight__Internal__V1__EndpointRecord *record,
                                    const char *name, struct pl_err *err)
{
    if (!l->stay_persistent || !is_persistent(record->serving) || is_persistent(record->pending))
        return PL_OK;
    return pl_fail_reason(err, PL_PRECONDITION, "PERSISTENT_ENDPOINT", "endpoint_config_name",
                          "Cannot update endpoint \"%s\" to the serverless endpoint configuration \"%s\": its variants "
                          "are instance-based, and updates.persistent_to_serverless is false.",
                          name, record->pending->endpoint_config_name);
}

/* In the transaction: IN_SERVICE -> UPDATING with the new config as pending generation. */
static enum pl_code move_to_updating(struct store *s, const struct limits *l,
                                     const Pilotlight__V1__UpdateEndpointRequest *r, struct store_row *row,
                                     int64_t now_ms, struct pl_err *err)
{
    if (store_get(s, STORE_ENDPOINT, r->name, row, err) != PL_OK || endpoint_may_update(row, err) != PL_OK)
        return err->code;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *record = record_endpoint(row, err);
    if (!record || !(record->pending = record_generation(s, r->endpoint_config_name, 0, err)))
        return err->code;
    if (may_change_kind(l, record, r->name, err) != PL_OK)
        return err->code;
    if (r->n_annotations > 0)
        record_annotate(&record, r);
    endpoint_retain(record->serving, r->retain_weights, r->retain_provisioned_concurrency, record->pending);
    record_set_text(&record->endpoint_config_name, r->endpoint_config_name);
    record_set_text(&record->failure_reason, "");
    return endpoint_move(s, row, record, ENDPOINT_STATUS(UPDATING), false, now_ms, err);
}

enum pl_code endpoint_update(struct store *s, const struct limits *l, const Pilotlight__V1__UpdateEndpointRequest *r,
                             int64_t wall_ms, Pilotlight__V1__Endpoint **out_endpoint, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    if (validate_update(l, r, err) != PL_OK)
        return err->code;
    struct creation creation = {
        .store = s,
        .limits = l,
        .method = "UpdateEndpoint",
        .request_id = r->request_id,
        .now_ms = wall_ms,
    };
    creation.content = digest_add(DIGEST_START, r->name, strlen(r->name) + 1);
    creation.content = digest_add(creation.content, r->endpoint_config_name, strlen(r->endpoint_config_name));
    const bool retained[] = { r->retain_weights, r->retain_provisioned_concurrency };
    if (retained[0] || retained[1])
        creation.content = digest_add(creation.content, retained, sizeof(retained));
    for (size_t i = 0; i < r->n_annotations; i++) {
        const Pilotlight__V1__UpdateEndpointRequest__AnnotationsEntry *a = r->annotations[i];
        creation.content = digest_add(creation.content, a->key, strlen(a->key) + 1);
        creation.content = digest_add(creation.content, a->value, strlen(a->value) + 1);
    }
    if (store_begin(&tx, s, err) != PL_OK || creation_replay(&creation, STORE_ENDPOINT, &answer, err) != PL_OK)
        return err->code;
    if (!answer)
        if (move_to_updating(s, l, r, &row, creation.now_ms, err) != PL_OK ||
            creation_answer(&creation, &row, &answer, err) != PL_OK || store_commit(&tx, err) != PL_OK)
            return err->code;
    *out_endpoint = pl_take(answer);
    return PL_OK;
}

/* ---- delete ---- */

enum pl_code endpoint_delete(struct store *s, const char *name, int64_t wall_ms, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (store_begin(&tx, s, err) != PL_OK || store_get(s, STORE_ENDPOINT, name, &row, err) != PL_OK)
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
    if (endpoint_move(s, &row, record, ENDPOINT_STATUS(DELETING), record->serving != NULL, wall_ms, err) != PL_OK)
        return err->code;
    return store_commit(&tx, err);
}
