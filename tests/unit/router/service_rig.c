#include "service_rig.h"

#include "base/mem.h"
#include "metrics/metrics.h"

#include "pilotlight/internal/v1/report.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 20000 /* only a hang reaches it */
#define SHA     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* W3C Trace Context: every caller has one, and every host must hear of it. */
#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

struct rig rig;

/* ---- control ---- */

static void cancelled(struct rpc_call *call)
{
    struct pl_err err;

    (void)pl_fail(&err, PL_CANCELLED, NULL, "cancelled");
    rpc_fail(call, &err);
}

static void watch_gone(void *arg)
{
    if (rig.watch == arg)
        rig.watch = NULL;
    cancelled(arg);
}

static void watch(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__WatchRequest *m = message;

    (void)service;
    assert_string_equal(m->router_id, "router-1");
    rig.watch = call;
    rig.watches++;
    rig.asked_version = m->version;
    rpc_call_on_cancel(call, watch_gone, call);
}

static void acknowledge(struct rpc_call *call, const void *message, void *service)
{
    static const Pilotlight__Internal__V1__AcknowledgeResponse reply =
        PILOTLIGHT__INTERNAL__V1__ACKNOWLEDGE_RESPONSE__INIT;
    const Pilotlight__Internal__V1__AcknowledgeRequest *m = message;

    (void)service;
    rig.acknowledged = m->applied_version;
    rig.draining[0] = '\0';
    for (size_t i = 0; i < m->n_draining; i++) {
        size_t n = strlen(rig.draining);

        (void)snprintf(rig.draining + n, sizeof(rig.draining) - n, "%s ", m->draining[i]);
    }
    if (rig.on_acknowledge)
        rig.on_acknowledge();
    rpc_reply(call, &reply.base);
}

/* Whatever it is. */
static void report(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__ReportRequest *m = message;
    Pilotlight__Internal__V1__ReportResponse reply = PILOTLIGHT__INTERNAL__V1__REPORT_RESPONSE__INIT;

    (void)service;
    assert_true(m->n_batches > 0);
    reply.epoch = m->batches[m->n_batches - 1]->epoch;
    reply.sequence = m->batches[m->n_batches - 1]->sequence;
    rpc_reply(call, &reply.base);
}

static bool has_watch(void)
{
    return rig.watch != NULL;
}

void send_event(Pilotlight__Internal__V1__WatchResponse *m)
{
    wait_for("the router's Watch", has_watch);
    loop_enter(rig.loop);
    m->version = ++rig.version;
    m->database_id = TEXT("db-1");
    assert_true(rpc_stream_send(rig.watch, &m->base));
    loop_leave(rig.loop);
}

void send_snapshot(int concurrency)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    Pilotlight__Internal__V1__WatchSnapshot s = PILOTLIGHT__INTERNAL__V1__WATCH_SNAPSHOT__INIT;
    Pilotlight__Internal__V1__WorkerHost host = PILOTLIGHT__INTERNAL__V1__WORKER_HOST__INIT, *hosts[] = { &host };
    Pilotlight__Internal__V1__ServedEndpoint e = PILOTLIGHT__INTERNAL__V1__SERVED_ENDPOINT__INIT, *endpoints[] = { &e };
    Pilotlight__Internal__V1__ServedVariant v = PILOTLIGHT__INTERNAL__V1__SERVED_VARIANT__INIT, *variants[] = { &v };
    Pilotlight__Internal__V1__VariantSpec spec = PILOTLIGHT__INTERNAL__V1__VARIANT_SPEC__INIT;
    char *runtimes[] = { TEXT("xgboost") };

    host.id = TEXT("host-1");
    host.address = rig.target;
    host.runtimes = runtimes;
    host.n_runtimes = 1;
    host.memory_mb = 16000;
    spec.endpoint_name = e.name = TEXT("e");
    spec.variant_name = TEXT("main");
    spec.generation = e.generation = 1;
    spec.artifact_uri = TEXT("file:///models/a");
    spec.artifact_sha256 = TEXT(SHA);
    spec.runtime = TEXT("xgboost");
    spec.memory_size_mb = 1024;
    spec.invoke_timeout_ms = spec.start_timeout_ms = 60000;
    v.spec = &spec;
    v.max_concurrency = concurrency;
    v.weight = 1;
    v.keep_alive_ms = 600000;
    e.variants = variants;
    e.n_variants = 1;
    s.hosts = hosts;
    s.n_hosts = 1;
    s.endpoints = endpoints;
    s.n_endpoints = concurrency > 0;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT;
    m.snapshot = &s;
    send_event(&m);
}

