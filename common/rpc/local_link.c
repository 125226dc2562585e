#include "local_link.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX "unix-frames:"
/* One sendmsg() takes so many pieces; beyond them, and for reads in a row, others get the turn first. */
#define SPANS_AT_ONCE 128
#define READS_AT_ONCE 8

/* A frame that waits: its head in one piece, then the spans of its message where they are. */
struct out {
    struct list link;
    struct rpc_bytes *message;
    unsigned at, count; /* spans [at, count) are not sent yet; the first of them may have been in part */
    struct iovec *spans;
    uint8_t head[]; /* and behind it the spans */
};

/* ---- open, close ---- */

static void link_ready(struct loop_fd *f, uint32_t events);
static void link_flush_due(struct loop_task *t);
static void link_stalled(struct loop_timer *t);

enum pl_code local_link_open(struct local_link *k, struct loop *l, int fd, const struct local_link_owner *owner,
                             size_t max_message_bytes, struct pl_err *err)
{
    *k = (struct local_link){ .owner = owner, .loop = l, .refs = 1, .heard_ms = pl_now_ms() };
    k->fd = (struct loop_fd){ .ready = link_ready, .fd = fd };
    k->flush.run = link_flush_due;
    k->stall_ms = LOCAL_STALL_MS;
    k->stall.fire = link_stalled;
    list_init(&k->out);
    if (loop_fd_add(l, &k->fd, EPOLLIN, err) != PL_OK) {
        (void)close(fd);
        k->closed = true;
        return err->code;
    }
    local_reader_init(&k->reader, max_message_bytes);
    return PL_OK;
}

static void out_free(struct local_link *k, struct out *o)
{
    list_remove(&o->link);
    for (unsigned i = o->at; i < o->count; i++)
        k->out_bytes -= o->spans[i].iov_len;
    rpc_bytes_unref(o->message);
    free(o);
}

void local_link_close(struct local_link *k)
{
    if (k->closed)
        return;
    k->closed = true;
    loop_timer_clear(k->loop, &k->stall);
    loop_fd_remove(k->loop, &k->fd);
    (void)close(k->fd.fd);
    list_each_safe(it, &k->out) out_free(k, list_entry(it, struct out, link));
}

void local_link_unref(struct local_link *k)
{
    assert(k->refs > 0);
    if (--k->refs > 0)
        return;
    local_link_close(k);
    local_reader_done(&k->reader);
    k->owner->free(k);
}

/* ---- out ---- */

static void want(struct local_link *k)
{
    loop_fd_want(k->loop, &k->fd, (k->paused ? 0 : EPOLLIN) | (k->full ? EPOLLOUT : 0));
}

void local_link_break(struct local_link *k, const char *why)
{
    if (k->closed || k->why)
        return;
    k->why = why;
    (void)shutdown(k->fd.fd, SHUT_RDWR);
}

static unsigned gather(const struct local_link *k, struct iovec *spans)
{
    unsigned n = 0;
    list_each(it, &k->out)
    {
        const struct out *o = list_entry(it, struct out, link);
        for (unsigned i = o->at; i < o->count; i++) {
            if (n == SPANS_AT_ONCE)
                return n;
            spans[n++] = o->spans[i];
        }
    }
    return n;
}

/* So many bytes of the queue are away. */
static void forget(struct local_link *k, size_t n)
{
    while (n > 0) {
        struct out *o = list_first(&k->out, struct out, link);
        struct iovec *s = &o->spans[o->at];
        size_t part = n < s->iov_len ? n : s->iov_len;
        s->iov_base = (char *)s->iov_base + part;
        s->iov_len -= part;
        k->out_bytes -= part;
        n -= part;
        if (s->iov_len == 0 && ++o->at == o->count)
            out_free(k, o);
    }
}

