#include "rig.h"

#include "base/mem.h"
#include "base/time.h"
#include "google/rpc/error_details.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "proto/descriptors.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the service ---- */

static void echo(struct rpc_call *call, const void *message, void *service)
{
    struct rig *g = service;
    assert_null(message);
    g->time_left_ms = rpc_call_time_left_ms(call);
    if (!rpc_call_header(call, "traceparent", g->trace, sizeof(g->trace)))
        g->trace[0] = '\0';
    snprintf(g->peer, sizeof(g->peer), "%s", rpc_call_peer(call));
    rpc_call_set_header(call, "x-test", "1");
    rpc_reply_bytes(call, rpc_bytes_ref(rpc_call_bytes(call)));
}

static void message_back(struct rpc_call *call, const void *message, void *service)
{
    (void)service;
    rpc_reply(call, message);
}

static void answer_failure(struct rpc_call *call, const void *message, void *service)
{
    struct rig *g = service;
    (void)message;
    rpc_fail(call, &g->failure);
}

static void held_cancelled(void *arg)
{
    struct rig *g = arg;
    g->cancelled_count++;
    sem_post(&g->cancelled_event);
}

static void hold(struct rpc_call *call, const void *message, void *service)
{
    struct rig *g = service;
    (void)message;
    g->held = call;
    rpc_call_on_cancel(call, held_cancelled, g);
    sem_post(&g->held_event);
}

static bool send_number(struct rpc_call *call, int number, size_t padding)
{
    Google__Rpc__QuotaFailure__Violation v = GOOGLE__RPC__QUOTA_FAILURE__VIOLATION__INIT;
    char subject[16];
    pl_cleanup(pl_free_p) char *text = pl_new0(1, padding + 1);
    memset(text, 'x', padding);
    snprintf(subject, sizeof(subject), "%d", number);
    v.subject = subject;
    v.description = text;
    return rpc_stream_send(call, &v.base);
}

static void count(struct rpc_call *call, const void *message, void *service)
{
    const Grpc__Health__V1__HealthCheckRequest *q = message;
    int n = atoi(q->service);
    (void)service;
    for (int i = 1; i <= n; i++)
        assert_true(send_number(call, i, 100));
    rpc_stream_end(call);
}

static void flood(struct rpc_call *call, const void *message, void *service)
{
    struct rig *g = service;
    struct pl_err err;
    (void)message;
    for (g->flood_sent = 0; send_number(call, 1, 1 << 20); g->flood_sent++)
        assert_true(g->flood_sent < 64);
    (void)pl_fail(&err, PL_EXHAUSTED, NULL, "too slow");
    rpc_fail(call, &err);
}

static void watch(struct rpc_call *call, const void *message, void *service)
{
    assert_true(send_number(call, 1, 0));
    hold(call, message, service);
}

static const struct rpc_method methods[] = {
    { ECHO, RPC_UNARY, NULL, echo, 0 },
    { MESSAGE, RPC_UNARY, &google__rpc__bad_request__descriptor, message_back, 0 },
    { SMALL, RPC_UNARY, NULL, echo, 1024 },
    { FAIL, RPC_UNARY, NULL, answer_failure, 0 },
    { HOLD, RPC_UNARY, NULL, hold, 0 },
    { COUNT, RPC_SERVER_STREAM, &grpc__health__v1__health_check_request__descriptor, count, 0 },
    { FLOOD, RPC_SERVER_STREAM, &grpc__health__v1__health_check_request__descriptor, flood, 0 },
    { WATCH, RPC_SERVER_STREAM, &grpc__health__v1__health_check_request__descriptor, watch, 0 },
    { 0 },
};

/* ---- up and down ---- */

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

