/* UpdateEndpointCapacity: what serves, with other weights and concurrencies, as the next generation; and what of that
 * an update to another config may keep. */
#include "endpoint_change.h"

#include "creation.h"
#include "digest.h"
#include "endpoint_state.h"
#include "record.h"
#include "validate.h"

#include "base/mem.h"

#include <string.h>

#define HAS(message, member, MEMBER) ((message)->member##_case == PILOTLIGHT__V1__##MEMBER)

static Pilotlight__V1__ProductionVariant *variant_of(const Pilotlight__Internal__V1__EndpointGeneration *g,
                                                     const char *name)
{
    for (size_t i = 0; g && i < g->n_variants; i++)
        if (strcmp(g->variants[i]->variant->variant->name, name) == 0)
            return g->variants[i]->variant->variant;
    return NULL;
}

static void set_weight(Pilotlight__V1__ProductionVariant *v, double weight)
{
    v->initial_weight_case = PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT;
    v->weight = weight;
}

static enum pl_code change_variants(Pilotlight__Internal__V1__EndpointGeneration *g,
                                    const Pilotlight__V1__UpdateEndpointCapacityRequest *r, struct pl_err *err)
{
    for (size_t i = 0; i < r->n_variants; i++) {
        const Pilotlight__V1__VariantCapacity *c = r->variants[i];
        Pilotlight__V1__ProductionVariant *v = variant_of(g, c->variant_name);
        if (!v)
            return pl_fail_reason(
                err, PL_NOT_FOUND, "VARIANT_NOT_FOUND", "variants",
                "The variant name(s) \"%.63s\" is/are not present within endpoint configuration \"%s\".",
                c->variant_name, g->endpoint_config_name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(r->variants[k]->variant_name, c->variant_name) == 0)
                return pl_fail(err, PL_INVALID, "variants",
                               "The variant name \"%s\" was non-unique within the request.", c->variant_name);
        if (HAS(c, expected_kind, VARIANT_CAPACITY__EXPECTED_KIND_PERSISTENT) && c->persistent != v->persistent)
            return pl_fail(err, PL_INVALID, "variants", "Variant \"%s\" of endpoint configuration \"%s\" is %s.",
                           c->variant_name, g->endpoint_config_name,
                           v->persistent ? "instance-based: it has an instance count and no serverless config"
                                         : "serverless: it has a serverless config and no instance count");
        if (HAS(c, new_weight, VARIANT_CAPACITY__NEW_WEIGHT_WEIGHT))
            set_weight(v, c->weight);
        if (HAS(c, new_max_concurrency, VARIANT_CAPACITY__NEW_MAX_CONCURRENCY_MAX_CONCURRENCY))
            v->max_concurrency = c->max_concurrency;
        if (HAS(c, new_provisioned_concurrency, VARIANT_CAPACITY__NEW_PROVISIONED_CONCURRENCY_PROVISIONED_CONCURRENCY))
            v->provisioned_concurrency = c->provisioned_concurrency;
    }
    return PL_OK;
}

/* The rules of a config hold for what it has become. */
static enum pl_code check_variants(const struct limits *l, const Pilotlight__Internal__V1__EndpointGeneration *g,
                                   struct pl_err *err)
{
    Pilotlight__V1__EndpointConfig shell = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    pl_cleanup(pl_free_p) Pilotlight__V1__ProductionVariant **variants = pl_new0(g->n_variants + 1, sizeof(*variants));
    for (size_t i = 0; i < g->n_variants; i++)
        variants[i] = g->variants[i]->variant->variant;
    shell.name = g->endpoint_config_name;
    shell.variants = variants;
    shell.n_variants = g->n_variants;
    return validate_config(l, &shell, err);
}

void endpoint_retain(const Pilotlight__Internal__V1__EndpointGeneration *serving, bool weights, bool provisioned,
                     Pilotlight__Internal__V1__EndpointGeneration *next)
{
    for (size_t i = 0; i < next->n_variants; i++) {
        Pilotlight__V1__ProductionVariant *v = next->variants[i]->variant->variant, *old = variant_of(serving, v->name);
        if (!old)
            continue;
        if (weights)
            set_weight(v, old->initial_weight_case ? old->weight : 1);
        if (provisioned && v->persistent == old->persistent)
            v->provisioned_concurrency =
                old->provisioned_concurrency < v->max_concurrency ? old->provisioned_concurrency : v->max_concurrency;
    }
}

/* In the transaction: IN_SERVICE -> UPDATING with a changed copy of what serves as pending generation. */
static enum pl_code move_to_updating(struct store *s, const struct limits *l,
                                     const Pilotlight__V1__UpdateEndpointCapacityRequest *r, struct store_row *row,
                                     int64_t now_ms, struct pl_err *err)
{
    if (store_get(s, STORE_ENDPOINT, r->name, row, err) != PL_OK || endpoint_may_update(row, err) != PL_OK)
        return err->code;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *record = record_endpoint(row, err);
    if (!record)
        return err->code;
    record->pending = record_copy(&record->serving->base);
    record->pending->number = 0; /* the version of the move */
    if (change_variants(record->pending, r, err) != PL_OK || check_variants(l, record->pending, err) != PL_OK)
        return err->code;
    record_set_text(&record->failure_reason, "");
    return endpoint_move(s, row, record, ENDPOINT_STATUS(UPDATING), false, now_ms, err);
}

enum pl_code endpoint_update_capacity(struct store *s, const struct limits *l,
                                      const Pilotlight__V1__UpdateEndpointCapacityRequest *r, int64_t wall_ms,
                                      Pilotlight__V1__Endpoint **out_endpoint, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    size_t len;
    if (validate_name(l, "name", r->name, err) != PL_OK || validate_request_id(l, r->request_id, err) != PL_OK)
        return err->code;
    if (r->n_variants == 0)
        return pl_fail(err, PL_INVALID, "variants", "variants has 0: it must have at least 1");
    struct creation creation = {
        .store = s,
        .limits = l,
        .method = "UpdateEndpointCapacity",
        .request_id = r->request_id,
        .now_ms = wall_ms,
    };
    pl_cleanup(pl_free_p) void *bytes = record_pack(&r->base, &len);
    creation.content = digest_add(DIGEST_START, bytes, len);
    if (store_begin(&tx, s, err) != PL_OK || creation_replay(&creation, STORE_ENDPOINT, &answer, err) != PL_OK)
        return err->code;
    if (!answer)
        if (move_to_updating(s, l, r, &row, creation.now_ms, err) != PL_OK ||
            creation_answer(&creation, &row, &answer, err) != PL_OK || store_commit(&tx, err) != PL_OK)
            return err->code;
    *out_endpoint = pl_take(answer);
    return PL_OK;
}