void send_removed(const char *endpoint)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;

    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT_REMOVED;
    m.endpoint_removed = TEXT(endpoint);
    send_event(&m);
}

void send_nothing(void)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;

    rig.version--; /* nobody else touches it */
    send_event(&m);
}

static void hang_up(struct rpc_call **stream)
{
    struct pl_err err;

    loop_enter(rig.loop);
    assert_non_null(*stream);
    rpc_call_on_cancel(*stream, NULL, NULL);
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "hung up");
    rpc_fail(pl_take(*stream), &err);
    loop_leave(rig.loop);
}

void hang_up_watch(void)
{
    hang_up(&rig.watch);
}

/* ---- the worker host ---- */

static void stream_gone(void *arg)
{
    if (rig.stream == arg)
        rig.stream = NULL;
    cancelled(arg);
}

static void watch_instances(struct rpc_call *call, const void *message, void *service)
{
    Pilotlight__Internal__V1__WatchInstancesResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__INIT;
    Pilotlight__Internal__V1__HostSnapshot s = PILOTLIGHT__INTERNAL__V1__HOST_SNAPSHOT__INIT;
    Pilotlight__Internal__V1__HostLoad load = PILOTLIGHT__INTERNAL__V1__HOST_LOAD__INIT;
    Pilotlight__Internal__V1__WorkerInstance in = PILOTLIGHT__INTERNAL__V1__WORKER_INSTANCE__INIT,
                                             *instances[] = { &in };
    char *runtimes[] = { TEXT("xgboost") };

    (void)message, (void)service;
    in.instance_id = rig.found;
    in.endpoint_name = TEXT("e");
    in.variant_name = TEXT("main");
    in.generation = 1;
    load.memory_mb = load.memory_free_mb = 16000;
    load.instance_limit = 1000;
    s.host_id = TEXT("host-1");
    s.host_epoch = 1;
    s.instances = instances;
    s.n_instances = rig.found != 0;
    s.load = &load;
    s.runtimes = runtimes;
    s.n_runtimes = 1;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_SNAPSHOT;
    m.snapshot = &s;
    rig.stream = call;
    rig.streams++;
    rpc_call_on_cancel(call, stream_gone, call);
    assert_true(rpc_stream_send(call, &m.base));
}

static void start_instance(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__StartInstanceRequest *m = message;
    Pilotlight__Internal__V1__StartInstanceResponse reply = PILOTLIGHT__INTERNAL__V1__START_INSTANCE_RESPONSE__INIT;
    struct pl_err err;

    (void)service;
    assert_string_equal(m->spec->artifact_sha256, SHA);
    rig.starts++;
    if (rig.start_refused) {
        (void)pl_fail_reason(&err, PL_PRECONDITION, "MODEL_NOT_LOADED", NULL, "model did not load: it is no model");
        rpc_fail(call, &err);
        return;
    }
    reply.instance_id = ++rig.started;
    reply.start_us = 300;
    reply.load_us = 200;
    rpc_reply(call, &reply.base);
}

static void stop_instance(struct rpc_call *call, const void *message, void *service)
{
    static const Pilotlight__Internal__V1__StopInstanceResponse reply =
        PILOTLIGHT__INTERNAL__V1__STOP_INSTANCE_RESPONSE__INIT;
    const Pilotlight__Internal__V1__StopInstanceRequest *m = message;

    (void)service;
    rig.stops++;
    rig.stopped = m->instance_id;
    rpc_reply(call, &reply.base);
}

