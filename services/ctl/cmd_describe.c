#include "api.h"
#include "command.h"
#include "get_rows.h"
#include "message.h"
#include "output.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/time.h"

#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"
#include "pilotlight/v1/instance.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_WIDTH 26

/* Text from the server, without what could steer a terminal. */
static void safe(const char *s)
{
    for (; *s; s++)
        putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void text(int indent, const char *label, const char *value)
{
    printf("%*s%-*s ", indent, "", LABEL_WIDTH - indent, label);
    safe(*value ? value : "-");
    putchar('\n');
}

static void number(int indent, const char *label, int64_t value)
{
    printf("%*s%-*s %lld\n", indent, "", LABEL_WIDTH - indent, label, (long long)value);
}

static void moment(const char *label, int64_t unix_ms)
{
    char at[25], ago[24];
    if (unix_ms)
        printf("%-*s %s (%s ago)\n", LABEL_WIDTH, label, pl_wall_text(unix_ms, at), output_since(unix_ms, ago));
}

/* Maps and tags. */
static void pairs(const ProtobufCMessage *m, const char *field, const char *label)
{
    ProtobufCMessage *const *list;
    size_t count = message_list(m, field, &list);
    if (count)
        printf("%s\n", label);
    for (size_t i = 0; i < count; i++)
        text(2, message_text(list[i], "key"), message_text(list[i], "value"));
}

static void limits(const Pilotlight__V1__ProductionVariant *v)
{
    char buffer[24], weight[32];
    snprintf(weight, sizeof(weight), "%g",
             v->initial_weight_case == PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT ? v->weight : 1.0);
    text(2, "model", v->model_name);
    number(2, "memory size, MB", v->memory_size_mb);
    number(2, "max concurrency", v->max_concurrency);
    number(2, "provisioned concurrency", v->provisioned_concurrency);
    text(2, "weight", weight);
    text(2, "keep-alive", v->keep_alive ? pl_duration_text(v->keep_alive->idle_ms, buffer) : "the router's default");
    text(2, "invoke timeout", pl_duration_text(v->invoke_timeout_ms ? v->invoke_timeout_ms : 60000, buffer));
    text(2, "start timeout", pl_duration_text(v->start_timeout_ms ? v->start_timeout_ms : 180000, buffer));
}

/* Runtimes without such a thing say nothing about it. */
static void forests(const Pilotlight__V1__ModelFacts *f)
{
    const char *served = f->forests == 0               ? "no, by the runtime's library"
                         : f->forests < f->model_files ? "some of them, the others by the runtime's library"
                                                       : "yes";

    if (f->forests > 0 || *f->forest_note)
        text(2, "compiled forest", served);
    if (*f->forest_note)
        text(2, "compiled forest, note", f->forest_note);
}

static void facts(const Pilotlight__V1__ModelFacts *f)
{
    char buffer[24];
    text(2, "runtime", f->runtime_version);
    if (*f->objective)
        text(2, "objective", f->objective);
    if (f->features)
        number(2, "features", f->features);
    if (f->outputs)
        number(2, "outputs per row", f->outputs);
    if (f->model_files > 1)
        number(2, "models in the ensemble", f->model_files);
    forests(f);
    text(2, "artifact", output_bytes(f->artifact_bytes, buffer));
    text(2, "unpacked", output_bytes(f->unpacked_bytes, buffer));
    number(2, "proof: fetch, ms", f->fetch_ms);
    number(2, "proof: unpack, ms", f->unpack_ms);
    if (f->compile_ms)
        number(2, "proof: compile, ms", f->compile_ms);
    number(2, "proof: load, ms", f->load_ms);
}

static void describe_model(const ProtobufCMessage *message)
{
    const Pilotlight__V1__Model *m = (const void *)message;
    text(0, "model", m->name);
    text(0, "artifact", m->artifact_uri);
    text(0, "artifact SHA-256", *m->artifact_sha256 ? m->artifact_sha256 : "(not pinned)");
    text(0, "runtime", *m->runtime ? m->runtime : "xgboost");
    moment("created", m->created_at_unix_ms);
    pairs(message, "environment", "environment");
    pairs(message, "tags", "tags");
    pairs(message, "annotations", "annotations");
}

static void describe_config(const ProtobufCMessage *message)
{
    const Pilotlight__V1__EndpointConfig *c = (const void *)message;
    text(0, "endpoint config", c->name);
    moment("created", c->created_at_unix_ms);
    for (size_t i = 0; i < c->n_variants; i++) {
        text(0, "variant", c->variants[i]->name);
        limits(c->variants[i]);
    }
    pairs(message, "tags", "tags");
    pairs(message, "annotations", "annotations");
}

static void describe_endpoint(const ProtobufCMessage *message)
{
    const Pilotlight__V1__Endpoint *e = (const void *)message;
    text(0, "endpoint", e->name);
    text(0, "status", get_status_text(e->status));
    if (*e->failure_reason)
        text(0, "reason", e->failure_reason);
    if (*e->waiting_reason)
        text(0, "waits", e->waiting_reason);
    text(0, "config", e->endpoint_config_name);
    if (*e->pending_endpoint_config_name)
        text(0, "config being proven", e->pending_endpoint_config_name);
    moment("created", e->created_at_unix_ms);
    moment("changed", e->updated_at_unix_ms);
    number(0, "version", e->version);
    for (size_t i = 0; i < e->n_variants; i++) {
        const Pilotlight__V1__EndpointVariant *v = e->variants[i];
        text(0, "variant", v->variant ? v->variant->name : "");
        if (v->variant)
            limits(v->variant);
        text(2, "artifact SHA-256", v->artifact_sha256);
        if (*v->code_sha256)
            text(2, "code SHA-256", v->code_sha256);
        if (v->facts)
            facts(v->facts);
    }
    pairs(message, "tags", "tags");
    pairs(message, "annotations", "annotations");
}

/* ---- who serves a model ---- */

/* Endpoints with a variant of it that has been proven: only those know what the model is. */
struct serving {
    const char *model;
    ProtobufCMessage **endpoints;
    size_t count;
};

static bool serves(const Pilotlight__V1__EndpointVariant *v, const char *model)
{
    return v->variant && v->facts && strcmp(v->variant->model_name, model) == 0;
}

static void keep_serving(void *arg, const ProtobufCMessage *m)
{
    const Pilotlight__V1__Endpoint *e = (const void *)m;
    struct serving *s = arg;
    size_t i = 0;
    while (i < e->n_variants && !serves(e->variants[i], s->model))
        i++;
    if (i == e->n_variants)
        return;
    s->endpoints = pl_grow(s->endpoints, s->count + 1, sizeof(ProtobufCMessage *));
    s->endpoints[s->count++] = message_copy(m);
}

static void serving_done(struct serving *s)
{
    for (size_t i = 0; i < s->count; i++)
        message_free(s->endpoints[i]);
    free(s->endpoints);
}

static void print_serving(const struct serving *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const Pilotlight__V1__Endpoint *e = (const void *)s->endpoints[i];
        for (size_t k = 0; k < e->n_variants; k++) {
            if (!serves(e->variants[k], s->model))
                continue;
            text(0, "served by endpoint", e->name);
            text(2, "variant", e->variants[k]->variant->name);
            facts(e->variants[k]->facts);
        }
    }
}

