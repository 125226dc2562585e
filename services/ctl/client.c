#include "client.h"

#include "args.h"
#include "base/mem.h"
#include "base/text.h"
#include "exits.h"
#include "loop/loop.h"
#include "rpc/client.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct client {
    struct loop *loop;
    struct rpc *rpc;
    struct rpc_channel *channels[2]; /* by enum client_server */
    pthread_t thread;
    struct loop_task started; /* the loop runs: from here on the main thread holds no turn */
    sem_t running;
};

static const char *const server_names[] = { [CLIENT_ROUTER] = "the router", [CLIENT_CONTROL] = "control" };

/* ---- addresses ---- */

static const char *option_or_env(const struct args *a, const char *option, const char *variable)
{
    const char *text = args_text(a, option);
    if (!text)
        text = getenv(variable);
    return text && *text ? text : NULL;
}

/* "HOST", "HOST:PORT", "[::1]:PORT" -> host with its brackets, port. */
static enum pl_code split_server(const char *text, char **out_host, int64_t *out_port, struct pl_err *err)
{
    const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
    bool has_port = colon && (bracket ? colon > bracket : strchr(text, ':') == colon);
    *out_port = CLIENT_DEFAULT_PORT;
    if (!strncmp(text, "unix:", 5) || strstr(text, "://") || !*text || *text == ':')
        return pl_fail(err, PL_INVALID, "server",
                       "server '%.200s' is not HOST or HOST:PORT (--router and --control take unix:PATH)", text);
    if (has_port && !pl_parse_i64(colon + 1, 1, 65522, out_port))
        return pl_fail(err, PL_INVALID, "server", "server '%.200s': the port must be 1..65522", text);
    size_t n = has_port ? (size_t)(colon - text) : strlen(text);
    *out_host = pl_strndup(text, n);
    return PL_OK;
}

enum pl_code client_targets_read(struct client_targets *out, const struct args *a, struct pl_err *err)
{
    const char *server = option_or_env(a, "server", "PILOTLIGHT_SERVER");
    const char *router = option_or_env(a, "router", "PILOTLIGHT_ROUTER");
    const char *control = option_or_env(a, "control", "PILOTLIGHT_CONTROL");
    pl_cleanup(pl_free_p) char *host = NULL;
    int64_t port;
    if (split_server(server ? server : "127.0.0.1", &host, &port, err) != PL_OK)
        return err->code;
    *out = (struct client_targets){
        .router = router ? pl_strdup(router) : pl_format("%s:%lld", host, (long long)port + 1),
        .control = control ? pl_strdup(control) : pl_format("%s:%lld", host, (long long)port + 2),
        .tls_ca = args_text(a, "tls-ca"),
        .tls_cert = args_text(a, "tls-cert"),
        .tls_key = args_text(a, "tls-key"),
    };
    return PL_OK;
}

void client_targets_done(struct client_targets *t)
{
    free(t->router);
    free(t->control);
}

/* ---- runtime ---- */

static void on_started(struct loop_task *t)
{
    sem_post(&PL_CONTAINER(t, struct client, started)->running);
}

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

struct client *client_new(const struct client_targets *t)
{
    struct client *c = PL_NEW(struct client);
    struct rpc_channel_options o = { .tls = {
                                         .ca_file = t->tls_ca, .cert_file = t->tls_cert, .key_file = t->tls_key } };
    c->loop = loop_new(0);
    c->rpc = rpc_new(c->loop, NULL);
    c->channels[CLIENT_ROUTER] = rpc_channel_new(c->rpc, t->router, &o);
    c->channels[CLIENT_CONTROL] = rpc_channel_new(c->rpc, t->control, &o);
    c->started.run = on_started;
    sem_init(&c->running, 0, 0);
    loop_post(c->loop, &c->started);
    if (pthread_create(&c->thread, NULL, run_loop, c->loop) != 0)
        pl_die("cannot start a thread");
    while (sem_wait(&c->running) != 0)
        continue;
    return c;
}

struct client *client_open(const struct args *a)
{
    struct client_targets t;
    struct pl_err err;
    if (client_targets_read(&t, a, &err) != PL_OK) {
        (void)exit_report_input(&err);
        return NULL;
    }
    struct client *c = client_new(&t);
    client_targets_done(&t);
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    loop_enter(c->loop);
    rpc_channel_free(c->channels[CLIENT_ROUTER]);
    rpc_channel_free(c->channels[CLIENT_CONTROL]);
    loop_leave(c->loop);
    loop_stop(c->loop);
    pthread_join(c->thread, NULL);
    rpc_free(c->rpc);
    loop_free(c->loop);
    sem_destroy(&c->running);
    free(c);
}

void client_free_p(struct client **c)
{
    client_free(*c);
}

struct loop *client_loop(struct client *c)
{
    return c->loop;
}

struct rpc_channel *client_channel(struct client *c, enum client_server server)
{
    return c->channels[server];
}

/* The transport's own word, and none of a server's. */
static bool is_unanswered(const struct pl_err *err)
{
    return err->code == PL_UNAVAILABLE && (!*err->reason || strcmp(err->reason, RPC_NOT_SENT) == 0);
}

/* What the C core says when there was no server to answer. */
static bool is_unconnected(const struct pl_err *err)
{
    return is_unanswered(err) &&
           (strcasestr(err->message, "failed to connect") || strcasestr(err->message, "DNS resolution failed"));
}

enum pl_code client_explain(struct client *c, enum client_server server, struct pl_err *err)
{
    const char *target = rpc_channel_target(c->channels[server]);
    if (is_unconnected(err))
        return pl_fail(err, PL_UNAVAILABLE, NULL,
                       "cannot reach %s at %s; is `pilotlight up` running there? (--server, PILOTLIGHT_SERVER)",
                       server_names[server], target);
    if (err->code == PL_DEADLINE && !*err->reason) /* nobody said so but our own clock */
        return pl_fail(err, PL_DEADLINE, NULL, "%s at %s gave no answer in time", server_names[server], target);
    if (is_unanswered(err))
        return pl_err_prefix(err, "%s at %s", server_names[server], target);
    return err->code;
}

enum pl_code client_call(struct client *c, enum client_server server, const char *path, const ProtobufCMessage *request,
                         const ProtobufCMessageDescriptor *reply, int64_t timeout_ms, ProtobufCMessage **out_reply,
                         struct pl_err *err)
{
    struct rpc_send send = { .path = path, .message = request, .reply = reply, .timeout_ms = timeout_ms };
    void *message = NULL;
    if (rpc_call_wait(c->channels[server], &send, &message, NULL, err) != PL_OK)
        return client_explain(c, server, err);
    *out_reply = message;
    return PL_OK;
}
