#include "channel/courier.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One wake-up receives so many at most, so that a peer cannot hold the turn. */
#define MESSAGES_PER_TURN 256

struct parcel {
    struct list link;
    int fd;
    size_t n;
    uint8_t bytes[];
};

union passing {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

static void parcel_free(struct courier *c, struct parcel *p)
{
    list_remove(&p->link);
    c->waiting_count--;
    pl_close_p(&p->fd);
    free(p);
}

static void break_off(struct courier *c, const char *why)
{
    courier_close(c);
    c->events->broken(c, why);
}

/* ---- out ---- */

/* 0, or errno. */
static int send_one(int to, const void *bytes, size_t n, int fd)
{
    struct iovec span = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = n };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1 };
    union passing passing = { .room = { 0 } };

    if (fd >= 0) {
        passing.header =
            (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&passing.header), &fd, sizeof(fd));
        m.msg_control = &passing;
        m.msg_controllen = sizeof(passing.room);
    }
    while (sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

static void want_out(struct courier *c, bool out)
{
    loop_fd_want(c->loop, &c->watch, out ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void put_aside(struct courier *c, const void *bytes, size_t n, int fd)
{
    struct parcel *p = pl_new0(1, sizeof(*p) + n);

    p->fd = fd;
    p->n = n;
    memcpy(p->bytes, bytes, n);
    list_push_back(&c->waiting, &p->link);
    c->full |= ++c->waiting_count > COURIER_WAITING_MAX;
    want_out(c, true);
    if (c->full) /* whoever waits for the peer hears of it at once */
        (void)shutdown(c->watch.fd, SHUT_RDWR);
}

/* A peer that is gone is noticed by receiving. */
void courier_send(struct courier *c, const void *bytes, size_t n, int fd)
{
    int why;

    assert(n > 0 && n <= COURIER_MESSAGE_MAX);
    if (c->watch.fd < 0 || c->full) {
        pl_close_p(&fd);
        return;
    }
    why = c->waiting_count > 0 ? EAGAIN : send_one(c->watch.fd, bytes, n, fd);
    /* ETOOMANYREFS: too many descriptors are under way; that passes. */
    if (why == EAGAIN || why == ETOOMANYREFS)
        put_aside(c, bytes, n, fd);
    else
        pl_close_p(&fd);
}

static void send_waiting(struct courier *c)
{
    for (struct parcel *p; (p = list_first(&c->waiting, struct parcel, link));) {
        int why = send_one(c->watch.fd, p->bytes, p->n, p->fd);

        if (why == EAGAIN || why == ETOOMANYREFS)
            return;
        parcel_free(c, p);
    }
    want_out(c, false);
}

/* ---- in ---- */

static int passed_descriptor(struct msghdr *m)
{
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    int fd = -1;

    if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    return fd;
}

/* False: there is no more. The courier may have been closed. */
static bool receive_one(struct courier *c)
{
    uint8_t bytes[COURIER_MESSAGE_MAX];
    struct iovec span = { .iov_base = bytes, .iov_len = sizeof(bytes) };
    union passing passing;
    struct msghdr m = {
        .msg_iov = &span, .msg_iovlen = 1, .msg_control = &passing, .msg_controllen = sizeof(passing.room)
    };
    ssize_t n = recvmsg(c->watch.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fd;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        break_off(c, c->full ? "lets too many messages wait" : "closed its end");
        return false;
    }
    fd = passed_descriptor(&m);
    if (m.msg_flags & MSG_TRUNC) {
        pl_close_p(&fd);
        break_off(c, "sent a message that is too long");
        return false;
    }
    c->events->received(c, bytes, (size_t)n, fd);
    return true;
}

void courier_pull(struct courier *c)
{
    if (c->pulling)
        return;
    c->pulling = true;
    for (int i = 0; i < MESSAGES_PER_TURN && c->watch.fd >= 0 && receive_one(c); i++)
        ;
    c->pulling = false;
}

static void ready(struct loop_fd *f, uint32_t events)
{
    struct courier *c = PL_CONTAINER(f, struct courier, watch);

    if (events & EPOLLOUT)
        send_waiting(c);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        courier_pull(c);
}

/* ---- life ---- */

enum pl_code courier_open(struct courier *c, struct loop *l, int fd, const struct courier_events *events,
                          struct pl_err *err)
{
    *c = (struct courier){ .loop = l, .watch = { .fd = fd, .ready = ready }, .events = events };
    list_init(&c->waiting);
    if (loop_fd_add(l, &c->watch, EPOLLIN, err) == PL_OK)
        return PL_OK;
    (void)close(fd);
    c->watch.fd = -1;
    return err->code;
}

void courier_close(struct courier *c)
{
    if (c->watch.fd < 0)
        return;
    loop_fd_remove(c->loop, &c->watch);
    pl_close_p(&c->watch.fd);
    for (struct parcel *p; (p = list_first(&c->waiting, struct parcel, link));)
        parcel_free(c, p);
}

bool courier_same_user(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}
