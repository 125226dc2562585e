#include "upstream.h"

#include "base/mem.h"
#include "base/time.h"
#include "gateway.h"
#include "gateway_config.h"
#include "loop/loop.h"
#include "rpc/client.h"

#include <stdlib.h>

struct upstream {
    struct rpc_channel *channels[2];
};

static struct rpc_channel *open_channel(struct rpc *r, const char *target, const struct gateway_config *config)
{
    struct rpc_channel_options options = { 0 };
    if (*config->upstream_ca_file)
        options.tls = (struct rpc_tls){ .ca_file = config->upstream_ca_file,
                                        .cert_file = *config->upstream_cert_file ? config->upstream_cert_file : NULL,
                                        .key_file = *config->upstream_key_file ? config->upstream_key_file : NULL };
    struct rpc_channel *c = rpc_channel_new(r, target, &options);
    rpc_channel_connect(c);
    return c;
}

struct upstream *upstream_open(struct rpc *r, const struct gateway_config *config)
{
    struct upstream *u = PL_NEW(struct upstream);
    u->channels[UPSTREAM_CONTROL] = open_channel(r, config->control, config);
    u->channels[UPSTREAM_ROUTER] = open_channel(r, config->router, config);
    return u;
}

void upstream_close(struct upstream *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < PL_COUNT(u->channels); i++)
        rpc_channel_free(u->channels[i]);
    free(u);
}

bool upstream_ready(struct upstream *u)
{
    return rpc_channel_ready(u->channels[UPSTREAM_CONTROL]) && rpc_channel_ready(u->channels[UPSTREAM_ROUTER]);
}

/* ---- a peer that is not there yet ---- */

/* The gateway starts beside control and router, and may be the first that is called. */
struct upstream_wait {
    struct loop_timer timer;
    struct aws_call *call;
    enum upstream_peer peer;
    bool over;
};

static int64_t patience_ms(const struct aws_call *c)
{
    return c->gateway->config->upstream_connect_ms;
}

/* Connected by now: the call's own deadline holds. */
static void waited(struct loop_timer *t)
{
    struct upstream_wait *w = PL_CONTAINER(t, struct upstream_wait, timer);
    if (rpc_channel_ready(w->call->gateway->upstream->channels[w->peer]))
        return;
    w->over = true;
    upstream_cancel(w->call);
}

/* True: the connection is not there, and the call may wait for it. */
static bool wait_for(struct aws_call *c, enum upstream_peer peer)
{
    c->upstream_wait = NULL;
    if (rpc_channel_ready(c->gateway->upstream->channels[peer]) || patience_ms(c) == 0)
        return false;
    c->upstream_wait = ARENA_NEW(c->arena, struct upstream_wait);
    *c->upstream_wait = (struct upstream_wait){ .timer.fire = waited, .call = c, .peer = peer };
    loop_timer_set(c->gateway->loop, &c->upstream_wait->timer, pl_now_ms() + patience_ms(c));
    return true;
}

/* 'status', or what there is to say when it was given up. */
static const struct pl_err *outcome(struct aws_call *c, const struct pl_err *status, struct pl_err *unreachable)
{
    struct upstream_wait *w = c->upstream_wait;
    c->upstream = NULL;
    if (!w)
        return status;
    loop_timer_clear(c->gateway->loop, &w->timer);
    c->upstream_wait = NULL;
    if (!w->over || status->code == PL_OK)
        return status;
    (void)pl_fail(unreachable, PL_UNAVAILABLE, NULL,
                  "%s cannot be reached (waited %lld ms for it, upstream_connect_timeout); try again later",
                  w->peer == UPSTREAM_CONTROL ? "control" : "the router", (long long)patience_ms(c));
    return unreachable;
}

/* ---- calls ---- */

static void done_message(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct aws_call *c = arg;
    struct pl_err unreachable;
    (void)bytes;
    status = outcome(c, status, &unreachable);
    c->upstream_done(c, status, message);
}

static void done_bytes(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct aws_call *c = arg;
    struct pl_err unreachable;
    (void)message;
    status = outcome(c, status, &unreachable);
    c->upstream_bytes_done(c, status, bytes);
}

void upstream_send(struct aws_call *c, enum upstream_peer peer, const char *path, const ProtobufCMessage *message,
                   const ProtobufCMessageDescriptor *reply,
                   void (*done)(struct aws_call *c, const struct pl_err *status, const void *reply))
{
    const struct rpc_send send = { .path = path,
                                   .message = message,
                                   .reply = reply,
                                   .wait_for_ready = wait_for(c, peer),
                                   .done = done_message,
                                   .arg = c };
    c->upstream_done = done;
    c->upstream = rpc_send(c->gateway->upstream->channels[peer], &send);
    if (c->client_gone)
        upstream_cancel(c);
}

void upstream_send_bytes(struct aws_call *c, enum upstream_peer peer, const char *path, struct rpc_bytes *bytes,
                         int64_t timeout_ms,
                         void (*done)(struct aws_call *c, const struct pl_err *status, struct rpc_bytes *reply))
{
    const struct rpc_send send = {
        .path = path,
        .bytes = bytes,
        .timeout_ms = timeout_ms,
        .wait_for_ready = wait_for(c, peer),
        .done = done_bytes,
        .arg = c,
        .traceparent = http_header(c->http, "traceparent"),
    };
    c->upstream_bytes_done = done;
    c->upstream = rpc_send(c->gateway->upstream->channels[peer], &send);
}

void upstream_cancel(struct aws_call *c)
{
    if (c->upstream)
        rpc_cancel(c->upstream);
}
