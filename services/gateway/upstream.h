/* upstream - calls to control and routers on behalf of AWS calls.
 *
 * One callback per call, with the turn, never from inside upstream_send(). When the client has gone the call upstream
 * is cancelled, and the callback still comes. Connections are opened at start, so that the first call finds them; a
 * call that comes before they are there waits for them, up to upstream_connect_timeout, and is then told who cannot be
 * reached. */
#ifndef GATEWAY_UPSTREAM_H
#define GATEWAY_UPSTREAM_H

#include "aws_call.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

struct gateway_config;
struct rpc;
struct rpc_bytes;
struct upstream;

enum upstream_peer { UPSTREAM_CONTROL, UPSTREAM_ROUTER };

struct upstream *upstream_open(struct rpc *r, const struct gateway_config *config);
void upstream_close(struct upstream *u); /* NULL is fine */
bool upstream_ready(struct upstream *u);

/* 'path' is a literal. 'reply' comes to 'done' unpacked when status->code is PL_OK. 'message' is not kept. */
void upstream_send(struct aws_call *c, enum upstream_peer peer, const char *path, const ProtobufCMessage *message,
                   const ProtobufCMessageDescriptor *reply,
                   void (*done)(struct aws_call *c, const struct pl_err *status, const void *reply));
/* The same with bytes both ways, for payloads; consumes 'bytes'. 'timeout_ms' as in rpc/client.h. */
void upstream_send_bytes(struct aws_call *c, enum upstream_peer peer, const char *path, struct rpc_bytes *bytes,
                         int64_t timeout_ms,
                         void (*done)(struct aws_call *c, const struct pl_err *status, struct rpc_bytes *reply));
void upstream_cancel(struct aws_call *c);

#define UPSTREAM_V1(service, method) "/pilotlight.v1." service "/" method

#endif
