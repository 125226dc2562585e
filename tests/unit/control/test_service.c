/* The whole service in this process, spoken to over gRPC as others do: a client, a router that watches and
 * acknowledges, and a worker host whose answers the test decides. */
#include "fixtures.h"

#include "control.h"
#include "control_config.h"
#include "lifecycle.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "rpc/client.h"
#include "rpc/server.h"

#include <pthread.h>

#define WAIT_MS 20000 /* only a hang reaches it */

static struct world {
    struct folder folder;
    struct control_config config;
    char *listen[1];
    struct loop *loop;
    struct metrics *metrics;
    struct rpc *rpc;
    pthread_t thread;
    struct control *control;
    struct rpc_channel *client;
    struct rpc_server *worker;
    char worker_address[32];
    /* How PrepareModel answers; touched with the turn. */
    enum pl_code worker_code;
    bool worker_holds; /* keeps the next call until worker_release() */
    struct rpc_call *held;
    unsigned prepared;
    bool drained;
} w;
static struct pl_err err;

/* ---- a worker host ---- */

static void answer_prepare(struct rpc_call *call)
{
    Pilotlight__Internal__V1__PrepareModelResponse reply = PILOTLIGHT__INTERNAL__V1__PREPARE_MODEL_RESPONSE__INIT;
    Pilotlight__V1__ModelFacts facts = PILOTLIGHT__V1__MODEL_FACTS__INIT;
    struct pl_err status;
    if (w.worker_code != PL_OK) {
        (void)pl_fail(&status, w.worker_code, NULL, "model.tar.gz holds no model");
        rpc_fail(call, &status);
        return;
    }
    facts.runtime_version = TEXT("xgboost 1.7.4");
    facts.features = 10;
    reply.artifact_sha256 = TEXT(SHA_A);
    reply.facts = &facts;
    rpc_reply(call, &reply.base);
}

static void held_cancelled(void *arg)
{
    struct pl_err status;
    (void)arg;
    (void)pl_fail(&status, PL_CANCELLED, NULL, "cancelled");
    rpc_fail(w.held, &status);
    w.held = NULL;
}

static void prepare_model(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__PrepareModelRequest *r = message;
    (void)service;
    assert_string_equal(r->spec->artifact_uri, "file:///models/model.tar.gz");
    w.prepared++;
    if (!w.worker_holds) {
        answer_prepare(call);
        return;
    }
    assert_null(w.held);
    w.held = call;
    rpc_call_on_cancel(call, held_cancelled, NULL);
}

static void start_worker(void)
{
    static const struct rpc_method methods[] = {
        { "/pilotlight.internal.v1.WorkerService/PrepareModel", RPC_UNARY,
          &pilotlight__internal__v1__prepare_model_request__descriptor, prepare_model, 0 },
        { 0 },
    };
    static const struct rpc_service services[] = { { "pilotlight.internal.v1.WorkerService", methods, NULL } };
    static const char *const listen[] = { "127.0.0.1:0" };
    const struct rpc_server_options o = {
        .listen = listen, .listen_count = 1, .services = services, .service_count = 1
    };
    assert_ok(rpc_server_start(&w.worker, w.rpc, &o, &err));
    (void)snprintf(w.worker_address, sizeof(w.worker_address), "127.0.0.1:%d", rpc_server_port(w.worker, 0));
}

/* ---- set-up ---- */

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void start_control(void)
{
    char target[32];
    assert_ok(control_start(&w.control, w.loop, w.rpc, w.metrics, &w.config, &err));
    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", control_port(w.control, 0));
    w.client = rpc_channel_new(w.rpc, target, &(struct rpc_channel_options){ 0 });
}

static void on_drained(void *arg)
{
    (void)arg;
    w.drained = true;
}

static bool is_drained(void)
{
    return w.drained;
}

static void wait_for(const char *what, bool (*ready)(void))
{
    for (int i = 0; i < WAIT_MS; i++) {
        loop_enter(w.loop);
        bool yes = ready();
        loop_leave(w.loop);
        if (yes)
            return;
        (void)usleep(1000);
    }
    fail_msg("%s never came", what);
}