static json_t *serving_json(const struct serving *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++) {
        const Pilotlight__V1__Endpoint *e = (const void *)s->endpoints[i];
        for (size_t k = 0; k < e->n_variants; k++)
            if (serves(e->variants[k], s->model))
                json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "endpoint", e->name, "variant",
                                                      e->variants[k]->variant->name, "facts",
                                                      message_json(&e->variants[k]->facts->base)));
    }
    return list;
}

/* ---- the router's view of an endpoint ---- */

struct live {
    struct serving serving;
    Pilotlight__V1__ListInstancesResponse *instances;
    Pilotlight__V1__ListVariantStatsResponse *stats;
};

static enum pl_code fetch_live(struct client *c, const char *endpoint, struct live *out, struct pl_err *err)
{
    Pilotlight__V1__ListInstancesRequest instances = PILOTLIGHT__V1__LIST_INSTANCES_REQUEST__INIT;
    Pilotlight__V1__ListVariantStatsRequest stats = PILOTLIGHT__V1__LIST_VARIANT_STATS_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    instances.endpoint_name = stats.endpoint_name = (char *)(uintptr_t)endpoint;
    if (client_call(c, CLIENT_ROUTER, "/pilotlight.v1.InstanceService/ListInstances", &instances.base,
                    &pilotlight__v1__list_instances_response__descriptor, CLIENT_CALL_MS, &reply, err) != PL_OK)
        return err->code;
    out->instances = (void *)reply;
    if (client_call(c, CLIENT_ROUTER, "/pilotlight.v1.InstanceService/ListVariantStats", &stats.base,
                    &pilotlight__v1__list_variant_stats_response__descriptor, CLIENT_CALL_MS, &reply, err) != PL_OK)
        return err->code;
    out->stats = (void *)reply;
    return PL_OK;
}