void rig_up(struct rig *g)
{
    memset(g, 0, sizeof(*g));
    sem_init(&g->held_event, 0, 0);
    sem_init(&g->cancelled_event, 0, 0);
    sem_init(&g->drained_event, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    snprintf(g->dir, sizeof(g->dir), "/tmp/pl-rpc-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    g->loop = loop_new(1);
    g->metrics = metrics_new();
    g->rpc = rpc_new(g->loop, g->metrics);
    assert_int_equal(pthread_create(&g->thread, NULL, run_loop, g->loop), 0);
}

void rig_enter(struct rig *g)
{
    loop_enter(g->loop);
}

void rig_leave(struct rig *g)
{
    loop_leave(g->loop);
}

void rig_serve_with(struct rig *g, struct rpc_server_options *o)
{
    struct rpc_service service = { "test.Rig", methods, g };
    struct pl_err err = { 0 };
    o->services = &service;
    o->service_count = 1;
    o->descriptor_set = proto_descriptor_set;
    o->descriptor_set_len = proto_descriptor_set_len();
    rig_enter(g);
    enum pl_code code = rpc_server_start(&g->server, g->rpc, o, &err);
    if (code == PL_OK)
        rpc_server_set_serving(g->server, true);
    rig_leave(g);
    if (code != PL_OK)
        fail_msg("server: %s", err.message);
    if (strncmp(o->listen[0], "unix", 4) == 0)
        snprintf(g->address, sizeof(g->address), "%s", o->listen[0]);
    else
        snprintf(g->address, sizeof(g->address), "127.0.0.1:%d", rpc_server_port(g->server, 0));
}

void rig_serve(struct rig *g, const char *listen)
{
    char path[128];
    snprintf(path, sizeof(path), "unix:%s/s.sock", g->dir);
    const char *addresses[] = { listen ? listen : path };
    struct rpc_server_options o = { .listen = addresses, .listen_count = 1 };
    rig_serve_with(g, &o);
}

void rig_serve_local(struct rig *g)
{
    char address[128];
    snprintf(address, sizeof(address), "unix-frames:%s/s.frames", g->dir);
    rig_serve(g, address);
}

void rig_connect(struct rig *g, const struct rpc_channel_options *o)
{
    rig_enter(g);
    g->channel = rpc_channel_new(g->rpc, g->address, o);
    rig_leave(g);
}

static void drained(void *arg)
{
    sem_post(&((struct rig *)arg)->drained_event);
}

void rig_stop_server(struct rig *g, int64_t grace_ms)
{
    rig_enter(g);
    rpc_server_drain(g->server, grace_ms, drained, g);
    rig_leave(g);
    wait_event(&g->drained_event);
    rig_enter(g);
    rpc_server_free(pl_take(g->server));
    rig_leave(g);
}

void rig_down(struct rig *g)
{
    char command[128];
    if (!loop_held(g->loop)) /* it is after a failed assertion */
        rig_enter(g);
    rpc_channel_free(g->channel);
    rig_leave(g);
    if (g->server)
        rig_stop_server(g, 5000);
    rpc_free(g->rpc);
    loop_stop(g->loop);
    pthread_join(g->thread, NULL);
    loop_free(g->loop);
    metrics_free(g->metrics);
    sem_destroy(&g->held_event);
    sem_destroy(&g->cancelled_event);
    sem_destroy(&g->drained_event);
    snprintf(command, sizeof(command), "rm -rf '%s'", g->dir);
    assert_int_equal(system(command), 0);
}

static struct rig fixture;

int rig_fixture_up(void **state)
{
    *state = &fixture;
    rig_up(&fixture);
    rig_serve(&fixture, NULL);
    rig_connect(&fixture, NULL);
    return 0;
}

int rig_fixture_up_local(void **state)
{
    *state = &fixture;
    rig_up(&fixture);
    rig_serve_local(&fixture);
    rig_connect(&fixture, NULL);
    return 0;
}

int rig_fixture_down(void **state)
{
    rig_down(*state);
    return 0;
}

/* ---- requests ---- */

void wait_event(sem_t *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    while (sem_timedwait(s, &until) != 0)
        if (errno != EINTR)
            fail_msg("nothing happened for 20 s");
}

enum pl_code rig_call(struct rig *g, const char *path, const void *bytes, size_t n, struct rpc_bytes **out,
                      struct pl_err *err)
{
    struct rpc_send s = { .path = path, .bytes = rpc_bytes_copy(bytes, n), .timeout_ms = 20000 };
    return rpc_call_wait(g->channel, &s, NULL, out, err);
}

static void on_done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct result *r = arg;
    (void)message;
    r->status = *status;
    r->bytes = bytes ? rpc_bytes_ref(bytes) : NULL;
    r->done_count++;
    sem_post(&r->over);
}

static void on_message(void *arg, const void *message)
{
    struct result *r = arg;
    const ProtobufCMessage *m = message;
    if (m->descriptor == &google__rpc__quota_failure__violation__descriptor)
        r->last = atoi(((const Google__Rpc__QuotaFailure__Violation *)message)->subject);
    else
        r->last = (int)((const Grpc__Health__V1__HealthCheckResponse *)message)->status;
    r->messages++;
    sem_post(&r->message);
}

void result_init(struct result *r)
{
    memset(r, 0, sizeof(*r));
    sem_init(&r->over, 0, 0);
    sem_init(&r->message, 0, 0);
}

void result_done(struct result *r)
{
    assert_int_equal(r->done_count, 1);
    rpc_bytes_unref(r->bytes);
    sem_destroy(&r->over);
    sem_destroy(&r->message);
}

struct rpc_request *rig_send(struct rig *g, const char *path, int64_t timeout_ms, struct result *r)
{
    struct rpc_send s = { .path = path,
                          .bytes = rpc_bytes_copy("ping", 4),
                          .timeout_ms = timeout_ms,
                          .traceparent = "00-abc-def-01",
                          .done = on_done,
                          .arg = r };
    result_init(r);
    rig_enter(g);
    struct rpc_request *q = rpc_send(g->channel, &s);
    assert_int_equal(r->done_count, 0);
    rig_leave(g);
    return q;
}

struct rpc_request *rig_open(struct rig *g, const char *path, const char *service, struct result *r)
{
    Grpc__Health__V1__HealthCheckRequest q = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    bool health = strncmp(path, "/grpc.", 6) == 0;
    q.service = (char *)(uintptr_t)service;
    struct rpc_open o = { .path = path,
                          .message = &q.base,
                          .reply = health ? &grpc__health__v1__health_check_response__descriptor
                                          : &google__rpc__quota_failure__violation__descriptor,
                          .on_message = on_message,
                          .done = on_done,
                          .arg = r };
    result_init(r);
    rig_enter(g);
    struct rpc_request *request = rpc_open(g->channel, &o);
    rig_leave(g);
    return request;
}
