#include "fake_server.h"

#include "message.h"
#include "inference/open_inference.pb-c.h"
#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"
#include "pilotlight/v1/inference.pb-c.h"
#include "pilotlight/v1/instance.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a server that remembers ---- */

struct fake fake;

static ProtobufCMessage **find(enum kind_id kind, const char *name)
{
    for (size_t i = 0; i < RESOURCES_MAX; i++) {
        ProtobufCMessage *m = fake.resources[kind][i];
        if (name ? m && !strcmp(message_text(m, "name"), name) : !m)
            return &fake.resources[kind][i];
    }
    return NULL;
}

static bool missing(struct rpc_call *call, const struct kind *k, const char *name)
{
    struct pl_err err;
    if (find(k->id, name))
        return false;
    (void)pl_fail(&err, PL_NOT_FOUND, "name", "no %s '%s'", k->word, name);
    rpc_fail(call, &err);
    return true;
}

static void on_get(struct rpc_call *call, const void *message, void *service)
{
    const struct kind *k = service;
    const char *name = message_text(message, "name");
    if (missing(call, k, name))
        return;
    ProtobufCMessage *reply = message_new(k->get_response);
    ProtobufCMessage **slot = (ProtobufCMessage **)((char *)reply + k->get_response->fields[0].offset);
    *slot = message_copy(*find(k->id, name));
    rpc_reply(call, reply);
    message_free(reply);
}

/* Two a page, so that paging is used. */
static void on_list(struct rpc_call *call, const void *message, void *service)
{
    const struct kind *k = service;
    ProtobufCMessage *request = message_copy(message), *options = message_sub(request, "options");
    const char *contains = message_text(options, "name_contains");
    size_t at = (size_t)atoi(message_text(options, "page_token")), sent = 0;
    ProtobufCMessage *entries[2], **list = entries;
    ProtobufCMessage *reply = message_new(k->list_response);
    for (; at < RESOURCES_MAX && sent < 2; at++) {
        ProtobufCMessage *m = fake.resources[k->id][at];
        if (m && strstr(message_text(m, "name"), contains))
            entries[sent++] = m;
    }
    const ProtobufCFieldDescriptor *f = &k->list_response->fields[0];
    char token[32];
    snprintf(token, sizeof(token), "%zu", at);
    if (at < RESOURCES_MAX)
        message_set_text(reply, "next_page_token", token);
    *(size_t *)((char *)reply + f->quantifier_offset) = sent;
    *(ProtobufCMessage ***)((char *)reply + f->offset) = list;
    rpc_reply(call, reply);
    *(size_t *)((char *)reply + f->quantifier_offset) = 0;
    *(ProtobufCMessage ***)((char *)reply + f->offset) = NULL;
    message_free(reply);
    message_free(request);
}

static void on_delete(struct rpc_call *call, const void *message, void *service)
{
    const struct kind *k = service;
    const char *name = message_text(message, "name");
    if (missing(call, k, name))
        return;
    ProtobufCMessage **slot = find(k->id, name), *reply = message_new(k->delete_response);
    message_free(*slot);
    *slot = NULL;
    fake.writes++;
    rpc_reply(call, reply);
    message_free(reply);
}

static void store(struct rpc_call *call, enum kind_id kind, const ProtobufCMessage *m, bool validate_only,
                  const ProtobufCMessageDescriptor *reply_type)
{
    if (validate_only) {
        ProtobufCMessage *nothing = message_new(reply_type);
        rpc_reply(call, nothing);
        message_free(nothing);
        return;
    }
    ProtobufCMessage **slot = find(kind, message_text(m, "name"));
    struct pl_err err;
    if (slot) {
        (void)pl_fail(&err, PL_EXISTS, "name", "'%s' exists", message_text(m, "name"));
        rpc_fail(call, &err);
        return;
    }
    slot = find(kind, NULL);
    *slot = message_copy(m);
    message_set_int(*slot, "created_at_unix_ms", 1700000000000);
    fake.writes++;
    ProtobufCMessage *reply = message_new(reply_type);
    rpc_reply(call, reply);
    message_free(reply);
}

static void on_create_model(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__V1__CreateModelRequest *q = message;
    struct pl_err err;
    (void)service;
    if (strstr(q->model->artifact_uri, "ftp://")) {
        (void)pl_fail(&err, PL_INVALID, "artifact_uri", "artifact_uri: scheme 'ftp' is none of file, https, s3");
        rpc_fail(call, &err);
        return;
    }
    store(call, KIND_MODEL, &q->model->base, q->validate_only, &pilotlight__v1__create_model_response__descriptor);
}

