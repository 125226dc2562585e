#include "upstream.h"

#include "base/mem.h"
#include "gateway.h"
#include "gateway_config.h"
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

static void done_message(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct aws_call *c = arg;
    (void)bytes;
    c->upstream = NULL;
    c->upstream_done(c, status, message);
}

static void done_bytes(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct aws_call *c = arg;
    (void)message;
    c->upstream = NULL;
    c->upstream_bytes_done(c, status, bytes);
}

void upstream_send(struct aws_call *c, enum upstream_peer peer, const char *path, const ProtobufCMessage *message,
                   const ProtobufCMessageDescriptor *reply,
                   void (*done)(struct aws_call *c, const struct pl_err *status, const void *reply))
{
    const struct rpc_send send = { .path = path, .message = message, .reply = reply, .done = done_message, .arg = c };
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
