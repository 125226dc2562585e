#include "rig.h"

#define WAIT_MS 20000 /* only a hang reaches it */

struct rig rig;

/* ---- a worker host ---- */

static void answer_prepare(struct rpc_call *call)
{
    Pilotlight__Internal__V1__PrepareModelResponse reply = PILOTLIGHT__INTERNAL__V1__PREPARE_MODEL_RESPONSE__INIT;
    Pilotlight__V1__ModelFacts facts = PILOTLIGHT__V1__MODEL_FACTS__INIT;
    struct pl_err status;
    if (rig.worker_code != PL_OK) {
        (void)pl_fail(&status, rig.worker_code, NULL, "model.tar.gz holds no model");
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
    rpc_fail(rig.held, &status);
    rig.held = NULL;
}

static void prepare_model(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__PrepareModelRequest *r = message;
    (void)service;
    assert_string_equal(r->spec->artifact_uri, "file:///models/model.tar.gz");
    rig.prepared++;
    if (!rig.worker_holds) {
        answer_prepare(call);
        return;
    }
    assert_null(rig.held);
    rig.held = call;
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
    assert_ok(rpc_server_start(&rig.worker, rig.rpc, &o, &err));
    (void)snprintf(rig.worker_address, sizeof(rig.worker_address), "127.0.0.1:%d", rpc_server_port(rig.worker, 0));
}

/* ---- set-up ---- */

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

void rig_start_control(void)
{
    char target[32];
    assert_ok(control_start(&rig.control, rig.loop, rig.rpc, rig.metrics, &rig.config, &err));
    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", control_port(rig.control, 0));
    rig.client = rpc_channel_new(rig.rpc, target, &(struct rpc_channel_options){ 0 });
}

static void on_drained(void *arg)
{
    (void)arg;
    rig.drained = true;
}

static bool is_drained(void)
{
    return rig.drained;
}

void wait_for(const char *what, bool (*ready)(void))
{
    for (int i = 0; i < WAIT_MS; i++) {
        loop_enter(rig.loop);
        bool yes = ready();
        loop_leave(rig.loop);
        if (yes)
            return;
        (void)usleep(1000);
    }
    fail_msg("%s never came", what);
}

/* Without the turn. */
void rig_stop_control(void)
{
    rig.drained = false;
    loop_enter(rig.loop);
    control_drain(rig.control, 1000, on_drained, NULL);
    loop_leave(rig.loop);
    wait_for("the drain", is_drained);
    loop_enter(rig.loop);
    rpc_channel_free(pl_take(rig.client));
    control_stop(pl_take(rig.control));
    loop_leave(rig.loop);
}

static int start_world(int64_t lease_ms)
{
    memset(&rig, 0, sizeof(rig));
    folder_make(&rig.folder);
    rig.listen[0] = TEXT("127.0.0.1:0");
    rig.config = (struct control_config){
        .base = { .listen = { rig.listen, 1 },
                  .tls_cert_file = TEXT(""),
                  .tls_key_file = TEXT(""),
                  .tls_ca_file = TEXT("") },
        .database = rig.folder.database,
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
    rig.loop = loop_new(0);
    rig.metrics = metrics_new();
    rig.rpc = rpc_new(rig.loop, rig.metrics);
    loop_enter(rig.loop);
    start_worker();
    rig_start_control();
    loop_leave(rig.loop);
    assert_int_equal(pthread_create(&rig.thread, NULL, run_loop, rig.loop), 0);
    return 0;
}

int rig_setup(void **state)
{
    (void)state;
    return start_world(600000);
}

int rig_setup_short_lease(void **state)
{
    (void)state;
    return start_world(1500);
}

int rig_teardown(void **state)
{
    (void)state;
    rig_stop_control();
    rig.drained = false;
    loop_enter(rig.loop);
    rpc_server_drain(rig.worker, 0, on_drained, NULL);
    loop_leave(rig.loop);
    wait_for("the worker's drain", is_drained);
    loop_enter(rig.loop);
    rpc_server_free(rig.worker);
    loop_leave(rig.loop);
    loop_stop(rig.loop);
    assert_int_equal(pthread_join(rig.thread, NULL), 0);
    rpc_free(rig.rpc);
    metrics_free(rig.metrics);
    loop_free(rig.loop);
    folder_remove(&rig.folder);
    return 0;
}

/* ---- a client ---- */

void *call(const char *path, const void *message, const ProtobufCMessageDescriptor *reply)
{
    void *out = NULL;
    const struct rpc_send s = { .path = path, .message = message, .reply = reply, .wait_for_ready = true };
    err = (struct pl_err){ 0 };
    return rpc_call_wait(rig.client, &s, &out, NULL, &err) == PL_OK ? out : NULL;
}

/* Without an answer to look at. */
enum pl_code call_code(void *reply)
{
    record_free(reply);
    return reply ? PL_OK : err.code;
}

enum pl_code ask_create_model(const char *name, const char *request_id)
{
    Pilotlight__V1__CreateModelRequest r = PILOTLIGHT__V1__CREATE_MODEL_REQUEST__INIT;
    Pilotlight__V1__Model m = good_model(name);
    r.model = &m;
    r.request_id = TEXT(request_id);
    return call_code(CALL("v1.ModelService", "CreateModel", r, v1__create_model_response));
}

enum pl_code ask_create_config(const char *name, const char *model, int memory_mb)
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

enum pl_code ask_create_endpoint(const char *name, const char *config)
{
    Pilotlight__V1__CreateEndpointRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(name);
    r.endpoint_config_name = TEXT(config);
    return call_code(CALL("v1.EndpointService", "CreateEndpoint", r, v1__create_endpoint_response));
}

enum pl_code ask_update_endpoint(const char *name, const char *config)
{
    Pilotlight__V1__UpdateEndpointRequest r = PILOTLIGHT__V1__UPDATE_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(name);
    r.endpoint_config_name = TEXT(config);
    return call_code(CALL("v1.EndpointService", "UpdateEndpoint", r, v1__update_endpoint_response));
}

enum pl_code ask_delete_endpoint(const char *name)
{
    Pilotlight__V1__DeleteEndpointRequest r = PILOTLIGHT__V1__DELETE_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(name);
    return call_code(CALL("v1.EndpointService", "DeleteEndpoint", r, v1__delete_endpoint_response));
}

int status_of(const char *name, char reason[1024])
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

void wait_status(const char *name, int status)
{
    for (int i = 0; i < WAIT_MS; i++) {
        if (status_of(name, NULL) == status)
            return;
        (void)usleep(1000);
    }
    fail_msg("%s is never %s", name, status < 0 ? "gone" : endpoint_status_name(status));
}

enum pl_code beat(const char *id, int64_t epoch, bool leaving)
{
    Pilotlight__Internal__V1__HeartbeatRequest r = PILOTLIGHT__INTERNAL__V1__HEARTBEAT_REQUEST__INIT;
    Pilotlight__Internal__V1__WorkerHost h = PILOTLIGHT__INTERNAL__V1__WORKER_HOST__INIT;
    char *runtimes[] = { TEXT("xgboost") };
    h.id = TEXT(id);
    h.address = rig.worker_address;
    h.runtimes = runtimes;
    h.n_runtimes = 1;
    r.host = &h;
    r.host_epoch = epoch;
    r.leaving = leaving;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__HeartbeatResponse *reply =
        CALL("internal.v1.MembershipService", "Heartbeat", r, internal__v1__heartbeat_response);
    if (reply)
        assert_int_equal(reply->lease_ms, rig.config.lease_ms);
    return reply ? PL_OK : err.code;
}

/* ---- streams: what came, as a story ---- */

struct stream router, follower;

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

void watch_as_router(int64_t version, const char *database_id)
{
    Pilotlight__Internal__V1__WatchRequest r = PILOTLIGHT__INTERNAL__V1__WATCH_REQUEST__INIT;
    r.router_id = TEXT("router-1");
    r.router_epoch = 1;
    r.version = version;
    r.database_id = TEXT(database_id);
    loop_enter(rig.loop);
    router = (struct stream){ 0 };
    router.request = rpc_open(rig.client, &(struct rpc_open){
                                              .path = "/pilotlight.internal.v1.WatchService/Watch",
                                              .message = &r.base,
                                              .reply = &pilotlight__internal__v1__watch_response__descriptor,
                                              .on_message = router_hears,
                                              .done = stream_done,
                                              .arg = &router,
                                          });
    loop_leave(rig.loop);
}

void follow(const char *endpoint)
{
    Pilotlight__V1__WatchEndpointRequest r = PILOTLIGHT__V1__WATCH_ENDPOINT_REQUEST__INIT;
    r.name = TEXT(endpoint);
    loop_enter(rig.loop);
    follower = (struct stream){ 0 };
    follower.request = rpc_open(rig.client, &(struct rpc_open){
                                                .path = "/pilotlight.v1.EndpointService/WatchEndpoint",
                                                .message = &r.base,
                                                .reply = &pilotlight__v1__watch_endpoint_response__descriptor,
                                                .on_message = follower_hears,
                                                .done = stream_done,
                                                .arg = &follower,
                                            });
    loop_leave(rig.loop);
}

void send_acknowledge(int64_t version, const char *draining)
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

void wait_story(struct stream *s, const char *wanted)
{
    for (int i = 0; i < WAIT_MS; i++) {
        loop_enter(rig.loop);
        bool same = strcmp(s->story, wanted) == 0;
        loop_leave(rig.loop);
        if (same)
            return;
        (void)usleep(1000);
    }
    fail_msg("wanted:\n%sgot:\n%s", wanted, s->story);
}

void wait_contains(struct stream *s, const char *part)
{
    for (int i = 0; i < WAIT_MS; i++) {
        loop_enter(rig.loop);
        bool has = strstr(s->story, part) != NULL;
        loop_leave(rig.loop);
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

bool follower_ended(void)
{
    return follower.ended;
}

void end_router(void)
{
    loop_enter(rig.loop);
    if (!router.ended)
        rpc_cancel(router.request);
    loop_leave(rig.loop);
    wait_for("the end of the router's stream", router_ended);
}