static void on_create_config(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__V1__CreateEndpointConfigRequest *q = message;
    struct pl_err err;
    (void)service;
    if (q->endpoint_config->variants[0]->memory_size_mb == SURPRISING_MB && !q->validate_only) {
        (void)pl_fail(&err, PL_EXHAUSTED, "name", "there are 10000 endpoint configs already, which is the limit");
        rpc_fail(call, &err);
        return;
    }
    store(call, KIND_ENDPOINT_CONFIG, &q->endpoint_config->base, q->validate_only,
          &pilotlight__v1__create_endpoint_config_response__descriptor);
}

static void on_create_endpoint(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__V1__CreateEndpointRequest *q = message;
    ProtobufCMessage *e = message_new(&pilotlight__v1__endpoint__descriptor);
    (void)service;
    message_set_text(e, "name", q->name);
    message_set_text(e, "endpoint_config_name", q->endpoint_config_name);
    message_set_int(e, "status", PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_CREATING);
    for (size_t i = 0; i < q->n_tags; i++) {
        ProtobufCMessage *tag = message_append(e, "tags");
        message_set_text(tag, "key", q->tags[i]->key);
        message_set_text(tag, "value", q->tags[i]->value);
    }
    for (size_t i = 0; i < q->n_annotations; i++) {
        ProtobufCMessage *pair = message_append(e, "annotations");
        message_set_text(pair, "key", q->annotations[i]->key);
        message_set_text(pair, "value", q->annotations[i]->value);
    }
    store(call, KIND_ENDPOINT, e, q->validate_only, &pilotlight__v1__create_endpoint_response__descriptor);
    message_free(e);
}

static void on_update_endpoint(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__V1__UpdateEndpointRequest *q = message;
    if (missing(call, service, q->name))
        return;
    ProtobufCMessage *e = *find(KIND_ENDPOINT, q->name);
    message_set_int(e, "status", PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_UPDATING);
    message_set_text(e, "pending_endpoint_config_name", q->endpoint_config_name);
    fake.writes++;
    fake.updates++;
    Pilotlight__V1__UpdateEndpointResponse reply = PILOTLIGHT__V1__UPDATE_ENDPOINT_RESPONSE__INIT;
    rpc_reply(call, &reply.base);
}

static void watch_ended(void *arg)
{
    struct pl_err err;
    (void)pl_fail(&err, PL_CANCELLED, NULL, "cancelled");
    rpc_fail(arg, &err);
}

/* What is under way is done by the second message; a config whose name starts with "bad" fails. */
static void on_watch(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__V1__WatchEndpointRequest *q = message;
    if (missing(call, service, q->name))
        return;
    ProtobufCMessage *m = *find(KIND_ENDPOINT, q->name);
    Pilotlight__V1__Endpoint *e = (void *)m;
    Pilotlight__V1__WatchEndpointResponse event = PILOTLIGHT__V1__WATCH_ENDPOINT_RESPONSE__INIT;
    event.endpoint = e;
    rpc_call_on_cancel(call, watch_ended, call);
    assert_true(rpc_stream_send(call, &event.base));
    bool updating = e->status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_UPDATING;
    if (!updating && e->status != PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_CREATING)
        return;
    const char *next = updating ? e->pending_endpoint_config_name : e->endpoint_config_name;
    bool bad = !strncmp(next, "bad", 3);
    message_set_text(m, "failure_reason", bad ? "model 'm' does not load: it is a picture" : "");
    message_set_int(m, "status",
                    bad && !updating ? PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED
                                     : PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE);
    if (updating && !bad)
        message_set_text(m, "endpoint_config_name", next);
    message_set_text(m, "pending_endpoint_config_name", "");
    assert_true(rpc_stream_send(call, &event.base));
}

static void on_add_tags(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__V1__AddTagsRequest *q = message;
    ProtobufCMessage *m = *find((enum kind_id)(q->kind - 1), q->name);
    ProtobufCMessage *const *tags;
    (void)service;
    for (size_t i = 0; i < q->n_tags; i++) {
        ProtobufCMessage *tag = NULL;
        size_t n = message_list(m, "tags", &tags);
        for (size_t k = 0; k < n; k++)
            tag = !strcmp(message_text(tags[k], "key"), q->tags[i]->key) ? tags[k] : tag;
        if (!tag)
            tag = message_append(m, "tags");
        message_set_text(tag, "key", q->tags[i]->key);
        message_set_text(tag, "value", q->tags[i]->value);
    }
    fake.writes++;
    Pilotlight__V1__AddTagsResponse reply = PILOTLIGHT__V1__ADD_TAGS_RESPONSE__INIT;
    rpc_reply(call, &reply.base);
}

