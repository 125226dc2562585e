/* server_private - a server and a call as the files server*.c, stream.c, health.c and reflection.c see them. */
#ifndef RPC_SERVER_PRIVATE_H
#define RPC_SERVER_PRIVATE_H

#include "core.h"
#include "rpc/server.h"

#include "base/list.h"
#include "loop/loop.h"
#include "metrics/metrics.h"

#define RPC_STATUS_COUNT 17 /* gRPC's codes, OK to UNAUTHENTICATED */
#define RPC_HEADERS_MAX  8

/* A method as it is served: the row of the service's table and what the core and the metrics know it by. */
struct server_method {
    const struct rpc_method *row; /* NULL: whatever no table names; answers UNIMPLEMENTED */
    void *service;
    void *registered; /* the core's handle */
    size_t max_request_bytes;
    bool exempt; /* health: answered also when max_calls_in_flight is reached */
    struct metrics_histogram *seconds;
    struct metrics_counter *by_status[RPC_STATUS_COUNT]; /* registered when a status occurs first */
};

enum server_state {
    SERVER_SERVING,
    SERVER_DRAINING, /* GOAWAY sent; calls in flight go on                    */
    SERVER_STOPPED,  /* the core has let go of everything; rpc_server_free()  */
};

/* Answers on their way to their clients, the oldest first: unsent.c. */
struct unsent {
    struct list calls;
    size_t bytes; /* of all of them */
    size_t max_bytes;
    int64_t timeout_ms;
    struct loop_timer timer; /* not set, or not later than the oldest may become */
    struct metrics_counter *given_up;
};

struct rpc_server {
    struct rpc *rpc;
    grpc_server *core;
    enum server_state state;
    struct server_method *methods; /* method_count of tables, then the unknown one */
    size_t method_count;
    struct list calls;  /* of struct rpc_call: arrived, not yet gone */
    uint32_t in_flight; /* length of 'calls' */
    uint32_t max_in_flight;
    size_t armed; /* requests for calls that the core holds */
    int *ports;
    size_t port_count;
    struct health *health;
    struct reflection *reflection; /* NULL: no descriptor set */
    struct local_server *local;    /* NULL: no address "unix-frames:PATH" */
    struct metrics_gauge *in_flight_gauge;
    struct unsent unsent;

    struct rpc_completion shut; /* the core has ended every call and connection */
    bool shut_done;
    struct loop_timer grace;
    bool cancelled; /* grace is over: the next expiry abandons what is not answered */
    bool free_when_stopped;
    struct loop_task tell; /* runs 'drained' */
    bool telling;
    void (*drained)(void *arg);
    void *drained_arg;
};

struct call_out {
    grpc_metadata headers[RPC_HEADERS_MAX];
    size_t header_count;
    grpc_metadata trailing;
    bool has_trailing;
};

struct rpc_stream;

struct rpc_call {
    struct local_call *local; /* came over the local transport, which has no use for what is the core's; else NULL */
    struct rpc_completion arrived; /* a client called the method            */
    struct rpc_completion closed;  /* the call ended or was cancelled       */
    struct rpc_completion sent;    /* the answer and its status have left   */
    struct loop_task cancel_soon;  /* a callback for a cancellation that came before it */
    struct list link;              /* rpc_server.calls */
    struct rpc_server *server;     /* NULL once abandoned */
    struct server_method *method;
    const char *path;
    grpc_call *core;
    grpc_call_details *details; /* unknown methods only */
    grpc_metadata_array headers;
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    struct rpc_bytes *request; /* NULL: none, or longer than it may be */
    size_t request_len;
    ProtobufCMessage *message;
    grpc_byte_buffer *reply;
    struct {
        struct list link; /* rpc_server.unsent */
        int64_t since_ms;
        size_t bytes;
    } unsent;
    struct call_out *out;
    struct rpc_stream *stream; /* streams only */
    char *peer;
    void (*on_cancel)(void *arg);
    void *on_cancel_arg;
    int64_t arrived_us;
    unsigned refs;   /* batches that the core holds, and one until the handler has answered */
    int cancelled;   /* written by the core with 'closed' */
    bool listening;  /* the batch of 'closed' has been started */
    bool gone;       /* 'closed' has come: nothing can be sent any more */
    bool answered;   /* by the handler, or by this room in its place */
    bool in_handler; /* first dispatch: an answer now may carry the batch of 'closed' along */
    bool cancel_soon_posted;
};

