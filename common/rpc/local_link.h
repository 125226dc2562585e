/* local_link - one connection of the local transport: frames in, frames out, and the sockets' side of addresses
 * "unix-frames:PATH". What frames mean is known to local_server.c and local_client.c.
 *
 * Out: frames wait in a queue and leave by sendmsg() straight from the memory of their messages, many at a time. Who
 * sends says whether others are likely to follow in the same callback: then one system call serves them all. A peer
 * that does not read makes the queue grow; its owner sees 'out_bytes' and stops asking for more (local_link_pause()).
 * In: whatever is there is read and handed to 'frame', with the turn, by the loop's thread.
 *
 * A peer that takes nothing of what waits for it for 'stall_ms' is given up: it is stopped, or hangs.
 *
 * A connection that breaks is told once, by 'closed' and from the loop, never from inside a function that the owner has
 * called. Threads: with the turn. Memory: embedded in the owner's struct, which 'free' gives back when the last of
 * owner, reading and flushing has let go of it. */
#ifndef RPC_LOCAL_LINK_H
#define RPC_LOCAL_LINK_H

#include "local_frame.h"

#include "base/list.h"
#include "loop/loop.h"

#include <sys/un.h>

struct local_link;

struct local_link_owner {
    /* A frame; what it leaves of f->message is given up. False: a breach of the protocol, and the connection ends. */
    bool (*frame)(struct local_link *k, struct local_frame *f);
    /* The connection is over, "the peer has closed it"; local_link_close() has been called. */
    void (*closed)(struct local_link *k, const char *why);
    /* The queue has shrunk, other than from inside local_link_send(). */
    void (*sent)(struct local_link *k);
    void (*free)(struct local_link *k);
};

#define LOCAL_STALL_MS 120000

struct local_link {
    const struct local_link_owner *owner;
    struct loop *loop;
    struct loop_fd fd;
    struct local_reader reader;
    struct list out;         /* of local_link.c's struct out: wait to be sent */
    size_t out_bytes;        /* that wait */
    struct loop_task flush;  /* at the end of the callback */
    int64_t heard_ms;        /* when something came last */
    int64_t stall_ms;        /* for the owner to change */
    struct loop_timer stall; /* set while the socket takes no more */
    const char *why;         /* it is broken; a literal */
    unsigned refs;
    bool flushing; /* 'flush' is posted */
    bool paused;
    bool full; /* the socket takes no more: EPOLLOUT is asked for */
    bool closed;
};

/* Takes 'fd' over, and one reference for the owner. */
PL_MUST_CHECK enum pl_code local_link_open(struct local_link *k, struct loop *l, int fd,
                                           const struct local_link_owner *owner, size_t max_message_bytes,
                                           struct pl_err *err);
/* f->message_len is set from 'message', of which one reference is consumed (NULL: none). 'more': others are likely to
 * follow before the callback is over; otherwise it leaves at once. */
void local_link_send(struct local_link *k, struct local_frame *f, struct rpc_bytes *message, bool more);
/* Not read until it is taken back. */
void local_link_pause(struct local_link *k, bool paused);
/* The loop finds it closed, for the reason 'why', a literal. */
void local_link_break(struct local_link *k, const char *why);
/* Nothing is sent or told after this. Harmless when it is closed. */
void local_link_close(struct local_link *k);
void local_link_unref(struct local_link *k);

/* ---- addresses ---- */

/* "unix-frames:/run/x.sock" -> "/run/x.sock"; NULL: another kind of address. */
const char *local_path(const char *address);
/* PL_INVALID: too long for a socket's path. */
PL_MUST_CHECK enum pl_code local_address(const char *path, struct sockaddr_un *out, struct pl_err *err);
/* The process at the other end runs as this user, or as root. */
bool local_peer_is_us(int fd);

#endif