/* "echo": the body; "model": an error of the model; "busy": throttled; "many": every third call is throttled. */
static void on_invoke(struct rpc_call *call, const void *message, void *service)
{
    static unsigned many;
    const Pilotlight__V1__InvokeRequest *q = message;
    struct pl_err err;
    (void)service;
    if (!strcmp(q->endpoint_name, "model")) {
        (void)pl_fail_reason(&err, PL_MODEL, "MODEL_ERROR", NULL, "feature 3 is no number");
        err.model_status = 415;
        rpc_fail(call, &err);
    } else if (!strcmp(q->endpoint_name, "busy") || (!strcmp(q->endpoint_name, "many") && many++ % 3 == 0)) {
        (void)pl_fail_reason(&err, PL_EXHAUSTED, "MAX_CONCURRENCY", "endpoint_name", "max concurrency 2 is reached");
        err.retry_after_ms = 100;
        rpc_fail(call, &err);
    } else if (strcmp(q->endpoint_name, "echo") && strcmp(q->endpoint_name, "many")) {
        (void)pl_fail(&err, PL_NOT_FOUND, "endpoint_name", "no endpoint '%s'", q->endpoint_name);
        rpc_fail(call, &err);
    } else {
        Pilotlight__V1__InvokeResponse reply = PILOTLIGHT__V1__INVOKE_RESPONSE__INIT;
        Pilotlight__V1__Timings timings = PILOTLIGHT__V1__TIMINGS__INIT;
        char text[256];
        int n = snprintf(text, sizeof(text), "[%s|%s|%s]%.*s", q->content_type, q->accept, q->target_variant,
                         (int)q->body.len, (char *)q->body.data);
        reply.body = (ProtobufCBinaryData){ .len = (size_t)n, .data = (uint8_t *)text };
        reply.variant = (char[]){ "main" };
        reply.timings = &timings;
        timings.cold = true;
        timings.start_us = 4210;
        rpc_reply(call, &reply.base);
    }
}

static void on_instances(struct rpc_call *call, const void *message, void *service)
{
    Pilotlight__V1__Instance in = PILOTLIGHT__V1__INSTANCE__INIT, *list[] = { &in };
    Pilotlight__V1__ListInstancesResponse reply = PILOTLIGHT__V1__LIST_INSTANCES_RESPONSE__INIT;
    const Pilotlight__V1__ListInstancesRequest *q = message;
    (void)service;
    in.id = (char[]){ "host-1/7" };
    in.endpoint_name = *q->endpoint_name ? q->endpoint_name : (char[]){ "fraud" };
    in.state = PILOTLIGHT__V1__INSTANCE_STATE__INSTANCE_STATE_IDLE;
    in.requests_served = 3;
    reply.instances = list;
    reply.n_instances = strcmp(q->endpoint_name, "none") != 0;
    rpc_reply(call, &reply.base);
}

static void on_stats(struct rpc_call *call, const void *message, void *service)
{
    Pilotlight__V1__VariantStats v = PILOTLIGHT__V1__VARIANT_STATS__INIT, *list[] = { &v };
    Pilotlight__V1__ListVariantStatsResponse reply = PILOTLIGHT__V1__LIST_VARIANT_STATS_RESPONSE__INIT;
    (void)message;
    (void)service;
    v.variant_name = (char[]){ "main" };
    v.invocations = 41;
    reply.variants = list;
    reply.n_variants = 1;
    rpc_reply(call, &reply.base);
}

static void on_metadata(struct rpc_call *call, const void *message, void *service)
{
    Inference__ServerMetadataResponse reply = INFERENCE__SERVER_METADATA_RESPONSE__INIT;
    (void)message;
    (void)service;
    reply.name = (char[]){ "pilotlight" };
    reply.version = (char[]){ "9.8.7" };
    rpc_reply(call, &reply.base);
}

#define METHODS(service, Name, name)                                                                                   \
    { "/pilotlight.v1." service "/Get" Name, RPC_UNARY, &pilotlight__v1__get_##name##_request__descriptor, on_get,     \
      0 },                                                                                                             \
        { "/pilotlight.v1." service "/List" Name "s", RPC_UNARY, &pilotlight__v1__list_##name##s_request__descriptor,  \
          on_list, 0 },                                                                                                \
    {                                                                                                                  \
        "/pilotlight.v1." service "/Delete" Name, RPC_UNARY, &pilotlight__v1__delete_##name##_request__descriptor,     \
            on_delete, 0                                                                                               \
    }