/* ---- server.c ---- */
void server_call_added(struct rpc_server *s, struct rpc_call *c);
void server_call_removed(struct rpc_server *s, struct rpc_call *c);
/* Ends the drain when nothing is left. May free 's'. */
void server_check_stopped(struct rpc_server *s);
void server_count(struct rpc_server *s, struct server_method *m, grpc_status_code status, int64_t us);

/* ---- server_call.c ---- */
/* One more request for a call of 'm' to the core. */
void call_arm(struct rpc_server *s, struct server_method *m);
/* The service never answered and its server must go: takes the call away from the core. */
void call_abandon(struct rpc_call *c);
void call_unref(struct rpc_call *c);
/* The same road for calls that the core knows nothing of: local, method, path, request and deadline are set. */
void call_init_local(struct rpc_call *c, struct local_call *local, struct rpc_server *s);
void call_begin(struct rpc_call *c);
/* Nobody waits for the answer any more: the handler hears it. */
void call_lost(struct rpc_call *c);
/* Sends the status (NULL: OK), for unary calls behind 'reply'; consumes the handler's reference. */
void call_send_final(struct rpc_call *c, grpc_byte_buffer *reply, const struct pl_err *err);
/* Ops for headers that the handler set. */
void call_op_headers(struct rpc_call *c, grpc_op *op);
/* Marks the call answered: counts it, takes the cancel callback back, frees the request. False: it was already (a bug).
 */
void call_answered(struct rpc_call *c, const struct pl_err *err);

/* ---- unsent.c ---- */
void unsent_init(struct rpc_server *s, const struct rpc_server_options *o);
void unsent_done(struct rpc_server *s);
/* The core has an answer of so many bytes; until it has let go of it, or the call was given up meanwhile. */
void unsent_add(struct rpc_call *c, size_t bytes);
void unsent_remove(struct rpc_call *c);
/* There is one call too many: gives one up, if there is one to give up. */
void unsent_make_room(struct rpc_server *s);

/* ---- stream.c ---- */
void stream_init(struct rpc_call *c);
void stream_free(struct rpc_stream *s);
bool stream_headers_sent(const struct rpc_stream *s);
void stream_receive(struct rpc_call *c); /* bidi: asks for the client's next message */
void stream_fail(struct rpc_call *c, const struct pl_err *err);
void stream_gone(struct rpc_call *c); /* the peer is away: drops what waits */

/* ---- listen.c ---- */
/* Binds o->listen; 'out_ports' gets one per address. */
PL_MUST_CHECK enum pl_code server_listen(struct rpc_server *s, const struct rpc_server_options *o, int *out_ports,
                                         struct pl_err *err);

/* PL_UNAVAILABLE: what is at 'path' is no socket, or another server's. */
PL_MUST_CHECK enum pl_code server_unix_check(const char *address, const char *path, struct pl_err *err);

/* ---- local_server.c ---- */
PL_MUST_CHECK enum pl_code local_server_listen(struct rpc_server *s, const char *address, struct pl_err *err);
void local_server_drain(struct rpc_server *s);
/* Closes all connections. What is in flight is lost; the server may stop then, which is for the caller to check. */
void local_server_cancel(struct rpc_server *s);
bool local_server_idle(const struct rpc_server *s); /* no connections */
void local_server_free(struct rpc_server *s);
/* The call is answered: consumes 'reply' and the handler's reference. 'err' NULL: OK. */
void local_call_answer(struct rpc_call *c, struct rpc_bytes *reply, const struct pl_err *err);
void local_call_abandon(struct rpc_call *c);
void local_call_done(struct rpc_call *c);                                 /* before it is freed */
const char *local_call_header(const struct rpc_call *c, const char *key); /* NULL: absent */

/* ---- health.c ---- */
struct health *health_new(const struct rpc_server_options *o);
void health_free(struct health *h);
const struct rpc_service *health_service(struct health *h);
void health_set(struct health *h, bool serving);
void health_close(struct health *h); /* ends the watches: the server drains */

/* ---- reflection.c ---- */
#define REFLECTION_SERVICES 2
PL_MUST_CHECK enum pl_code reflection_new(struct reflection **out, const struct rpc_server_options *o,
                                          struct pl_err *err);
void reflection_free(struct reflection *r);
const struct rpc_service *reflection_service(struct reflection *r, unsigned i);

#endif
