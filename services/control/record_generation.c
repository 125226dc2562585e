/* Generations of an endpoint: made from a config and its models, pinned when proven, told to hosts and routers. */
#include "record.h"

#include "base/mem.h"
#include "limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The model as a generation keeps it: what is needed to start it. NULL with PL_NOT_FOUND. */
static Pilotlight__V1__Model *kept_model(struct store *s, const char *name, struct pl_err *err)
{
    pl_cleanup(record_free_p) Pilotlight__V1__Model *m = record_get(s, STORE_MODEL, name, err);
    if (!m)
        return NULL;
    Pilotlight__V1__Model shell = *m;
    shell.n_annotations = 0;
    shell.n_tags = 0;
    return record_copy(&shell.base);
}

/* Appends a variant and its model, both copied. */
static enum pl_code add_variant(struct store *s, Pilotlight__Internal__V1__EndpointGeneration *g,
                                const Pilotlight__V1__ProductionVariant *v, struct pl_err *err)
{
    Pilotlight__V1__Model *model = kept_model(s, v->model_name, err);
    if (!model)
        return err->code;
    Pilotlight__Internal__V1__VariantRecord *r = PL_NEW(Pilotlight__Internal__V1__VariantRecord);
    pilotlight__internal__v1__variant_record__init(r);
    r->model = model;
    r->variant = PL_NEW(Pilotlight__V1__EndpointVariant);
    pilotlight__v1__endpoint_variant__init(r->variant);
    r->variant->variant = record_copy(&v->base);
    g->variants[g->n_variants++] = r;
    return PL_OK;
}

Pilotlight__Internal__V1__EndpointGeneration *record_generation(struct store *s, const char *config_name,
                                                                int64_t number, struct pl_err *err)
{
    pl_cleanup(record_free_p) Pilotlight__V1__EndpointConfig *c = record_get(s, STORE_CONFIG, config_name, err);
    if (!c) {
        (void)snprintf(err->field, sizeof(err->field), "endpoint_config_name");
        return NULL;
    }
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointGeneration *g =
        PL_NEW(Pilotlight__Internal__V1__EndpointGeneration);
    pilotlight__internal__v1__endpoint_generation__init(g);
    g->number = number;
    g->endpoint_config_name = pl_strdup(config_name);
    g->variants = pl_new0(c->n_variants, sizeof(*g->variants));
    for (size_t i = 0; i < c->n_variants; i++)
        if (add_variant(s, g, c->variants[i], err) != PL_OK) {
            (void)snprintf(err->field, sizeof(err->field), "endpoint_config_name");
            return NULL;
        }
    return pl_take(g);
}

static int32_t or_default(int32_t value, int64_t fallback)
{
    return value ? value : (int32_t)fallback;
}

void record_spec(const struct limits *l, const char *endpoint, const Pilotlight__Internal__V1__EndpointGeneration *g,
                 size_t variant, Pilotlight__Internal__V1__VariantSpec *out)
{
    const Pilotlight__Internal__V1__VariantRecord *r = g->variants[variant];
    const Pilotlight__V1__ProductionVariant *v = r->variant->variant;
    pilotlight__internal__v1__variant_spec__init(out);
    out->endpoint_name = (char *)(uintptr_t)endpoint; /* packed or copied, never written */
    out->variant_name = v->name;
    out->generation = g->number;
    out->artifact_uri = r->model->artifact_uri;
    out->artifact_sha256 = *r->variant->artifact_sha256 ? r->variant->artifact_sha256 : r->model->artifact_sha256;
    out->code_sha256 = r->variant->code_sha256;
    out->runtime = r->model->runtime;
    out->n_environment = r->model->n_environment;
    out->environment = (Pilotlight__Internal__V1__VariantSpec__EnvironmentEntry **)r->model->environment;
    out->memory_size_mb = v->memory_size_mb;
    out->invoke_timeout_ms = or_default(v->invoke_timeout_ms, l->row[LIMIT_invoke_timeout_ms].max);
    out->start_timeout_ms = or_default(v->start_timeout_ms, l->row[LIMIT_start_timeout_ms].max);
}

/* 'spec' and 'out' are shells of borrowed parts. */
static void served_variant(const struct limits *l, const char *endpoint,
                           const Pilotlight__Internal__V1__EndpointGeneration *g, size_t i,
                           Pilotlight__Internal__V1__VariantSpec *spec, Pilotlight__Internal__V1__ServedVariant *out)
{
    const Pilotlight__V1__EndpointVariant *ev = g->variants[i]->variant;
    const Pilotlight__V1__ProductionVariant *v = ev->variant;
    record_spec(l, endpoint, g, i, spec);
    pilotlight__internal__v1__served_variant__init(out);
    out->spec = spec;
    out->max_concurrency = v->max_concurrency;
    out->provisioned_concurrency = v->provisioned_concurrency;
    out->weight = v->initial_weight_case == PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT ? v->weight : 1;
    out->keep_alive_ms = v->keep_alive ? v->keep_alive->idle_ms : -1;
    out->facts = ev->facts;
}

Pilotlight__Internal__V1__ServedEndpoint *record_served(const struct limits *l, const char *endpoint,
                                                        const Pilotlight__Internal__V1__EndpointGeneration *g)
{
    size_t n = g->n_variants;
    pl_cleanup(pl_free_p) Pilotlight__Internal__V1__VariantSpec *specs = pl_new0(n + 1, sizeof(*specs));
    pl_cleanup(pl_free_p) Pilotlight__Internal__V1__ServedVariant *variants = pl_new0(n + 1, sizeof(*variants));
    pl_cleanup(pl_free_p) Pilotlight__Internal__V1__ServedVariant **list = pl_new0(n + 1, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        served_variant(l, endpoint, g, i, &specs[i], &variants[i]);
        list[i] = &variants[i];
    }
    Pilotlight__Internal__V1__ServedEndpoint shell = PILOTLIGHT__INTERNAL__V1__SERVED_ENDPOINT__INIT;
    shell.name = (char *)(uintptr_t)endpoint;
    shell.generation = g->number;
    shell.n_variants = n;
    shell.variants = list;
    return record_copy(&shell.base);
}

void record_pin(Pilotlight__Internal__V1__VariantRecord *v,
                const Pilotlight__Internal__V1__PrepareModelResponse *proven)
{
    record_set_text(&v->variant->artifact_sha256, proven->artifact_sha256);
    record_set_text(&v->variant->code_sha256, proven->code_sha256);
    record_free(v->variant->facts);
    v->variant->facts = proven->facts ? record_copy(&proven->facts->base) : NULL;
}
