/* client - the two servers that commands talk to, and calls that wait.
 *
 * The runtime's loop runs on a thread of its own; commands run on the main thread and hold no turn, so waiting calls
 * are simple. What must overlap (`invoke --concurrency`) takes the turn itself: see invoke_run.c. Errors: a failure to
 * connect names the server, its address and what to check. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/err.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct args;
struct client;
struct loop;
struct rpc_channel;

enum client_server { CLIENT_ROUTER, CLIENT_CONTROL };

#define CLIENT_DEFAULT_PORT 8080
#define CLIENT_CALL_MS      30000 /* deadline of a call to control, and of lists */

struct client_targets {
    char *router, *control;                  /* "HOST:PORT", "unix:PATH" */
    const char *tls_ca, *tls_cert, *tls_key; /* of the arguments; NULL = none. Any of them turns TLS on */
};

/* From the options of command_server_options and the environment. PL_INVALID: an address that is none. */
PL_MUST_CHECK enum pl_code client_targets_read(struct client_targets *out, const struct args *a, struct pl_err *err);
void client_targets_done(struct client_targets *t);

/* Connects when first used. */
struct client *client_new(const struct client_targets *t);
/* As the two above; NULL after telling on stderr. */
struct client *client_open(const struct args *a);
void client_free(struct client *c); /* NULL is fine */
void client_free_p(struct client **c);

struct loop *client_loop(struct client *c);
struct rpc_channel *client_channel(struct client *c, enum client_server server);
/* Makes a failure to connect readable; others stay as they are. Returns err->code. */
enum pl_code client_explain(struct client *c, enum client_server server, struct pl_err *err);

/* One call, waited for. '*out_reply' is the caller's, message_free(). 'path' must be a static string. */
PL_MUST_CHECK enum pl_code client_call(struct client *c, enum client_server server, const char *path,
                                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply,
                                       int64_t timeout_ms, ProtobufCMessage **out_reply, struct pl_err *err);

/* A stream, waited for: 'on_message' gets each message on another thread, with the turn; when it returns false the
 * stream is ended, and that is PL_OK. 'timeout_ms' 0 = none. */
PL_MUST_CHECK enum pl_code client_stream(struct client *c, enum client_server server, const char *path,
                                         const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply,
                                         int64_t timeout_ms, bool (*on_message)(void *arg, const void *message),
                                         void *arg, struct pl_err *err);

#endif
