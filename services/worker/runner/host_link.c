#include "host_link.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_CAPACITY ((size_t)64 << 10)
#define KEEP_CAPACITY  ((size_t)1 << 20)

void host_link_init(struct host_link *l, int fd)
{
    *l = (struct host_link){ .fd = fd, .direct = -1, .from = fd };
}

void host_link_done(struct host_link *l)
{
    pl_close_p(&l->direct);
    free(l->in);
    pl_buf_done(&l->out);
    host_link_init(l, -1);
}

/* ---- two sockets ---- */

/* What is in 'in' came from the router. */
static bool is_direct(const struct host_link *l)
{
    return l->direct >= 0 && l->from == l->direct;
}

/* The router is gone, or has another socket now. */
static void drop_direct(struct host_link *l)
{
    if (is_direct(l)) {
        l->taken = l->in_len;
        l->from = l->fd;
    }
    pl_close_p(&l->direct);
}

unsigned host_link_fds(const struct host_link *l, int out_fds[2])
{
    out_fds[0] = l->fd;
    out_fds[1] = l->direct;
    return l->direct < 0 ? 1 : 2;
}

/* Which socket is heard next. A request that has been sent is served, also by one that is to stop. */
static void choose(struct host_link *l)
{
    struct pollfd p[2] = { { .fd = l->fd, .events = POLLIN }, { .fd = l->direct, .events = POLLIN } };

    l->from = l->fd;
    if (l->direct < 0)
        return; /* fill() waits */
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    if (p[1].revents)
        l->from = l->direct;
}

static void take_descriptor(struct host_link *l, struct msghdr *m)
{
    struct cmsghdr *h = CMSG_FIRSTHDR(m);

    if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || h->cmsg_len != CMSG_LEN(sizeof(int)))
        return;
    drop_direct(l);
    memcpy(&l->direct, CMSG_DATA(h), sizeof(l->direct));
}

static ssize_t receive_some(struct host_link *l)
{
    struct iovec span = { .iov_base = l->in + l->in_len, .iov_len = l->in_cap - l->in_len };
    char passed[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = passed, .msg_controllen = sizeof(passed) };
    ssize_t n;

    if (is_direct(l))
        return recv(l->from, span.iov_base, span.iov_len, 0);
    n = recvmsg(l->from, &m, MSG_CMSG_CLOEXEC);
    if (n > 0)
        take_descriptor(l, &m);
    return n;
}

/* ---- in ---- */

/* What came after the last frame moves to the front. */
static void drop_taken(struct host_link *l)
{
    l->in_len -= l->taken;
    if (l->in_len > 0 && l->taken > 0)
        memmove(l->in, l->in + l->taken, l->in_len);
    l->taken = 0;
    if (l->in_len == 0 && l->in_cap > KEEP_CAPACITY) {
        free(l->in);
        l->in = NULL;
        l->in_cap = 0;
    }
}

static bool reserve(struct host_link *l, size_t need)
{
    uint8_t *bigger;

    if (need <= l->in_cap)
        return true;
    if (need < FIRST_CAPACITY)
        need = FIRST_CAPACITY;
    bigger = realloc(l->in, need);
    if (!bigger)
        return false;
    l->in = bigger;
    l->in_cap = need;
    return true;
}

bool host_link_warm(struct host_link *l)
{
    if (!reserve(l, FIRST_CAPACITY))
        return false;
    /* As much as a load, or a call of some rows, will touch. */
    memset(l->in, 0, 2 * 4096);
    return true;
}

/* Sleeps in poll(), not in recv(): when the host reads our answer, its end of the socketpair wakes whoever waits on
 * ours (there is room to write again), and only poll() knows that this is not what we wait for. In recv() that would be
 * a second wake-up for each request, for nothing. */
static void await_bytes(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (fd >= 0)               /* poll() would wait for ever on what is no descriptor */
        (void)poll(&p, 1, -1); /* whatever it says, recv() tells more */
}