/* Without the turn. */
static void stop_control(void)
{
    w.drained = false;
    loop_enter(w.loop);
    control_drain(w.control, 1000, on_drained, NULL);
    loop_leave(w.loop);
    wait_for("the drain", is_drained);
    loop_enter(w.loop);
    rpc_channel_free(pl_take(w.client));
    control_stop(pl_take(w.control));
    loop_leave(w.loop);
}

static int start_world(int64_t lease_ms)
{
    memset(&w, 0, sizeof(w));
    folder_make(&w.folder);
    w.listen[0] = TEXT("127.0.0.1:0");
    w.config = (struct control_config){
        .base = { .listen = { w.listen, 1 },
                  .tls_cert_file = TEXT(""),
                  .tls_key_file = TEXT(""),
                  .tls_ca_file = TEXT("") },
        .database = w.folder.database,
        .lease_ms = lease_ms,
        .prepare_timeout_ms = 5000,
        .publish_timeout_ms = 10000,
        .drain_wait_ms = 10000,
        .settle_ms = 20,
        .models = 100,
        .endpoint_configs = 100,
        .endpoints = 3,
        .hosts = 10,
        .routers = 10,
        .watchers = 10,
        .memory_size_mb = 6144,
        .max_concurrency = 200,
        .invoke_timeout_ms = 60000,
        .start_timeout_ms = 180000,
        .metrics = 1000,
        .alarms = 100,
        .alarm_timeout_ms = 1000,
        .roll_up_ms = 3600000,
        .usage_keep_days = 800,
        .cost_currency = TEXT("USD"),
        .cost_gb = TEXT("0.00002"),
        .cost_provisioned_gb = TEXT("0"),
        .cost_provisioned_request_gb = TEXT("0"),
        .cost_data_gb = TEXT("0.016"),
        .cost_instance = TEXT("ml.m5.large"),
        .cost_instance_hour = TEXT("0.134"),
        .worker_ca_file = TEXT(""),
        .worker_cert_file = TEXT(""),
        .worker_key_file = TEXT(""),
        .worker_server_name = TEXT(""),
    };
    w.loop = loop_new(0);
    w.metrics = metrics_new();
    w.rpc = rpc_new(w.loop, w.metrics);
    loop_enter(w.loop);
    start_worker();
    start_control();
    loop_leave(w.loop);
    assert_int_equal(pthread_create(&w.thread, NULL, run_loop, w.loop), 0);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return start_world(600000);
}

static int setup_short_lease(void **state)
{
    (void)state;
    return start_world(1500);
}

static int teardown(void **state)
{
    (void)state;
    stop_control();
    w.drained = false;
    loop_enter(w.loop);
    rpc_server_drain(w.worker, 0, on_drained, NULL);
    loop_leave(w.loop);
    wait_for("the worker's drain", is_drained);
    loop_enter(w.loop);
    rpc_server_free(w.worker);
    loop_leave(w.loop);
    loop_stop(w.loop);
    assert_int_equal(pthread_join(w.thread, NULL), 0);
    rpc_free(w.rpc);
    metrics_free(w.metrics);
    loop_free(w.loop);
    folder_remove(&w.folder);
    return 0;
}

/* ---- a client ---- */

static void *call(const char *path, const void *message, const ProtobufCMessageDescriptor *reply)
{
    void *out = NULL;
    const struct rpc_send s = { .path = path, .message = message, .reply = reply, .wait_for_ready = true };
    err = (struct pl_err){ 0 };
    return rpc_call_wait(w.client, &s, &out, NULL, &err) == PL_OK ? out : NULL;
}

