/* local_client_private - a channel of the local transport, its connections and requests, as local_client.c and
 * local_conn.c see them. */
#ifndef RPC_LOCAL_CLIENT_PRIVATE_H
#define RPC_LOCAL_CLIENT_PRIVATE_H

#include "client_private.h"
#include "local_link.h"

struct local_request {
    struct rpc_request q;
    struct local_conn *conn; /* it was sent on this one; NULL: not sent, or over */
    bool over;
    uint32_t slot;             /* while 'conn' */
    struct rpc_bytes *request; /* until it is sent */
    const char *path;
    char *trace;
    int64_t deadline_ms; /* INT64_MAX: none */
    struct loop_timer deadline;
    struct list waiting; /* local_channel.waiting */
};

/* Who has it, and how often it was used. */
struct slot {
    struct local_request *request; /* NULL: free */
    uint32_t turn;
    uint32_t next_free; /* + 1; 0 = the last one */
};

struct local_conn {
    struct local_link link;
    struct rpc_channel *channel;
    struct list all; /* local_channel.conns */
    unsigned in_flight;
    bool ready;
    bool leaving; /* GOAWAY has come */
};

struct local_channel {
    struct rpc_channel *channel;
    char *path;
    struct local_conn *conn; /* takes new calls; NULL: none */
    struct list conns;       /* of local_conn: that one, and those which leave */
    bool keep;               /* connected ahead, and again */
    bool closed;
    struct list waiting; /* of local_request: for the connection */
    struct loop_timer retry;
    int64_t backoff_ms; /* of the next attempt; 0 = the last one succeeded */
    char why[160];      /* it failed */
    struct loop_timer ping;
    struct slot *slots;
    uint32_t room, first_free; /* + 1 */
};

static inline struct loop *loop_of(const struct rpc_channel *c)
{
    return rpc_loop(c->rpc);
}

/* ---- local_client.c ---- */
/* REPLY or FAILED. */
void local_answered(struct local_conn *k, struct local_frame *f);
/* The connection is ready: those that waited for it go. */
void local_send_waiting(struct rpc_channel *c);
/* The connection is lost, and with it what was sent on it. */
void local_lost(struct local_conn *k, const struct pl_err *err);

/* ---- local_conn.c ---- */
/* There is a connection, or an attempt now has made one; not while the last failure is too recent. */
bool local_connected(struct rpc_channel *c);
/* A call has been sent on it: its silence is watched from now on. */
void local_conn_watch(struct local_conn *k);
void local_conn_close(struct local_conn *k);

#endif
