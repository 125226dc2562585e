/* A server: its methods, its calls in flight, and the way it ends.
 *
 * Draining: health goes NOT_SERVING and its watches end, the core is told to shut down (GOAWAY, no new calls), and the
 * calls in flight go on. When the grace is over the core cancels them; their handlers hear it and answer. A second
 * expiry abandons calls whose handlers do not. The server stops when the core reports that all connections are closed
 * and every request for a call has come back; only then 'drained' runs. */
#include "rpc/server.h"

#include "server_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CALLS_IN_FLIGHT 10000
/* A call of which only the headers have come is not in flight yet, and nobody but the core knows of it: so one
 * connection has as many at a time as all may be in flight, and some more, which hear why they are refused. Clients keep
 * the rest to themselves until there is room. */
#define STREAMS_SPARE 100
/* Requests for calls kept with the core, per method: enough that a burst finds a place while the pump is busy. */
#define ARMED_UNARY 8
#define ARMED_OTHER 2
/* The core's own limit stands above ours, so that ours answers first; far beyond it the core refuses before buffering.
 */
#define CORE_LIMIT_SLACK_BYTES ((size_t)1 << 20)
/* What clients have sent and nobody has taken yet, most of it halves of messages whose other halves do not come. Short of
 * it the core gives smaller windows, then closes what is idle, then ends calls. */
#define MAX_RECEIVED_BYTES ((size_t)1 << 30)
/* From the cancellation of calls to giving up on their handlers. */
#define ABANDON_AFTER_MS 1000
/* A client that reads closes its connection as soon as it hears of the drain. One that does not would hold us until the
 * pings give it up. */
#define LINGER_MS 1000
/* A client has this long for TCP, TLS and the HTTP/2 preface. */
#define HANDSHAKE_TIMEOUT_MS 10000

/* ---- start ---- */

static grpc_arg arg_int(const char *key, int value)
{
    return (grpc_arg){ .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value };
}

static grpc_arg arg_quota(grpc_resource_quota *quota)
{
    return (grpc_arg){ .type = GRPC_ARG_POINTER,
                       .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
                       .value.pointer = { quota, grpc_resource_quota_arg_vtable() } };
}

