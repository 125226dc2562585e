/* The connection of a channel over the local transport.
 *
 *   connect  When first used or told to; connect() to a unix socket succeeds or fails at once. The peer must be this
 *            user (or root). HELLO goes out first, and calls may follow before the server's has come; the channel is
 *            ready when it has. After a failure the next attempt waits, from BACKOFF_FIRST_MS, twice as long each time,
 *            to BACKOFF_MOST_MS. Meanwhile calls fail with what connect() said, or wait when they are to.
 *   GOAWAY   New calls take a new connection; this one is closed when its last call has ended.
 *   PING     While calls are in flight: a server that says nothing for RPC_PING_TIME_MS is asked, and given up
 *            RPC_PING_TIMEOUT_MS later. */
#include "local_client_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 20
#define BACKOFF_MOST_MS  1000

/* ---- frames ---- */

static bool on_hello(struct local_conn *k, const struct local_frame *f)
{
    struct local_channel *l = k->channel->local;
    uint32_t version;
    if (!local_hello_read(f, &version))
        return false;
    if (version != LOCAL_VERSION) {
        (void)snprintf(l->why, sizeof(l->why), "it speaks version %u of the local transport, this program %u", version,
                       LOCAL_VERSION);
        return false;
    }
    k->ready = true;
    l->backoff_ms = 0;
    local_send_waiting(k->channel);
    return true;
}

static void retry_soon(struct rpc_channel *c);

static void on_goaway(struct local_conn *k)
{
    struct local_channel *l = k->channel->local;
    if (k->leaving)
        return;
    k->leaving = true;
    if (l->conn == k) {
        l->conn = NULL;
        retry_soon(k->channel);
    }
    if (k->in_flight == 0)
        local_conn_close(k);
}

static bool conn_frame(struct local_link *link, struct local_frame *f)
{
    struct local_conn *k = PL_CONTAINER(link, struct local_conn, link);
    if (!k->ready)
        return on_hello(k, f);
    switch (f->kind) {
    case LOCAL_REPLY:
    case LOCAL_FAILED:
        local_answered(k, f);
        return true;
    case LOCAL_GOAWAY:
        on_goaway(k);
        return true;
    case LOCAL_PONG:
        return true;
    default:
        return false;
    }
}

/* ---- the connection's end ---- */

void local_conn_close(struct local_conn *k)
{
    struct local_channel *l = k->channel->local;
    if (k->link.closed && list_empty(&k->all))
        return;
    local_link_close(&k->link);
    list_remove(&k->all);
    if (l->conn == k)
        l->conn = NULL;
    local_link_unref(&k->link);
}

static void conn_closed(struct local_link *link, const char *why)
{
    struct local_conn *k = PL_CONTAINER(link, struct local_conn, link);
    struct rpc_channel *c = k->channel;
    struct local_channel *l = c->local;
    struct pl_err err;
    bool current = l->conn == k, was_ready = k->ready;
    c->refs++;
    link->refs++;
    if (!*l->why || was_ready)
        (void)snprintf(l->why, sizeof(l->why), "%.150s", why);
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "%s: the connection was lost: %s", c->target, l->why);
    local_lost(k, &err);
    local_conn_close(k);
    if (current)
        retry_soon(c);
    local_link_unref(link);
    channel_unref(c);
}

static void conn_sent(struct local_link *link)
{
    (void)link;
}

static void conn_free(struct local_link *link)
{
    struct local_conn *k = PL_CONTAINER(link, struct local_conn, link);
    channel_unref(k->channel);
    free(k);
}

static const struct local_link_owner conn_owner = { conn_frame, conn_closed, conn_sent, conn_free };

/* ---- connecting ---- */

static bool connect_failed(struct local_channel *l, const char *why)
{
    (void)snprintf(l->why, sizeof(l->why), "%.150s", why);
    return false;
}