#define CALL(service, method, request, response)                                                                       \
    call("/pilotlight." service "/" method, &(request).base, &pilotlight__##response##__descriptor)

/* Without an answer to look at. */
static enum pl_code call_code(void *reply)
{
    record_free(reply);
    return reply ? PL_OK : err.code;
}

static enum pl_code create_model(const char *name, const char *request_id)
{
    Pilotlight__V1__CreateModelRequest r = PILOTLIGHT__V1__CREATE_MODEL_REQUEST__INIT;
    Pilotlight__V1__Model m = good_model(name);
    r.model = &m;
    r.request_id = TEXT(request_id);
    return call_code(CALL("v1.ModelService", "CreateModel", r, v1__create_model_response));
}

static enum pl_code create_config(const char *name, const char *model, int memory_mb)
{
    Pilotlight__V1__CreateEndpointConfigRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_CONFIG_REQUEST__INIT;
    Pilotlight__V1__EndpointConfig c = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__ProductionVariant v = good_variant("main", model), *list[] = { &v };
    v.memory_size_mb = memory_mb;
    c.name = TEXT(name);
    c.variants = list;
    c.n_variants = 1;
    r.endpoint_config = &c;
    return call_code(CALL("v1.EndpointConfigService", "CreateEndpointConfig", r, v1__create_endpoint_config_response));
}

static enum pl_code create_endpoint(const char *name, const char *config)
{
    Pilotlight__V1__CreateEndpointRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(name);
    r.endpoint_config_name = TEXT(config);
    return call_code(CALL("v1.EndpointService", "CreateEndpoint", r, v1__create_endpoint_response));
}

static enum pl_code update_endpoint(const char *name, const char *config)
{
    Pilotlight__V1__UpdateEndpointRequest r = PILOTLIGHT__V1__UPDATE_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(name);
    r.endpoint_config_name = TEXT(config);
    return call_code(CALL("v1.EndpointService", "UpdateEndpoint", r, v1__update_endpoint_response));
}

static enum pl_code delete_endpoint(const char *name)
{
    Pilotlight__V1__DeleteEndpointRequest r = PILOTLIGHT__V1__DELETE_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(name);
    return call_code(CALL("v1.EndpointService", "DeleteEndpoint", r, v1__delete_endpoint_response));
}

static int status_of(const char *name, char reason[1024])
{
    Pilotlight__V1__GetEndpointRequest r = PILOTLIGHT__V1__GET_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(name);
    pl_cleanup(record_free_p) Pilotlight__V1__GetEndpointResponse *got =
        CALL("v1.EndpointService", "GetEndpoint", r, v1__get_endpoint_response);
    if (!got)
        return -1;
    if (reason)
        (void)snprintf(reason, 1024, "%s", got->endpoint->failure_reason);
    return (int)got->endpoint->status;
}

static void wait_status(const char *name, int status)
{
    for (int i = 0; i < WAIT_MS; i++) {
        if (status_of(name, NULL) == status)
            return;
        (void)usleep(1000);
    }
    fail_msg("%s is never %s", name, status < 0 ? "gone" : endpoint_status_name(status));
}

static enum pl_code beat(const char *id, int64_t epoch, bool leaving)
{
    Pilotlight__Internal__V1__HeartbeatRequest r = PILOTLIGHT__INTERNAL__V1__HEARTBEAT_REQUEST__INIT;
    Pilotlight__Internal__V1__WorkerHost h = PILOTLIGHT__INTERNAL__V1__WORKER_HOST__INIT;
    char *runtimes[] = { TEXT("xgboost") };
    h.id = TEXT(id);
    h.address = w.worker_address;
    h.runtimes = runtimes;
    h.n_runtimes = 1;
    r.host = &h;
    r.host_epoch = epoch;
    r.leaving = leaving;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__HeartbeatResponse *reply =
        CALL("internal.v1.MembershipService", "Heartbeat", r, internal__v1__heartbeat_response);
    if (reply)
        assert_int_equal(reply->lease_ms, w.config.lease_ms);
    return reply ? PL_OK : err.code;
}

/* ---- streams: what came, as a story ---- */

struct stream {
    struct rpc_request *request;
    char story[4096];
    int64_t version;
    char database_id[64];
    bool ended;
    enum pl_code code;
};
static struct stream router, follower; /* touched with the turn */

static void note(struct stream *s, const char *fmt, ...)
{
    size_t n = strlen(s->story);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(s->story + n, sizeof(s->story) - n, fmt, args);
    va_end(args);
}

static void stream_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct stream *s = arg;
    (void)message;
    (void)bytes;
    s->code = status->code;
    s->ended = true;
}