static void answer_row(struct rpc_call *call)
{
    Pilotlight__Internal__V1__WorkerInvokeResponse reply = PILOTLIGHT__INTERNAL__V1__WORKER_INVOKE_RESPONSE__INIT;
    Pilotlight__Internal__V1__WorkerTimings timings = PILOTLIGHT__INTERNAL__V1__WORKER_TIMINGS__INIT;

    timings.model_us = 1; /* no more than the router can have waited */
    reply.body = (ProtobufCBinaryData){ .data = (uint8_t *)TEXT("row"), .len = 3 };
    reply.content_type = TEXT("text/csv");
    reply.timings = &timings;
    rpc_reply(call, &reply.base);
}

static void held_cancelled(void *arg)
{
    (void)arg;
    rig.cancelled++;
    cancelled(pl_take(rig.held));
}

static void invoke(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__WorkerInvokeRequest *m = message;
    struct pl_err err;
    char trace[sizeof(TRACEPARENT)];

    (void)service;
    assert_true(rpc_call_header(call, "traceparent", trace, sizeof(trace)));
    assert_string_equal(trace, TRACEPARENT);
    assert_int_equal(m->body.len, 3);
    assert_memory_equal(m->body.data, "row", 3);
    assert_true(m->request_id != 0 && m->timeout_ms > 0);
    rig.invokes++;
    rig.invoked = m->instance_id;
    switch (rig.answer) {
    case RIG_ANSWERS:
        answer_row(call);
        break;
    case RIG_HOLDS:
        assert_null(rig.held);
        rig.held = call;
        rpc_call_on_cancel(call, held_cancelled, NULL);
        break;
    case RIG_BABBLES:
        rpc_reply_bytes(call, rpc_bytes_copy("\x0a\x7f", 2));
        break;
    case RIG_HAS_NO_SUCH:
        rig.answer = RIG_ANSWERS;
        (void)pl_fail_reason(&err, PL_NOT_FOUND, "INSTANCE_GONE", "instance_id", "this host has no such instance");
        rpc_fail(call, &err);
        break;
    case RIG_SAYS_IT_DIED:
        (void)pl_fail_reason(&err, PL_INTERNAL, "INSTANCE_DIED", NULL, "instance died while answering: killed");
        rpc_fail(call, &err);
        break;
    }
}

static bool holds(void)
{
    return rig.held != NULL;
}

void release_held(void)
{
    wait_for("the held call", holds);
    loop_enter(rig.loop);
    rpc_call_on_cancel(rig.held, NULL, NULL);
    answer_row(pl_take(rig.held));
    loop_leave(rig.loop);
}

void send_died(uint64_t instance)
{
    Pilotlight__Internal__V1__WatchInstancesResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__INIT;
    Pilotlight__Internal__V1__InstanceDied died = PILOTLIGHT__INTERNAL__V1__INSTANCE_DIED__INIT;

    died.instance_id = instance;
    died.reason = TEXT("killed by signal 9 (Killed)");
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_INSTANCES_RESPONSE__EVENT_DIED;
    m.died = &died;
    loop_enter(rig.loop);
    assert_non_null(rig.stream);
    assert_true(rpc_stream_send(rig.stream, &m.base));
    loop_leave(rig.loop);
}

void hang_up_stream(void)
{
    hang_up(&rig.stream);
}

#define WATCH  "/pilotlight.internal.v1.WatchService/"
#define WORKER "/pilotlight.internal.v1.WorkerService/"