static void live_done(struct live *l)
{
    serving_done(&l->serving);
    message_free((ProtobufCMessage *)l->instances);
    message_free((ProtobufCMessage *)l->stats);
}

static void print_live(const struct live *l)
{
    struct table *t = table_new(get_instance_titles);
    printf("\ninstances now: %zu\n", l->instances->n_instances);
    for (size_t i = 0; i < l->instances->n_instances; i++)
        get_instance_row(t, &l->instances->instances[i]->base);
    if (l->instances->n_instances)
        table_print(t, stdout);
    table_free(t);
    t = table_new(get_variant_titles);
    for (size_t i = 0; i < l->stats->n_variants; i++)
        get_variant_row(t, &l->stats->variants[i]->base);
    if (l->stats->n_variants) {
        printf("\ncounters since the router started:\n");
        table_print(t, stdout);
    }
    table_free(t);
}

/* Where the time of cold starts went, for the variants that had any. */
static void print_cold_starts(const struct live *l)
{
    struct table *t = table_new(get_cold_titles);
    size_t count = 0;
    for (size_t i = 0; i < l->stats->n_variants; i++) {
        if (!l->stats->variants[i]->cold_start_times)
            continue;
        get_cold_row(t, &l->stats->variants[i]->base);
        count++;
    }
    if (count) {
        printf("\ncold starts since the router started, mean times:\n");
        table_print(t, stdout);
    }
    table_free(t);
}

/* The resource's own fields; then a model's "served_by", or an endpoint's "instances" and "stats" when the router
 * answered. */
static json_t *live_json(const ProtobufCMessage *m, const struct live *l)
{
    json_t *value = message_json(m);
    if (l->serving.model)
        json_object_set_new(value, "served_by", serving_json(&l->serving));
    if (l->instances)
        json_object_update_new(value, message_json(&l->instances->base));
    if (l->stats) {
        json_t *stats = message_json(&l->stats->base);
        json_object_set(value, "stats", json_object_get(stats, "variants"));
        json_decref(stats);
    }
    return value;
}

static void print(const struct kind *k, const ProtobufCMessage *m, const struct live *l, enum output_format format)
{
    static void (*const describe[KIND_COUNT])(const ProtobufCMessage *) = {
        [KIND_MODEL] = describe_model,
        [KIND_ENDPOINT_CONFIG] = describe_config,
        [KIND_ENDPOINT] = describe_endpoint,
    };
    if (format == OUTPUT_NAME) {
        printf("%s\n", message_text(m, "name"));
    } else if (format == OUTPUT_TABLE) {
        describe[k->id](m);
        print_serving(&l->serving);
        if (l->stats) {
            print_live(l);
            print_cold_starts(l);
        }
    } else {
        json_t *value = live_json(m, l);
        output_value(value, format, stdout);
        json_decref(value);
    }
}

/* Beside the resource itself; what is not to be had is said, and left out. */
static void fetch_rest(struct client *c, const struct kind *k, const char *name, struct live *out)
{
    struct pl_err err;
    if (k->id == KIND_ENDPOINT && fetch_live(c, name, out, &err) != PL_OK)
        fprintf(stderr, "pilotlight: without instances and counters: %s\n", err.message);
    if (k->id != KIND_MODEL)
        return;
    out->serving.model = name;
    if (api_list(c, kind_by_word("endpoint"), NULL, keep_serving, &out->serving, &err) != PL_OK)
        fprintf(stderr, "pilotlight: without the endpoints that serve it: %s\n", err.message);
}

enum ctl_exit cmd_describe(const struct args *a)
{
    const struct kind *k = kind_by_word(a->words[0]);
    if (!k) {
        fprintf(stderr, "pilotlight describe: unknown kind '%s'; known are model, endpoint-config and endpoint\n",
                a->words[0]);
        return EXIT_USAGE;
    }
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    pl_cleanup(message_free_p) ProtobufCMessage *m = NULL;
    struct live l = { 0 };
    struct pl_err err;
    if (!c)
        return EXIT_USAGE;
    if (api_get(c, k, a->words[1], &m, &err) != PL_OK)
        return exit_report(stderr, &err);
    fetch_rest(c, k, a->words[1], &l);
    print(k, m, &l, output_format_of(args_text(a, "output")));
    live_done(&l);
    return EXIT_OK;
}