static void router_hears(void *arg, const void *message)
{
    const Pilotlight__Internal__V1__WatchResponse *m = message;
    struct stream *s = arg;
    assert_true(m->version >= s->version);
    s->version = m->version;
    (void)snprintf(s->database_id, sizeof(s->database_id), "%s", m->database_id);
    switch (m->event_case) {
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT:
        note(s, "snapshot %zu %zu\n", m->snapshot->n_endpoints, m->snapshot->n_hosts);
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT:
        assert_string_equal(m->endpoint->variants[0]->spec->artifact_sha256, SHA_A);
        note(s, "endpoint %s %d\n", m->endpoint->name, m->endpoint->variants[0]->spec->memory_size_mb);
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT_REMOVED:
        note(s, "removed %s\n", m->endpoint_removed);
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_HOST:
        note(s, "host %s\n", m->host->id);
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_HOST_REMOVED:
        note(s, "host gone %s\n", m->host_removed);
        break;
    default:
        note(s, "nothing\n");
    }
}

static void follower_hears(void *arg, const void *message)
{
    const Pilotlight__V1__WatchEndpointResponse *m = message;
    note(arg, "%s%s\n", endpoint_status_name((int)m->endpoint->status), m->deleted ? " deleted" : "");
}

static void watch_as_router(int64_t version, const char *database_id)
{
    Pilotlight__Internal__V1__WatchRequest r = PILOTLIGHT__INTERNAL__V1__WATCH_REQUEST__INIT;
    r.router_id = TEXT("router-1");
    r.router_epoch = 1;
    r.version = version;
    r.database_id = TEXT(database_id);
    loop_enter(w.loop);
    router = (struct stream){ 0 };
    router.request = rpc_open(w.client, &(struct rpc_open){
                                            .path = "/pilotlight.internal.v1.WatchService/Watch",
                                            .message = &r.base,
                                            .reply = &pilotlight__internal__v1__watch_response__descriptor,
                                            .on_message = router_hears,
                                            .done = stream_done,
                                            .arg = &router,
                                        });
    loop_leave(w.loop);
}

static void follow(const char *endpoint)
{
    Pilotlight__V1__WatchEndpointRequest r = PILOTLIGHT__V1__WATCH_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(endpoint);
    loop_enter(w.loop);
    follower = (struct stream){ 0 };
    follower.request = rpc_open(w.client, &(struct rpc_open){
                                              .path = "/pilotlight.v1.EndpointService/WatchEndpoint",
                                              .message = &r.base,
                                              .reply = &pilotlight__v1__watch_endpoint_response__descriptor,
                                              .on_message = follower_hears,
                                              .done = stream_done,
                                              .arg = &follower,
                                          });
    loop_leave(w.loop);
}

static void acknowledge(int64_t version, const char *draining)
{
    Pilotlight__Internal__V1__AcknowledgeRequest r = PILOTLIGHT__INTERNAL__V1__ACKNOWLEDGE_REQUEST__INIT;
    char *list[] = { TEXT(draining) };
    r.router_id = TEXT("router-1");
    r.router_epoch = 1;
    r.applied_version = version;
    r.draining = list;
    r.n_draining = *draining ? 1 : 0;
    assert_int_equal(call_code(CALL("internal.v1.WatchService", "Acknowledge", r, internal__v1__acknowledge_response)),
                     PL_OK);
}

static void wait_story(struct stream *s, const char *wanted)
{
    for (int i = 0; i < WAIT_MS; i++) {
        loop_enter(w.loop);
        bool same = strcmp(s->story, wanted) == 0;
        loop_leave(w.loop);
        if (same)
            return;
        (void)usleep(1000);
    }
    fail_msg("wanted:\n%sgot:\n%s", wanted, s->story);
}

static void wait_contains(struct stream *s, const char *part)
{
    for (int i = 0; i < WAIT_MS; i++) {
        loop_enter(w.loop);
        bool has = strstr(s->story, part) != NULL;
        loop_leave(w.loop);
        if (has)
            return;
        (void)usleep(1000);
    }
    fail_msg("no %sin:\n%s", part, s->story);
}

static bool router_ended(void)
{
    return router.ended;
}

static bool follower_ended(void)
{
    return follower.ended;
}

static void end_router(void)
{
    loop_enter(w.loop);
    if (!router.ended)
        rpc_cancel(router.request);
    loop_leave(w.loop);
    wait_for("the end of the router's stream", router_ended);
}

/* ---- tests ---- */