static void start_fakes(void)
{
    static const struct rpc_method control[] = {
        { WATCH "Watch", RPC_SERVER_STREAM, &pilotlight__internal__v1__watch_request__descriptor, watch, 0 },
        { WATCH "Acknowledge", RPC_UNARY, &pilotlight__internal__v1__acknowledge_request__descriptor, acknowledge, 0 },
        { 0 },
    };
    static const struct rpc_method worker[] = {
        { WORKER "WatchInstances", RPC_SERVER_STREAM, &pilotlight__internal__v1__watch_instances_request__descriptor,
          watch_instances, 0 },
        { WORKER "StartInstance", RPC_UNARY, &pilotlight__internal__v1__start_instance_request__descriptor,
          start_instance, 0 },
        { WORKER "StopInstance", RPC_UNARY, &pilotlight__internal__v1__stop_instance_request__descriptor, stop_instance,
          0 },
        { WORKER "Invoke", RPC_UNARY, &pilotlight__internal__v1__worker_invoke_request__descriptor, invoke, 0 },
        { 0 },
    };
    static const struct rpc_method reports[] = {
        { "/pilotlight.internal.v1.ReportService/Report", RPC_UNARY,
          &pilotlight__internal__v1__report_request__descriptor, report, 0 },
        { 0 },
    };
    static const struct rpc_service services[] = { { "pilotlight.internal.v1.WatchService", control, NULL },
                                                   { "pilotlight.internal.v1.ReportService", reports, NULL },
                                                   { "pilotlight.internal.v1.WorkerService", worker, NULL } };
    static const char *const listen[] = { "127.0.0.1:0" };
    const struct rpc_server_options o = {
        .listen = listen, .listen_count = 1, .services = services, .service_count = 3
    };
    struct pl_err err;

    if (rpc_server_start(&rig.fakes, rig.rpc, &o, &err) != PL_OK)
        fail_msg("%s", err.message);
    (void)snprintf(rig.target, sizeof(rig.target), "127.0.0.1:%d", rpc_server_port(rig.fakes, 0));
}

/* ---- life ---- */

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

void wait_for(const char *what, bool (*ready)(void))
{
    for (int i = 0; i < WAIT_MS; i++) {
        bool yes;

        loop_enter(rig.loop);
        yes = ready();
        loop_leave(rig.loop);
        if (yes)
            return;
        (void)usleep(1000);
    }
    fail_msg("%s never came", what);
}

static void start_router(void)
{
    char target[32];
    struct pl_err err;

    rig.listen[0] = TEXT("127.0.0.1:0");
    rig.config = (struct router_config){
        .base = { .listen = { rig.listen, 1 },
                  .tls_cert_file = TEXT(""),
                  .tls_key_file = TEXT(""),
                  .tls_ca_file = TEXT("") },
        .control = rig.target,
        .router_id = TEXT("router-1"),
        .snapshot = rig.snapshot,
        .keep_alive_ms = 600000,
        .capacity_wait_ms = 10000,
        .control_tls = { TEXT(""), TEXT(""), TEXT(""), TEXT("") },
        .worker_tls = { TEXT(""), TEXT(""), TEXT(""), TEXT("") },
    };
    if (router_start(&rig.router, rig.loop, rig.rpc, rig.metrics, &rig.config, &err) != PL_OK)
        fail_msg("%s", err.message);
    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", router_port(rig.router, 0));
    rig.client = rpc_channel_new(rig.rpc, target, &(struct rpc_channel_options){ 0 });
}

static int set_up(void)
{
    rig.loop = loop_new(0);
    rig.metrics = metrics_new();
    rig.rpc = rpc_new(rig.loop, rig.metrics);
    loop_enter(rig.loop);
    start_fakes();
    start_router();
    loop_leave(rig.loop);
    assert_int_equal(pthread_create(&rig.thread, NULL, run_loop, rig.loop), 0);
    return 0;
}

int rig_setup(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    return set_up();
}

