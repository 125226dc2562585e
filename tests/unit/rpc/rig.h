/* rig - a server and a client of common/rpc in one process, and a small service to call.
 *
 * Tests run on the main thread without the turn; the loop has a thread of its own. What the service did last is in the
 * rig and read with the turn. Waiting is for events, with a deadline that only a hang reaches. */
#ifndef TESTS_RPC_RIG_H
#define TESTS_RPC_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc/client.h"
#include "rpc/server.h"

#include <pthread.h>
#include <semaphore.h>

#define ECHO    "/test.Rig/Echo"    /* raw: answers with the bytes of the request                        */
#define MESSAGE "/test.Rig/Message" /* google.rpc.BadRequest: answers with the request                   */
#define SMALL   "/test.Rig/Small"   /* raw: at most 1024 bytes                                           */
#define FAIL    "/test.Rig/Fail"    /* answers with rig.failure                                          */
#define HOLD    "/test.Rig/Hold"    /* keeps the call in rig.held; posts 'held', 'cancelled'             */
#define COUNT   "/test.Rig/Count"   /* stream: as many messages as the request's 'service' says, then OK */
#define FLOOD   "/test.Rig/Flood"   /* stream: 1 MiB messages until the queue is full, then PL_EXHAUSTED */
#define WATCH   "/test.Rig/Watch"   /* stream: one message, then kept in rig.held                        */

struct rig {
    struct loop *loop;
    pthread_t thread;
    struct metrics *metrics;
    struct rpc *rpc;
    struct rpc_server *server;
    struct rpc_channel *channel;
    char dir[64];
    char address[128];
    struct pl_err failure;
    struct rpc_call *held;
    sem_t held_event, cancelled_event, drained_event;
    unsigned cancelled_count;
    unsigned flood_sent;
    int64_t time_left_ms;
    char trace[64];
    char peer[128];
};

/* What a request ended with. */
struct result {
    sem_t over;
    struct pl_err status;
    struct rpc_bytes *bytes;
    unsigned done_count;
    unsigned messages;
    sem_t message;
    int last; /* health status, or the number in the last message */
};

void rig_up(struct rig *g);                                       /* runtime, loop thread, directory; no server */
void rig_serve(struct rig *g, const char *listen);                /* NULL: unix socket in the directory         */
void rig_serve_local(struct rig *g);                              /* the local transport, in the directory */
void rig_serve_with(struct rig *g, struct rpc_server_options *o); /* adds the service                       */
void rig_connect(struct rig *g, const struct rpc_channel_options *o);
void rig_stop_server(struct rig *g, int64_t grace_ms);
void rig_down(struct rig *g);
/* cmocka's fixtures: the state is a rig with a server on its socket and a channel to it. */
int rig_fixture_up(void **state);
int rig_fixture_up_local(void **state); /* the same over the local transport */
int rig_fixture_down(void **state);
void rig_enter(struct rig *g);
void rig_leave(struct rig *g);

void wait_event(sem_t *s); /* fails the test after 20 s */
/* A blocking raw call. */
enum pl_code rig_call(struct rig *g, const char *path, const void *bytes, size_t n, struct rpc_bytes **out,
                      struct pl_err *err);
/* An asynchronous raw call. */
struct rpc_request *rig_send(struct rig *g, const char *path, int64_t timeout_ms, struct result *r);
struct rpc_request *rig_open(struct rig *g, const char *path, const char *service, struct result *r);
void result_init(struct result *r);
void result_done(struct result *r);

#endif