static void test_models_and_configs(void **state)
{
    (void)state;
    assert_int_equal(create_model("m", "once"), PL_OK);
    assert_int_equal(create_model("m", "once"), PL_OK); /* the first answer again */
    assert_int_equal(create_model("m", ""), PL_EXISTS);
    assert_string_equal(err.message, "Cannot create already existing model \"m\".");
    assert_int_equal(create_model("no_good", ""), PL_INVALID);
    assert_string_equal(err.field, "name");
    assert_non_null(strstr(err.message, "no_good"));
    assert_int_equal(create_config("c", "absent", 1024), PL_NOT_FOUND);
    assert_string_equal(err.message, "Could not find model \"absent\".");
    assert_string_equal(err.field, "variants[0].model_name");
    assert_int_equal(create_config("c", "m", 1500), PL_INVALID);
    assert_string_equal(err.field, "variants[0].memory_size_mb");
    assert_int_equal(create_config("c", "m", 2048), PL_OK);

    Pilotlight__V1__DeleteModelRequest d = PILOTLIGHT__V1__DELETE_MODEL_REQUEST__INIT;
    d.name = TEXT("m");
    assert_int_equal(call_code(CALL("v1.ModelService", "DeleteModel", d, v1__delete_model_response)), PL_OK);
    assert_int_equal(call_code(CALL("v1.ModelService", "DeleteModel", d, v1__delete_model_response)), PL_NOT_FOUND);
    Pilotlight__V1__GetEndpointConfigRequest g = PILOTLIGHT__V1__GET_ENDPOINT_CONFIG_REQUEST__INIT;
    g.name = TEXT("c");
    pl_cleanup(record_free_p) Pilotlight__V1__GetEndpointConfigResponse *got =
        CALL("v1.EndpointConfigService", "GetEndpointConfig", g, v1__get_endpoint_config_response);
    assert_non_null(got);
    assert_int_equal(got->endpoint_config->variants[0]->memory_size_mb, 2048);
    assert_true(got->endpoint_config->created_at_unix_ms > 1600000000000);
}

static void test_lists_over_the_wire(void **state)
{
    (void)state;
    Pilotlight__V1__ListModelsRequest r = PILOTLIGHT__V1__LIST_MODELS_REQUEST__INIT;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    assert_int_equal(create_model("b", ""), PL_OK);
    assert_int_equal(create_model("a", ""), PL_OK);
    r.options = &o;
    o.page_size = 1;
    o.sort_by = PILOTLIGHT__V1__SORT_BY__SORT_BY_NAME;
    pl_cleanup(record_free_p) Pilotlight__V1__ListModelsResponse *first =
        CALL("v1.ModelService", "ListModels", r, v1__list_models_response);
    assert_non_null(first);
    assert_string_equal(first->models[0]->name, "b");
    o.page_token = first->next_page_token;
    pl_cleanup(record_free_p) Pilotlight__V1__ListModelsResponse *second =
        CALL("v1.ModelService", "ListModels", r, v1__list_models_response);
    assert_string_equal(second->models[0]->name, "a");
    assert_string_equal(second->next_page_token, "");
    o.page_token = TEXT("garbage");
    assert_null(CALL("v1.ModelService", "ListModels", r, v1__list_models_response));
    assert_int_equal(err.code, PL_INVALID);
    assert_string_equal(err.field, "page_token");
}