static bool socket_connect(struct local_channel *l, int *out_fd)
{
    struct sockaddr_un a;
    struct pl_err err;
    if (local_address(l->path, &a, &err) != PL_OK)
        return connect_failed(l, err.message);
    pl_cleanup(pl_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        return connect_failed(l, errno == EAGAIN ? "its queue of connections is full" : strerror(errno));
    if (!local_peer_is_us(fd))
        return connect_failed(l, "another user's process listens there");
    *out_fd = pl_take_fd(fd);
    return true;
}

static bool conn_open(struct rpc_channel *c)
{
    struct local_channel *l = c->local;
    struct local_frame hello = { .kind = LOCAL_HELLO };
    struct pl_err err;
    int fd = -1;
    if (!socket_connect(l, &fd))
        return false;
    struct local_conn *k = PL_NEW(struct local_conn);
    if (local_link_open(&k->link, loop_of(c), fd, &conn_owner, c->max_message_bytes, &err) != PL_OK) {
        free(k);
        return connect_failed(l, err.message);
    }
    k->channel = c;
    c->refs++;
    list_push_back(&l->conns, &k->all);
    l->conn = k;
    l->why[0] = '\0';
    local_hello_write(&hello, LOCAL_VERSION);
    local_link_send(&k->link, &hello, NULL, false);
    return true;
}

/* The next attempt, as late as the last ones ask for; only when somebody wants it. */
static void retry_soon(struct rpc_channel *c)
{
    struct local_channel *l = c->local;
    int64_t wait_ms = l->backoff_ms;
    if (l->closed || l->conn || l->retry.slot != 0)
        return;
    l->backoff_ms = wait_ms == 0 ? BACKOFF_FIRST_MS : wait_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : wait_ms * 2;
    loop_timer_set(loop_of(c), &l->retry, pl_now_ms() + wait_ms);
}

bool local_connected(struct rpc_channel *c)
{
    struct local_channel *l = c->local;
    if (l->conn)
        return true;
    if (l->closed || l->retry.slot != 0)
        return false;
    if (conn_open(c))
        return true;
    retry_soon(c);
    return false;
}

static void retry_due(struct loop_timer *t)
{
    struct local_channel *l = PL_CONTAINER(t, struct local_channel, retry);
    struct rpc_channel *c = l->channel;
    if ((l->keep || !list_empty(&l->waiting)) && !conn_open(c))
        retry_soon(c);
}

/* ---- a server that hangs ---- */

static void ask(struct local_conn *k, int64_t now_ms)
{
    struct local_frame f = { .kind = LOCAL_PING };
    int64_t silent_ms = now_ms - k->link.heard_ms;
    if (k->in_flight == 0 || silent_ms < RPC_PING_TIME_MS)
        return;
    if (silent_ms >= RPC_PING_TIME_MS + RPC_PING_TIMEOUT_MS)
        local_link_break(&k->link, "the server has been silent for too long");
    else
        local_link_send(&k->link, &f, NULL, false);
}

static void ping_due(struct loop_timer *t)
{
    struct local_channel *l = PL_CONTAINER(t, struct local_channel, ping);
    int64_t now_ms = pl_now_ms();
    bool calls = false;
    list_each(it, &l->conns)
    {
        struct local_conn *k = list_entry(it, struct local_conn, all);
        ask(k, now_ms);
        calls = calls || k->in_flight > 0;
    }
    if (calls)
        loop_timer_set(loop_of(l->channel), t, now_ms + RPC_PING_TIMEOUT_MS);
}

void local_conn_watch(struct local_conn *k)
{
    struct local_channel *l = k->channel->local;
    if (k->in_flight == 1)
        k->link.heard_ms = pl_now_ms();
    if (l->ping.slot == 0)
        loop_timer_set(loop_of(k->channel), &l->ping, pl_now_ms() + RPC_PING_TIMEOUT_MS);
}

/* ---- the channel ---- */

void local_channel_open(struct rpc_channel *c, const char *path)
{
    struct local_channel *l = PL_NEW(struct local_channel);
    l->channel = c;
    l->path = pl_strdup(path);
    list_init(&l->conns);
    list_init(&l->waiting);
    l->retry.fire = retry_due;
    l->ping.fire = ping_due;
    c->local = l;
}

void local_channel_close(struct rpc_channel *c)
{
    struct local_channel *l = c->local;
    l->closed = true;
    loop_timer_clear(loop_of(c), &l->retry);
    loop_timer_clear(loop_of(c), &l->ping);
    list_each_safe(it, &l->conns) local_conn_close(list_entry(it, struct local_conn, all));
}

void local_channel_done(struct rpc_channel *c)
{
    struct local_channel *l = c->local;
    assert(list_empty(&l->conns) && list_empty(&l->waiting));
    free(l->slots);
    free(l->path);
    free(l);
}

void local_channel_connect(struct rpc_channel *c)
{
    c->local->keep = true;
    (void)local_connected(c);
}

bool local_channel_ready(const struct rpc_channel *c)
{
    return c->local->conn && c->local->conn->ready;
}
