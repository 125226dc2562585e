#include "get_rows.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "output.h"

#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"
#include "pilotlight/v1/instance.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

#include <stdio.h>
#include <string.h>

const char *const get_titles[KIND_COUNT][10] = {
    [KIND_MODEL] = { "NAME", "RUNTIME", "ARTIFACT", ">AGE", NULL },
    [KIND_ENDPOINT_CONFIG] = { "NAME", "VARIANT", "MODEL", ">MEMORY MB", ">MAX CONCURRENCY", ">PROVISIONED",
                               "KEEP-ALIVE", ">AGE", NULL },
    [KIND_ENDPOINT] = { "NAME", "STATUS", "CONFIG", "VARIANTS", ">AGE", ">CHANGED", "REASON", NULL },
};
const char *const get_instance_titles[] = { "ID",   "ENDPOINT", "VARIANT", "HOST",      "STATE",       ">SINCE",
                                            ">AGE", ">SERVED",  ">MEMORY", ">STOPS IN", "PROVISIONED", NULL };
const char *const get_variant_titles[] = { "ENDPOINT",  "VARIANT",    ">IN FLIGHT", ">LIMIT",  ">WAITING",
                                           ">STARTING", ">IDLE",      ">BUSY",      ">MEMORY", ">INVOCATIONS",
                                           ">COLD",     ">THROTTLED", ">FAILED",    NULL };
const char *const get_host_titles[] = { "ID",       "ADDRESS",  "CONNECTED", ">INSTANCES", ">MEMORY MB",
                                        ">USED MB", ">FREE MB", "RUNTIMES",  NULL };
const char *const get_cold_titles[] = { "ENDPOINT", "VARIANT",           ">COLD", ">QUEUE", ">START", ">SANDBOX",
                                        ">LOAD",    ">FIRST PREDICTION", NULL };

const char *get_status_text(int endpoint_status)
{
    static const char *const texts[] = { "UNSPECIFIED",  "CREATING", "IN_SERVICE", "UPDATING",
                                         "ROLLING_BACK", "DELETING", "FAILED" };
    return endpoint_status >= 0 && (size_t)endpoint_status < PL_COUNT(texts) ? texts[endpoint_status] : "UNKNOWN";
}

const char *get_state_text(int instance_state)
{
    static const char *const texts[] = { "unspecified", "starting", "idle", "busy", "stopping" };
    return instance_state >= 0 && (size_t)instance_state < PL_COUNT(texts) ? texts[instance_state] : "unknown";
}

static void model_row(struct table *t, const ProtobufCMessage *message)
{
    const Pilotlight__V1__Model *m = (const void *)message;
    char age[24];
    table_cell(t, "%s", m->name);
    table_cell(t, "%s", *m->runtime ? m->runtime : "xgboost");
    table_cell(t, "%s", m->artifact_uri);
    table_cell(t, "%s", output_since(m->created_at_unix_ms, age));
}

static void config_row(struct table *t, const ProtobufCMessage *message)
{
    const Pilotlight__V1__EndpointConfig *c = (const void *)message;
    char age[24], keep[24];
    for (size_t i = 0; i < c->n_variants; i++) {
        const Pilotlight__V1__ProductionVariant *v = c->variants[i];
        table_cell(t, "%s", c->name);
        table_cell(t, "%s", v->name);
        table_cell(t, "%s", v->model_name);
        table_cell(t, "%d", v->memory_size_mb);
        table_cell(t, "%d", v->max_concurrency);
        table_cell(t, "%d", v->provisioned_concurrency);
        table_cell(t, "%s", v->keep_alive ? pl_duration_text(v->keep_alive->idle_ms, keep) : "default");
        table_cell(t, "%s", output_since(c->created_at_unix_ms, age));
    }
}