static void test_tags(void **state)
{
    (void)state;
    Pilotlight__V1__AddTagsRequest add = PILOTLIGHT__V1__ADD_TAGS_REQUEST__INIT;
    Pilotlight__V1__DeleteTagsRequest del = PILOTLIGHT__V1__DELETE_TAGS_REQUEST__INIT;
    Pilotlight__V1__Tag t[50], *list[50];
    char keys[50][16], *gone[] = { TEXT("k0"), TEXT("nothing") };
    for (int i = 0; i < 50; i++) {
        pilotlight__v1__tag__init(&t[i]);
        (void)snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        t[i].key = keys[i];
        list[i] = &t[i];
    }
    assert_int_equal(create_model("m", ""), PL_OK);
    add.kind = PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_MODEL;
    add.name = TEXT("m");
    add.tags = list;
    add.n_tags = 50;
    pl_cleanup(record_free_p) Pilotlight__V1__AddTagsResponse *added =
        CALL("v1.TagService", "AddTags", add, v1__add_tags_response);
    assert_non_null(added);
    assert_int_equal(added->n_tags, 50);
    add.n_tags = 1;
    t[0].key = TEXT("one-more");
    assert_int_equal(call_code(CALL("v1.TagService", "AddTags", add, v1__add_tags_response)), PL_INVALID);
    assert_string_equal(err.field, "tags");
    assert_non_null(strstr(err.message, "51"));
    del.kind = add.kind;
    del.name = add.name;
    del.keys = gone;
    del.n_keys = 2;
    assert_int_equal(call_code(CALL("v1.TagService", "DeleteTags", del, v1__delete_tags_response)), PL_OK);
    Pilotlight__V1__ListTagsRequest l = PILOTLIGHT__V1__LIST_TAGS_REQUEST__INIT;
    l.kind = add.kind;
    l.name = add.name;
    pl_cleanup(record_free_p) Pilotlight__V1__ListTagsResponse *left =
        CALL("v1.TagService", "ListTags", l, v1__list_tags_response);
    assert_int_equal(left->n_tags, 49);
    assert_string_equal(left->tags[0]->key, "k1");
    l.kind = (Pilotlight__V1__ResourceKind)9;
    assert_int_equal(call_code(CALL("v1.TagService", "ListTags", l, v1__list_tags_response)), PL_INVALID);
    assert_string_equal(err.field, "kind");
    l.kind = PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT;
    assert_int_equal(call_code(CALL("v1.TagService", "ListTags", l, v1__list_tags_response)), PL_NOT_FOUND);
}

static void resources(void)
{
    assert_int_equal(create_model("m", ""), PL_OK);
    assert_int_equal(create_config("small", "m", 1024), PL_OK);
    assert_int_equal(create_config("large", "m", 4096), PL_OK);
}

static void test_a_whole_life(void **state)
{
    (void)state;
    resources();
    watch_as_router(0, "");
    wait_story(&router, "snapshot 0 0\n");
    assert_int_equal(beat("w1", 5, false), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\n");
    assert_int_equal(create_endpoint("e", "small"), PL_OK);
    follow("e");
    wait_story(&router, "snapshot 0 0\nhost w1\nendpoint e 1024\n");
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(CREATING)); /* the router has not applied it */
    acknowledge(router.version, "");
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE));

    assert_int_equal(beat("w1", 5, false), PL_OK);
    assert_int_equal(update_endpoint("e", "large"), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\nendpoint e 1024\nendpoint e 4096\n");
    acknowledge(router.version, "");
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE));

    assert_int_equal(delete_endpoint("e"), PL_OK);
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(DELETING));
    assert_int_equal(delete_endpoint("e"), PL_PRECONDITION);
    wait_contains(&router, "removed e\n");
    acknowledge(router.version, "e"); /* a request is still in flight there */
    assert_int_equal(status_of("e", NULL), ENDPOINT_STATUS(DELETING));
    acknowledge(router.version, "");
    wait_for("the end of the follower's stream", follower_ended);
    assert_int_equal(follower.code, PL_OK);
    assert_non_null(strstr(follower.story, "IN_SERVICE\nUPDATING\nUPDATING\nIN_SERVICE\nDELETING\nDELETING deleted\n"));
    assert_int_equal(status_of("e", NULL), -1);
    assert_string_equal(err.message, "Could not find endpoint \"e\".");
    end_router();
}

static void test_a_failure_quotes_its_cause(void **state)
{
    char reason[1024];
    (void)state;
    resources();
    loop_enter(w.loop);
    w.worker_code = PL_PRECONDITION;
    loop_leave(w.loop);
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(create_endpoint("e", "small"), PL_OK);
    wait_status("e", ENDPOINT_STATUS(FAILED));
    (void)status_of("e", reason);
    assert_string_equal(reason, "variant \"main\", model \"m\": model.tar.gz holds no model");
    assert_int_equal(update_endpoint("e", "large"), PL_PRECONDITION);
    assert_int_equal(create_endpoint("e", "small"), PL_EXISTS);
    assert_int_equal(delete_endpoint("e"), PL_OK);
    wait_status("e", -1);
}

static bool is_held(void)
{
    return w.held != NULL;
}

static bool is_released(void)
{
    return w.held == NULL;
}

static void test_deleting_cancels_the_call_to_the_host(void **state)
{
    (void)state;
    resources();
    loop_enter(w.loop);
    w.worker_holds = true;
    loop_leave(w.loop);
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(create_endpoint("e", "small"), PL_OK);
    wait_for("the call", is_held);
    assert_int_equal(delete_endpoint("e"), PL_OK);
    wait_for("the cancellation", is_released);
    wait_status("e", -1);
}

