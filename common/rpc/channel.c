#include "client_private.h"

#include "local_link.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <grpc/grpc_security.h>
#include <grpc/grpc_security_constants.h>
#include <stdlib.h>
#include <string.h>

/* Between attempts to connect. The core doubles no faster than 1.6 times, jitters by a fifth, and begins at 100 ms at
 * least. */
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS  5000
/* An attempt itself: a host that swallows packets must not hold calls for the core's default of 20 s. */
#define CONNECT_TIMEOUT_MS 5000

/* ---- new ---- */

static grpc_arg arg_int(const char *key, int value)
{
    return (grpc_arg){ .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value };
}

static grpc_arg arg_string(const char *key, const char *value)
{
    return (
        grpc_arg){ .type = GRPC_ARG_STRING, .key = (char *)(uintptr_t)key, .value.string = (char *)(uintptr_t)value };
}

static grpc_channel *core_new(const char *target, const struct rpc_channel_options *o, size_t max_message_bytes,
                              grpc_channel_credentials *credentials)
{
    grpc_arg args[20] = {
        arg_int(GRPC_ARG_ENABLE_RETRIES, 0),
        arg_int(GRPC_ARG_ENABLE_CHANNELZ, 0),
        arg_int(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        arg_int(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        arg_int(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1), /* a channel is a connection of its own */
        arg_int(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
        arg_int(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MOST_MS),
        arg_int(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS),
        arg_int(GRPC_ARG_KEEPALIVE_TIME_MS, RPC_PING_TIME_MS),
        arg_int(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, RPC_PING_TIMEOUT_MS),
        arg_int(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        arg_int(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        arg_int(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, RPC_WINDOW_BYTES),
        arg_int(GRPC_ARG_MAX_METADATA_SIZE, RPC_MAX_METADATA_BYTES),
        arg_int(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, o->internal ? -1 : (int)max_message_bytes),
    };
    size_t count = 15;
    if (o->internal) {
        args[count++] = arg_int(GRPC_ARG_MINIMAL_STACK, 1);
        args[count++] = arg_int(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1); /* the minimal stack leaves them to the peer */
    }
    if (o->tls.server_name && o->tls.server_name[0])
        args[count++] = arg_string(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, o->tls.server_name);
    grpc_channel_args list = { count, args };
    return grpc_channel_create(target, credentials, &list);
}

static void channel_changed(struct rpc_completion *done, bool ok);

struct rpc_channel *rpc_channel_new(struct rpc *r, const char *target, const struct rpc_channel_options *o)
{
    static const struct rpc_channel_options defaults;
    o = o ? o : &defaults;
    struct rpc_channel *c = PL_NEW(struct rpc_channel);
    struct pl_err err;
    c->rpc = r;
    c->refs = 1;
    c->target = pl_strdup(target);
    c->changed.done = channel_changed;
    c->max_message_bytes = o->max_message_bytes ? o->max_message_bytes : RPC_MAX_MESSAGE_BYTES;
    list_init(&c->requests);
    rpc_hold(r);
    if (local_path(target)) {
        local_channel_open(c, local_path(target));
        return c;
    }
    bool tls = rpc_tls_enabled(&o->tls) && strncmp(target, "unix:", 5) != 0;
    grpc_channel_credentials *credentials = tls ? rpc_tls_client(&o->tls, &err) : grpc_insecure_credentials_create();
    if (!credentials) {
        c->core = grpc_lame_client_channel_create(target, GRPC_STATUS_FAILED_PRECONDITION, err.message);
        return c;
    }
    c->core = core_new(target, o, c->max_message_bytes, credentials);
    grpc_channel_credentials_release(credentials);
    return c;
}

/* ---- free ---- */

void channel_unref(struct rpc_channel *c)
{
    struct rpc *r = c->rpc;
    if (--c->refs > 0)
        return;
    if (c->local)
        local_channel_done(c);
    free(c->target);
    free(c);
    rpc_release(r);
}

void rpc_channel_free(struct rpc_channel *c)
{
    if (!c)
        return;
    list_each(it, &c->requests) rpc_cancel(list_entry(it, struct rpc_request, link));
    if (c->local)
        local_channel_close(c);
    else
        grpc_channel_destroy(c->core); /* also wakes the watch */
    c->core = NULL;
    channel_unref(c);
}

/* ---- connection ---- */

/* Once asked to connect, a channel connects again whenever it has lost its connection, so that no call has to wait for
 * it. */
static void channel_watch(struct rpc_channel *c)
{
    grpc_connectivity_state now = grpc_channel_check_connectivity_state(c->core, 1);
    if (now == GRPC_CHANNEL_SHUTDOWN || !grpc_channel_support_connectivity_watcher(c->core))
        return;
    c->watching = true;
    c->refs++;
    grpc_channel_watch_connectivity_state(c->core, now, gpr_inf_future(GPR_CLOCK_MONOTONIC), rpc_queue(c->rpc),
                                          &c->changed);
}

static void channel_changed(struct rpc_completion *done, bool ok)
{
    struct rpc_channel *c = PL_CONTAINER(done, struct rpc_channel, changed);
    (void)ok;
    c->watching = false;
    if (c->core)
        channel_watch(c);
    channel_unref(c);
}

void rpc_channel_connect(struct rpc_channel *c)
{
    if (c->local)
        local_channel_connect(c);
    else if (!c->watching)
        channel_watch(c);
}

bool rpc_channel_ready(struct rpc_channel *c)
{
    if (c->local)
        return local_channel_ready(c);
    return grpc_channel_check_connectivity_state(c->core, 0) == GRPC_CHANNEL_READY;
}

const char *rpc_channel_target(const struct rpc_channel *c)
{
    return c->target;
}