int rig_setup_with_file(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    (void)snprintf(rig.folder, sizeof(rig.folder), "/tmp/pl-router-XXXXXX");
    assert_non_null(mkdtemp(rig.folder));
    (void)snprintf(rig.snapshot, sizeof(rig.snapshot), "%s/snapshot", rig.folder);
    return set_up();
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

static void stop_router(void)
{
    loop_enter(rig.loop);
    router_drain(rig.router, 0, on_drained, NULL);
    loop_leave(rig.loop);
    wait_for("the router's end", is_drained);
    rig.drained = false;
    loop_enter(rig.loop);
    rpc_channel_free(rig.client);
    router_stop(rig.router);
    loop_leave(rig.loop);
}

void restart_router(void)
{
    stop_router();
    loop_enter(rig.loop);
    start_router();
    loop_leave(rig.loop);
}

static void remove_folder(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", rig.folder);
    assert_int_equal(system(command), 0);
}

int rig_teardown(void **state)
{
    (void)state;
    stop_router();
    loop_enter(rig.loop);
    rpc_server_drain(rig.fakes, 0, on_drained, NULL);
    loop_leave(rig.loop);
    wait_for("the end of the others", is_drained);
    loop_enter(rig.loop);
    rpc_server_free(rig.fakes);
    loop_leave(rig.loop);
    loop_stop(rig.loop);
    assert_int_equal(pthread_join(rig.thread, NULL), 0);
    rpc_free(rig.rpc);
    loop_free(rig.loop);
    metrics_free(rig.metrics);
    if (rig.folder[0])
        remove_folder();
    return 0;
}

/* ---- a caller ---- */

static void call_ended(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    const Pilotlight__V1__InvokeResponse *m = message;
    struct caller *c = arg;

    (void)bytes;
    c->status = *status;
    if (m) {
        size_t n = pilotlight__v1__invoke_response__get_packed_size(m);
        uint8_t *packed = pl_new0(n + 1, 1);

        (void)pilotlight__v1__invoke_response__pack(m, packed);
        c->answer = pilotlight__v1__invoke_response__unpack(NULL, n, packed);
        free(packed);
    }
    c->request = NULL;
    c->ended = true;
}

void call_start(struct caller *c, const char *endpoint)
{
    Pilotlight__V1__InvokeRequest m = PILOTLIGHT__V1__INVOKE_REQUEST__INIT;

    *c = (struct caller){ .ended = false };
    m.endpoint_name = TEXT(endpoint);
    m.body = (ProtobufCBinaryData){ .data = (uint8_t *)TEXT("row"), .len = 3 };
    loop_enter(rig.loop);
    c->request = rpc_send(rig.client, &(struct rpc_send){ .path = "/pilotlight.v1.InferenceService/Invoke",
                                                          .message = &m.base,
                                                          .reply = &pilotlight__v1__invoke_response__descriptor,
                                                          .timeout_ms = WAIT_MS,
                                                          .traceparent = TRACEPARENT,
                                                          .done = call_ended,
                                                          .arg = c });
    loop_leave(rig.loop);
}

void call_cancel(struct caller *c)
{
    loop_enter(rig.loop);
    if (c->request)
        rpc_cancel(c->request);
    loop_leave(rig.loop);
}

enum pl_code call_wait(struct caller *c)
{
    for (int i = 0; i < 2 * WAIT_MS; i++) {
        bool ended;

        loop_enter(rig.loop);
        ended = c->ended;
        loop_leave(rig.loop);
        if (ended)
            return c->status.code;
        (void)usleep(1000);
    }
    fail_msg("the call never ended");
    return PL_UNKNOWN;
}

void call_done(struct caller *c)
{
    if (c->answer)
        pilotlight__v1__invoke_response__free_unpacked(c->answer, NULL);
    c->answer = NULL;
}

enum pl_code call_once(const char *endpoint, bool *out_cold, struct pl_err *err)
{
    struct caller c;
    enum pl_code code;

    call_start(&c, endpoint);
    code = call_wait(&c);
    *err = c.status;
    if (code == PL_OK) {
        assert_int_equal(c.answer->body.len, 3);
        assert_memory_equal(c.answer->body.data, "row", 3);
        assert_string_equal(c.answer->content_type, "text/csv");
        assert_string_equal(c.answer->variant, "main");
        assert_int_equal(c.answer->timings->model_us, 1);
        assert_true(c.answer->timings->total_us > 0);
        *out_cold = c.answer->timings->cold;
    }
    call_done(&c);
    return code;
}