static void test_control_comes_back(void **state)
{
    (void)state;
    resources();
    loop_enter(w.loop);
    w.worker_holds = true;
    loop_leave(w.loop);
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(create_endpoint("e", "small"), PL_OK);
    wait_for("the call", is_held);
    stop_control();
    wait_for("the cancellation", is_released);
    loop_enter(w.loop);
    w.worker_holds = false;
    start_control();
    loop_leave(w.loop);
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE)); /* the host was remembered */
}

static void test_leases(void **state)
{
    (void)state;
    watch_as_router(0, "");
    wait_story(&router, "snapshot 0 0\n");
    assert_int_equal(beat("w1", 5, false), PL_OK);
    assert_int_equal(beat("w1", 4, false), PL_ABORTED); /* an older start of it */
    assert_string_equal(err.field, "host_epoch");
    assert_int_equal(beat("w1", 6, false), PL_OK);
    assert_int_equal(beat("w1", 6, true), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\nhost w1\nhost gone w1\n");
    assert_int_equal(beat("w2", 1, false), PL_OK);
    wait_story(&router, "snapshot 0 0\nhost w1\nhost w1\nhost gone w1\nhost w2\nhost gone w2\n"); /* silence */
    end_router();
}

static void test_watching_again(void **state)
{
    char database[64];
    (void)state;
    resources();
    watch_as_router(0, "");
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(create_endpoint("e", "small"), PL_OK);
    wait_contains(&router, "endpoint e 1024\n");
    int64_t version = router.version;
    (void)snprintf(database, sizeof(database), "%s", router.database_id);
    end_router();
    wait_status("e", ENDPOINT_STATUS(IN_SERVICE)); /* who is away does not count */
    assert_int_equal(delete_endpoint("e"), PL_OK);
    wait_status("e", -1);
    watch_as_router(version, database);
    wait_contains(&router, "removed e\n");
    assert_null(strstr(router.story, "snapshot"));
    end_router();
    watch_as_router(version, "another-database");
    wait_contains(&router, "snapshot 0");
    end_router();
    watch_as_router(router.version + 1000, database); /* of a future that was lost */
    wait_contains(&router, "snapshot 0");
    end_router();
}

static bool figures_came(void)
{
    return metrics_gauge(w.metrics, "control_models", NULL, "Models")->value == 1 &&
           metrics_gauge(w.metrics, "control_endpoint_configs", NULL, "Endpoint configs")->value == 2 &&
           metrics_gauge(w.metrics, "control_endpoints", "status=\"IN_SERVICE\"", "Endpoints by status")->value == 1 &&
           metrics_gauge(w.metrics, "control_hosts", NULL, "Worker hosts that hold a lease")->value == 1;
}

static void test_figures(void **state)
{
    (void)state;
    resources();
    assert_int_equal(beat("w1", 1, false), PL_OK);
    assert_int_equal(create_endpoint("e", "small"), PL_OK);
    wait_for("the figures", figures_came);
}

static void test_there_is_a_limit_of_endpoints(void **state)
{
    (void)state;
    resources();
    assert_int_equal(create_endpoint("a", "small"), PL_OK);
    assert_int_equal(create_endpoint("b", "small"), PL_OK);
    assert_int_equal(create_endpoint("c", "small"), PL_OK);
    assert_int_equal(create_endpoint("d", "small"), PL_EXHAUSTED);
    assert_non_null(strstr(err.message, "3 endpoints"));
    assert_int_equal(create_endpoint("d", "absent"), PL_NOT_FOUND);
    assert_string_equal(err.message, "Could not find endpoint configuration \"absent\".");
    assert_string_equal(err.field, "endpoint_config_name");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_models_and_configs),
        T(test_lists_over_the_wire),
        T(test_tags),
        T(test_a_whole_life),
        T(test_a_failure_quotes_its_cause),
        T(test_deleting_cancels_the_call_to_the_host),
        T(test_control_comes_back),
        cmocka_unit_test_setup_teardown(test_leases, setup_short_lease, teardown),
        T(test_watching_again),
        T(test_figures),
        T(test_there_is_a_limit_of_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