static void endpoint_row(struct table *t, const ProtobufCMessage *message)
{
    const Pilotlight__V1__Endpoint *e = (const void *)message;
    char age[24], changed[24], names[256] = "";
    for (size_t i = 0; i < e->n_variants; i++) {
        if (e->variants[i]->variant)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", *names ? "," : "",
                     e->variants[i]->variant->name);
    }
    table_cell(t, "%s", e->name);
    table_cell(t, "%s", get_status_text(e->status));
    table_cell(t, "%s%s%s", e->endpoint_config_name, *e->pending_endpoint_config_name ? " -> " : "",
               e->pending_endpoint_config_name);
    table_cell(t, "%s", names);
    table_cell(t, "%s", output_since(e->created_at_unix_ms, age));
    table_cell(t, "%s", output_since(e->updated_at_unix_ms, changed));
    table_cell(t, "%.100s%s", e->failure_reason, strlen(e->failure_reason) > 100 ? "..." : "");
}

void get_row(struct table *t, const struct kind *k, const ProtobufCMessage *m)
{
    static void (*const rows[KIND_COUNT])(struct table *, const ProtobufCMessage *) = {
        [KIND_MODEL] = model_row,
        [KIND_ENDPOINT_CONFIG] = config_row,
        [KIND_ENDPOINT] = endpoint_row,
    };
    rows[k->id](t, m);
}

void get_instance_row(struct table *t, const ProtobufCMessage *m)
{
    const Pilotlight__V1__Instance *in = (const void *)m;
    char text[24];
    table_cell(t, "%s", in->id);
    table_cell(t, "%s", in->endpoint_name);
    table_cell(t, "%s", in->variant_name);
    table_cell(t, "%s", in->host);
    table_cell(t, "%s", get_state_text(in->state));
    table_cell(t, "%s", output_age(in->in_state_ms, text));
    table_cell(t, "%s", output_age(in->age_ms, text));
    table_cell(t, "%lld", (long long)in->requests_served);
    table_cell(t, "%s", in->memory_used_bytes ? output_bytes(in->memory_used_bytes, text) : "-");
    table_cell(t, "%s", in->stops_in_ms ? output_age(in->stops_in_ms, text) : "-");
    table_cell(t, "%s", in->provisioned ? "yes" : "no");
}

void get_variant_row(struct table *t, const ProtobufCMessage *m)
{
    const Pilotlight__V1__VariantStats *v = (const void *)m;
    const int64_t now[] = { v->in_flight, v->max_concurrency, v->waiting, v->starting, v->idle, v->busy };
    const int64_t counters[] = { v->invocations, v->cold_starts, v->throttled, v->failed };
    char text[24];
    table_cell(t, "%s", v->endpoint_name);
    table_cell(t, "%s", v->variant_name);
    for (size_t i = 0; i < PL_COUNT(now); i++)
        table_cell(t, "%lld", (long long)now[i]);
    table_cell(t, "%s", output_bytes(v->memory_used_bytes, text));
    for (size_t i = 0; i < PL_COUNT(counters); i++)
        table_cell(t, "%lld", (long long)counters[i]);
}

void get_cold_row(struct table *t, const ProtobufCMessage *m)
{
    const Pilotlight__V1__VariantStats *v = (const void *)m;
    const Pilotlight__V1__ColdStartTimes *c = v->cold_start_times;
    const int64_t times[] = { c->queue_us, c->start_us, c->sandbox_us, c->load_us, c->first_predict_us };
    char text[24];
    table_cell(t, "%s", v->endpoint_name);
    table_cell(t, "%s", v->variant_name);
    table_cell(t, "%lld", (long long)c->count);
    for (size_t i = 0; i < PL_COUNT(times); i++)
        table_cell(t, "%s", output_micros(times[i], text));
}

void get_host_row(struct table *t, const ProtobufCMessage *m)
{
    const Pilotlight__V1__Host *h = (const void *)m;
    char runtimes[256] = "";
    for (size_t i = 0; i < h->n_runtimes; i++)
        snprintf(runtimes + strlen(runtimes), sizeof(runtimes) - strlen(runtimes), "%s%s", *runtimes ? "," : "",
                 h->runtimes[i]);
    table_cell(t, "%s", h->id);
    table_cell(t, "%s", h->address);
    table_cell(t, "%s%s", h->connected ? "yes" : "no", h->draining ? ", draining" : "");
    table_cell(t, "%d", h->instances);
    table_cell(t, "%lld", (long long)h->memory_mb);
    table_cell(t, "%lld", (long long)h->memory_used_mb);
    table_cell(t, "%lld", (long long)h->memory_free_mb);
    table_cell(t, "%s", runtimes);
}