/* Receives until 'need' bytes are there; more may come along. */
static enum link_event fill(struct host_link *l, size_t need)
{
    if (!reserve(l, need))
        return LINK_BROKEN;
    while (l->in_len < need) {
        ssize_t n;

        if (l->in_len > 0 || !is_direct(l)) /* else choose() has waited */
            await_bytes(l->from);
        n = receive_some(l);
        if (n > 0)
            l->in_len += (size_t)n;
        else if (n == 0 || errno == ECONNRESET)
            return l->in_len == 0 ? LINK_END : LINK_BROKEN;
        else if (errno != EINTR)
            return LINK_BROKEN;
    }
    return LINK_FRAME;
}

static enum link_event receive_one(struct host_link *l, struct frame_header *out)
{
    enum link_event event;

    drop_taken(l);
    if (l->in_len == 0)
        choose(l);
    event = fill(l, FRAME_HEADER_SIZE);
    if (event != LINK_FRAME)
        return event;
    if (!frame_decode(l->in, out))
        return LINK_BROKEN;
    event = fill(l, FRAME_HEADER_SIZE + out->length);
    l->taken = FRAME_HEADER_SIZE + out->length;
    return event;
}

/* False: the worker is gone. */
static bool answer_detach(struct host_link *l, uint64_t id)
{
    drop_direct(l);
    host_link_begin(l, 0);
    return host_link_send(l, FRAME_DETACHED, id, NULL, 0);
}

enum link_event host_link_receive(struct host_link *l, struct frame_header *out, const uint8_t **out_payload)
{
    enum link_event event = receive_one(l, out);

    if (event != LINK_FRAME && is_direct(l)) {
        drop_direct(l); /* in the middle of a frame, too */
        return LINK_HANDLED;
    }
    if (event != LINK_FRAME)
        return event;
    *out_payload = l->in + FRAME_HEADER_SIZE;
    if (out->kind == FRAME_DETACH)
        return answer_detach(l, out->id) ? LINK_HANDLED : LINK_END;
    return out->kind == FRAME_ATTACH ? LINK_HANDLED : LINK_FRAME;
}

bool host_link_has_more(const struct host_link *l)
{
    return l->in_len > l->taken;
}

/* ---- out ---- */

void host_link_begin(struct host_link *l, size_t limit)
{
    static const uint8_t headroom[LINK_HEADROOM];

    if (l->out.cap > KEEP_CAPACITY)
        pl_buf_done(&l->out);
    pl_buf_clear(&l->out);
    l->out.failed = false;
    l->out.limit = LINK_HEADROOM + limit;
    (void)pl_buf_add(&l->out, headroom, sizeof(headroom));
}

static bool send_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Something is in the pipe that standard error is, and nobody has read it yet. */
static bool has_printed(void)
{
    int n = 0;

    return ioctl(STDERR_FILENO, FIONREAD, &n) == 0 && n > 0;
}

bool host_link_send(struct host_link *l, enum frame_kind kind, uint64_t id, const uint8_t *prefix, size_t n)
{
    size_t payload = l->out.len - LINK_HEADROOM + n;
    uint8_t *start = (uint8_t *)l->out.data + LINK_HEADROOM - n - FRAME_HEADER_SIZE;
    struct frame_header h = { .length = (uint32_t)payload, .kind = kind, .id = id };

    assert(n <= LINK_HEADROOM - FRAME_HEADER_SIZE && !l->out.failed && payload <= FRAME_MAX_PAYLOAD);
    h.printed = l->own_code && is_direct(l) && has_printed();
    frame_encode(&h, start);
    if (n > 0)
        memcpy(start + FRAME_HEADER_SIZE, prefix, n);
    if (send_all(l->from, start, FRAME_HEADER_SIZE + payload))
        return true;
    if (!is_direct(l))
        return false;
    drop_direct(l);
    return true;
}