static const struct rpc_method model_methods[] = {
    METHODS("ModelService", "Model", model),
    { "/pilotlight.v1.ModelService/CreateModel", RPC_UNARY, &pilotlight__v1__create_model_request__descriptor,
      on_create_model, 0 },
    { 0 },
};
static const struct rpc_method config_methods[] = {
    METHODS("EndpointConfigService", "EndpointConfig", endpoint_config),
    { "/pilotlight.v1.EndpointConfigService/CreateEndpointConfig", RPC_UNARY,
      &pilotlight__v1__create_endpoint_config_request__descriptor, on_create_config, 0 },
    { 0 },
};
static const struct rpc_method endpoint_methods[] = {
    METHODS("EndpointService", "Endpoint", endpoint),
    { "/pilotlight.v1.EndpointService/CreateEndpoint", RPC_UNARY, &pilotlight__v1__create_endpoint_request__descriptor,
      on_create_endpoint, 0 },
    { "/pilotlight.v1.EndpointService/UpdateEndpoint", RPC_UNARY, &pilotlight__v1__update_endpoint_request__descriptor,
      on_update_endpoint, 0 },
    { "/pilotlight.v1.EndpointService/WatchEndpoint", RPC_SERVER_STREAM,
      &pilotlight__v1__watch_endpoint_request__descriptor, on_watch, 0 },
    { 0 },
};
static const struct rpc_method tag_methods[] = {
    { "/pilotlight.v1.TagService/AddTags", RPC_UNARY, &pilotlight__v1__add_tags_request__descriptor, on_add_tags, 0 },
    { 0 },
};
static const struct rpc_method inference_methods[] = {
    { "/pilotlight.v1.InferenceService/Invoke", RPC_UNARY, &pilotlight__v1__invoke_request__descriptor, on_invoke, 0 },
    { 0 },
};
static const struct rpc_method instance_methods[] = {
    { "/pilotlight.v1.InstanceService/ListInstances", RPC_UNARY, &pilotlight__v1__list_instances_request__descriptor,
      on_instances, 0 },
    { "/pilotlight.v1.InstanceService/ListVariantStats", RPC_UNARY,
      &pilotlight__v1__list_variant_stats_request__descriptor, on_stats, 0 },
    { 0 },
};
static const struct rpc_method open_methods[] = {
    { "/inference.GRPCInferenceService/ServerMetadata", RPC_UNARY, &inference__server_metadata_request__descriptor,
      on_metadata, 0 },
    { 0 },
};

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

int fake_start(void **state)
{
    const struct rpc_service services[] = {
        { "pilotlight.v1.ModelService", model_methods, (void *)(uintptr_t)&kinds[KIND_MODEL] },
        { "pilotlight.v1.EndpointConfigService", config_methods, (void *)(uintptr_t)&kinds[KIND_ENDPOINT_CONFIG] },
        { "pilotlight.v1.EndpointService", endpoint_methods, (void *)(uintptr_t)&kinds[KIND_ENDPOINT] },
        { "pilotlight.v1.TagService", tag_methods, NULL },
        { "pilotlight.v1.InferenceService", inference_methods, NULL },
        { "pilotlight.v1.InstanceService", instance_methods, NULL },
        { "inference.GRPCInferenceService", open_methods, NULL },
    };
    const char *listen[] = { "127.0.0.1:0" };
    struct rpc_server_options o = {
        .listen = listen, .listen_count = 1, .services = services, .service_count = sizeof(services) / sizeof(*services)
    };
    struct pl_err err;
    (void)state;
    fake.loop = loop_new(0);
    fake.rpc = rpc_new(fake.loop, NULL);
    if (rpc_server_start(&fake.server, fake.rpc, &o, &err) != PL_OK)
        return -1;
    snprintf(fake.address, sizeof(fake.address), "127.0.0.1:%d", rpc_server_port(fake.server, 0));
    return pthread_create(&fake.thread, NULL, run_loop, fake.loop);
}

static void on_drained(void *arg)
{
    (void)arg;
    loop_stop(fake.loop);
}

int fake_stop(void **state)
{
    (void)state;
    loop_enter(fake.loop);
    rpc_server_drain(fake.server, 1000, on_drained, NULL);
    loop_leave(fake.loop);
    pthread_join(fake.thread, NULL);
    rpc_server_free(fake.server);
    rpc_free(fake.rpc);
    loop_free(fake.loop);
    for (int k = 0; k < KIND_COUNT; k++) {
        for (int i = 0; i < RESOURCES_MAX; i++)
            message_free(fake.resources[k][i]);
    }
    return 0;
}

int fake_empty(void **state)
{
    (void)state;
    loop_enter(fake.loop);
    for (int k = 0; k < KIND_COUNT; k++) {
        for (int i = 0; i < RESOURCES_MAX; i++) {
            message_free(fake.resources[k][i]);
            fake.resources[k][i] = NULL;
        }
    }
    fake.writes = fake.updates = 0;
    loop_leave(fake.loop);
    return 0;
}