static grpc_server *core_new(const struct rpc_server *s, const struct rpc_server_options *o)
{
    size_t largest = 0;
    for (size_t i = 0; i < s->method_count; i++)
        if (s->methods[i].max_request_bytes > largest)
            largest = s->methods[i].max_request_bytes;
    grpc_resource_quota *quota = grpc_resource_quota_create("server");
    grpc_resource_quota_resize(quota, o->max_received_bytes ? o->max_received_bytes : MAX_RECEIVED_BYTES);
    grpc_arg args[] = {
        arg_quota(quota),
        arg_int(GRPC_ARG_ALLOW_REUSEPORT, 0),
        arg_int(GRPC_ARG_ENABLE_CHANNELZ, 0),
        arg_int(GRPC_ARG_MAX_CONCURRENT_STREAMS, (int)s->max_in_flight + STREAMS_SPARE),
        arg_int(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)(largest + CORE_LIMIT_SLACK_BYTES)),
        arg_int(GRPC_ARG_MAX_METADATA_SIZE, RPC_MAX_METADATA_BYTES),
        arg_int(GRPC_ARG_KEEPALIVE_TIME_MS, RPC_PING_TIME_MS),
        arg_int(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, RPC_PING_TIMEOUT_MS),
        arg_int(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        arg_int(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        arg_int(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, RPC_PING_MIN_MS),
        arg_int(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        arg_int(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, RPC_WINDOW_BYTES),
        arg_int(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS),
    };
    grpc_channel_args list = { PL_COUNT(args), args };
    grpc_server *core = grpc_server_create(&list, NULL);
    grpc_resource_quota_unref(quota);
    return core;
}

static void add_metrics(const struct rpc_server *s, struct server_method *m)
{
    struct metrics *all = rpc_metrics(s->rpc);
    if (!all)
        return;
    struct pl_buf label = PL_BUF_INIT(1024);
    metrics_label(&label, "method", m->row ? m->row->path : "other");
    m->seconds = metrics_histogram(all, "rpc_server_seconds", label.data, "Time from a call's arrival to its answer.");
    pl_buf_done(&label);
}

static void add_service(struct rpc_server *s, const struct rpc_service *service, size_t default_limit, bool exempt)
{
    for (const struct rpc_method *row = service->methods; row->path; row++) {
        struct server_method *m = &s->methods[s->method_count++];
        m->row = row;
        m->service = service->context;
        m->max_request_bytes = row->max_request_bytes ? row->max_request_bytes : default_limit;
        m->exempt = exempt;
        add_metrics(s, m);
    }
}

static size_t count_methods(const struct rpc_service *service)
{
    size_t n = 0;
    while (service->methods[n].path)
        n++;
    return n;
}

/* All tables into one, the room's own services behind them; the entry after the last stays without a row. */
static void add_services(struct rpc_server *s, const struct rpc_server_options *o)
{
    size_t limit = o->max_message_bytes ? o->max_message_bytes : RPC_MAX_MESSAGE_BYTES;
    size_t count = count_methods(health_service(s->health));
    for (size_t i = 0; i < o->service_count; i++)
        count += count_methods(&o->services[i]);
    for (unsigned i = 0; s->reflection && i < REFLECTION_SERVICES; i++)
        count += count_methods(reflection_service(s->reflection, i));
    s->methods = pl_new0(count + 1, sizeof(*s->methods));
    for (size_t i = 0; i < o->service_count; i++)
        add_service(s, &o->services[i], limit, false);
    add_service(s, health_service(s->health), limit, true);
    for (unsigned i = 0; s->reflection && i < REFLECTION_SERVICES; i++)
        add_service(s, reflection_service(s->reflection, i), limit, false);
    add_metrics(s, &s->methods[s->method_count]);
}

static enum pl_code register_methods(struct rpc_server *s, struct pl_err *err)
{
    for (size_t i = 0; i < s->method_count; i++) {
        struct server_method *m = &s->methods[i];
        m->registered = grpc_server_register_method(
            s->core, m->row->path, NULL,
            m->row->kind == RPC_BIDI_STREAM ? GRPC_SRM_PAYLOAD_NONE : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
        if (!m->registered)
            return pl_fail(err, PL_INTERNAL, NULL, "method '%s' is in two tables", m->row->path);
    }
    return PL_OK;
}

static void arm_all(struct rpc_server *s)
{
    for (size_t i = 0; i <= s->method_count; i++) {
        struct server_method *m = &s->methods[i];
        unsigned n = m->row && m->row->kind == RPC_UNARY ? ARMED_UNARY : ARMED_OTHER;
        while (n-- > 0)
            call_arm(s, m);
    }
}

static void server_shut(struct rpc_completion *done, bool ok);
static void server_grace_over(struct loop_timer *t);
static void server_tell(struct loop_task *t);

enum pl_code rpc_server_start(struct rpc_server **out, struct rpc *r, const struct rpc_server_options *o,
                              struct pl_err *err)
{
    struct rpc_server *s = PL_NEW(struct rpc_server);
    list_init(&s->calls);
    s->rpc = r;
    s->shut.done = server_shut;
    s->grace.fire = server_grace_over;
    s->tell.run = server_tell;
    s->max_in_flight = o->max_calls_in_flight ? o->max_calls_in_flight : MAX_CALLS_IN_FLIGHT;
    s->ports = pl_new0(o->listen_count + 1, sizeof(*s->ports));
    s->port_count = o->listen_count;
    s->health = health_new(o);
    unsent_init(s, o);
    rpc_hold(r);
    if (o->descriptor_set && reflection_new(&s->reflection, o, err) != PL_OK) {
        s->state = SERVER_STOPPED;
        rpc_server_free(s);
        return err->code;
    }
    add_services(s, o);
    if (rpc_metrics(r))
        s->in_flight_gauge = metrics_gauge(rpc_metrics(r), "rpc_server_in_flight", NULL,
                                           "Calls that await their answer or its delivery.");
    s->core = core_new(s, o);
    grpc_server_register_completion_queue(s->core, rpc_queue(r), NULL);
    enum pl_code code = register_methods(s, err);
    if (code == PL_OK)
        code = server_listen(s, o, s->ports, err);
    grpc_server_start(s->core); /* also after a failure: the core ends only what has begun */
    if (code != PL_OK) {
        rpc_server_free(s);
        return code;
    }
    arm_all(s);
    *out = s;
    return PL_OK;
}

int rpc_server_port(const struct rpc_server *s, size_t i)
{
    return i < s->port_count ? s->ports[i] : 0;
}

void rpc_server_set_serving(struct rpc_server *s, bool serving)
{
    if (s->state == SERVER_SERVING)
        health_set(s->health, serving);
}

/* ---- calls ---- */

void server_call_added(struct rpc_server *s, struct rpc_call *c)
{
    list_push_back(&s->calls, &c->link);
    s->in_flight++;
    if (s->in_flight_gauge)
        metrics_move(s->in_flight_gauge, 1);
}

/* Draining, and the last call has ended: what is left is connections. */
static void server_linger(struct rpc_server *s)
{
    int64_t at_ms = pl_now_ms() + LINGER_MS;
    if (s->state == SERVER_DRAINING && s->in_flight == 0 && !s->cancelled && at_ms < s->grace.at_ms)
        loop_timer_set(rpc_loop(s->rpc), &s->grace, at_ms);
}

void server_call_removed(struct rpc_server *s, struct rpc_call *c)
{
    list_remove(&c->link);
    s->in_flight--;
    server_linger(s);
    if (s->in_flight_gauge)
        metrics_move(s->in_flight_gauge, -1);
}

static struct metrics_counter *new_counter(const struct rpc_server *s, const struct server_method *m,
                                           grpc_status_code status)
{
    struct pl_buf labels = PL_BUF_INIT(1024);
    metrics_label(&labels, "method", m->row ? m->row->path : "other");
    metrics_label(&labels, "code", rpc_status_name(status));
    struct metrics_counter *c = metrics_counter(rpc_metrics(s->rpc), "rpc_server_calls_total", labels.data,
                                                "Calls answered, by method and gRPC status.");
    pl_buf_done(&labels);
    return c;
}

void server_count(struct rpc_server *s, struct server_method *m, grpc_status_code status, int64_t us)
{
    if (!m->seconds)
        return;
    metrics_observe_us(m->seconds, us);
    assert((unsigned)status < RPC_STATUS_COUNT);
    if (!m->by_status[status])
        m->by_status[status] = new_counter(s, m, status);
    metrics_add(m->by_status[status], 1);
}

/* ---- drain, stop, free ---- */

static void server_destroy(struct rpc_server *s)
{
    struct rpc *r = s->rpc;
    unsent_done(s);
    if (s->core)
        grpc_server_destroy(s->core);
    local_server_free(s);
    health_free(s->health);
    reflection_free(s->reflection);
    free(s->methods);
    free(s->ports);
    free(s);
    rpc_release(r);
}

void server_check_stopped(struct rpc_server *s)
{
    if (s->state != SERVER_DRAINING || !s->shut_done || s->armed > 0 || s->in_flight > 0 || !local_server_idle(s))
        return;
    s->state = SERVER_STOPPED;
    loop_timer_clear(rpc_loop(s->rpc), &s->grace);
    if (s->free_when_stopped) {
        server_destroy(s);
        return;
    }
    s->telling = true; /* later: this may be inside a handler's rpc_reply() */
    loop_post(rpc_loop(s->rpc), &s->tell);
}

static void server_tell(struct loop_task *t)
{
    struct rpc_server *s = PL_CONTAINER(t, struct rpc_server, tell);
    s->telling = false;
    if (s->free_when_stopped) {
        server_destroy(s);
        return;
    }
    if (s->drained)
        s->drained(s->drained_arg); /* may free 's' */
}

static void server_shut(struct rpc_completion *done, bool ok)
{
    struct rpc_server *s = PL_CONTAINER(done, struct rpc_server, shut);
    (void)ok;
    s->shut_done = true;
    server_check_stopped(s);
}

static void server_cancel_all(struct rpc_server *s)
{
    s->cancelled = true;
    grpc_server_cancel_all_calls(s->core);
    loop_timer_set(rpc_loop(s->rpc), &s->grace, pl_now_ms() + ABANDON_AFTER_MS);
    local_server_cancel(s);
    server_check_stopped(s);
}

static void server_abandon_all(struct rpc_server *s)
{
    list_each_safe(it, &s->calls)
    {
        struct rpc_call *c = list_entry(it, struct rpc_call, link);
        if (c->gone && !c->answered && c->refs == 1)
            call_abandon(c);
    }
    if (s->in_flight > 0)
        loop_timer_set(rpc_loop(s->rpc), &s->grace, pl_now_ms() + ABANDON_AFTER_MS);
    server_check_stopped(s);
}

static void server_grace_over(struct loop_timer *t)
{
    struct rpc_server *s = PL_CONTAINER(t, struct rpc_server, grace);
    if (!s->cancelled)
        server_cancel_all(s);
    else
        server_abandon_all(s);
}

void rpc_server_drain(struct rpc_server *s, int64_t grace_ms, void (*drained)(void *arg), void *arg)
{
    assert(s->state == SERVER_SERVING && "a server drains once");
    s->drained = drained;
    s->drained_arg = arg;
    health_set(s->health, false);
    s->state = SERVER_DRAINING;
    health_close(s->health);
    local_server_drain(s);
    grpc_server_shutdown_and_notify(s->core, rpc_queue(s->rpc), &s->shut);
    loop_timer_set(rpc_loop(s->rpc), &s->grace, pl_now_ms() + grace_ms);
    server_linger(s);
}

void rpc_server_free(struct rpc_server *s)
{
    if (!s)
        return;
    if (s->state == SERVER_STOPPED && !s->telling) {
        server_destroy(s);
        return;
    }
    /* Freed in flight: the pump finishes it. */
    s->free_when_stopped = true;
    if (s->state == SERVER_SERVING)
        rpc_server_drain(s, 0, NULL, NULL);
    s->drained = NULL;
    if (s->state == SERVER_DRAINING && !s->cancelled)
        server_cancel_all(s);
}