static void link_flush(struct local_link *k)
{
    struct iovec spans[SPANS_AT_ONCE];
    bool full = false, some = false;
    while (!k->closed && !k->why && !full && !list_empty(&k->out)) {
        struct msghdr m = { .msg_iov = spans, .msg_iovlen = gather(k, spans) };
        ssize_t n = sendmsg(k->fd.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        some = some || n > 0;
        if (n > 0)
            forget(k, (size_t)n);
        else if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
            full = true;
        else if (errno != EINTR)
            local_link_break(k, "the peer has closed it");
    }
    if (k->closed || k->why)
        return;
    if (!full)
        loop_timer_clear(k->loop, &k->stall);
    else if (some || !k->full)
        loop_timer_set(k->loop, &k->stall, pl_now_ms() + k->stall_ms);
    if (k->full == full)
        return;
    k->full = full;
    want(k);
}

static void link_stalled(struct loop_timer *t)
{
    local_link_break(PL_CONTAINER(t, struct local_link, stall), "the peer takes nothing");
}

static void link_flush_due(struct loop_task *t)
{
    struct local_link *k = PL_CONTAINER(t, struct local_link, flush);
    k->flushing = false;
    link_flush(k);
    if (!k->closed && !k->why && !k->full) /* no EPOLLOUT will say so */
        k->owner->sent(k);
    local_link_unref(k);
}

static struct out *out_new(struct local_frame *f, struct rpc_bytes *message)
{
    uint8_t head[LOCAL_HEADER_BYTES + LOCAL_HEAD_MAX];
    f->message_len = rpc_bytes_len(message);
    size_t len = local_frame_write(f, head), room = (len + 15) & ~(size_t)15;
    unsigned parts = rpc_bytes_spans(message, NULL, 0);
    struct out *o = pl_new0(1, sizeof(*o) + room + (parts + 1) * sizeof(*o->spans));
    memcpy(o->head, head, len);
    o->spans = (struct iovec *)(void *)(o->head + room);
    o->spans[0] = (struct iovec){ o->head, len };
    rpc_bytes_spans(message, o->spans + 1, parts);
    o->count = parts + 1;
    o->message = message;
    return o;
}

void local_link_send(struct local_link *k, struct local_frame *f, struct rpc_bytes *message, bool more)
{
    if (k->closed || k->why) {
        rpc_bytes_unref(message);
        return;
    }
    struct out *o = out_new(f, message);
    list_push_back(&k->out, &o->link);
    for (unsigned i = 0; i < o->count; i++)
        k->out_bytes += o->spans[i].iov_len;
    if (k->full || k->flushing)
        return;
    if (!more || !loop_taken(k->loop)) {
        link_flush(k);
        return;
    }
    k->flushing = true;
    k->refs++;
    loop_later(k->loop, &k->flush);
}

/* ---- in ---- */

void local_link_pause(struct local_link *k, bool paused)
{
    if (k->closed || k->paused == paused)
        return;
    k->paused = paused;
    want(k);
}

static void link_end(struct local_link *k, const char *why)
{
    if (k->closed)
        return;
    local_link_close(k);
    k->owner->closed(k, k->why ? k->why : why);
}

static void link_frames(struct local_link *k)
{
    enum local_read found = LOCAL_MORE;
    struct local_frame *f;
    while (!k->closed && (found = local_reader_next(&k->reader, &f)) == LOCAL_FRAME) {
        bool good = k->owner->frame(k, f);
        rpc_bytes_unref(pl_take(f->message));
        if (!good)
            link_end(k, "the peer broke the protocol");
    }
    if (found == LOCAL_BROKEN)
        link_end(k, "the peer sent what is no frame");
}

/* True: there may be more. */
static bool link_read(struct local_link *k)
{
    struct iovec room = local_reader_room(&k->reader);
    ssize_t n = recv(k->fd.fd, room.iov_base, room.iov_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        link_end(k, n == 0 ? "the peer has closed it" : strerror(errno));
        return false;
    }
    k->heard_ms = pl_now_ms();
    local_reader_filled(&k->reader, (size_t)n);
    link_frames(k);
    return (size_t)n == room.iov_len;
}

static void link_ready(struct loop_fd *fd, uint32_t events)
{
    struct local_link *k = PL_CONTAINER(fd, struct local_link, fd);
    k->refs++;
    if (events & EPOLLOUT) {
        link_flush(k);
        if (!k->closed)
            k->owner->sent(k);
    }
    for (int i = 0; i < READS_AT_ONCE && !k->closed && !k->paused && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)); i++)
        if (!link_read(k))
            break;
    if (!k->closed && k->paused && (events & (EPOLLHUP | EPOLLERR)))
        link_end(k, "the peer has closed it");
    local_link_unref(k);
}

/* ---- addresses ---- */

const char *local_path(const char *address)
{
    return strncmp(address, PREFIX, strlen(PREFIX)) == 0 ? address + strlen(PREFIX) : NULL;
}

enum pl_code local_address(const char *path, struct sockaddr_un *out, struct pl_err *err)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (!*path || strlen(path) >= sizeof(out->sun_path))
        return pl_fail(err, PL_INVALID, "listen", "'" PREFIX "%s': a socket's path has 1 to %zu bytes", path,
                       sizeof(out->sun_path) - 1);
    memcpy(out->sun_path, path, strlen(path));
    return PL_OK;
}

bool local_peer_is_us(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}
