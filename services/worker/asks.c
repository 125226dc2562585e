#include "asks.h"

#include "base/time.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many requests lie in its socket at a time: that many fit, and no more wait when it dies. */
#define MAX_SENT      32
#define SEND_AGAIN_MS 20

/* ---- answers ---- */

static void close_fds(struct zygote_ask *ask)
{
    for (unsigned i = 0; i < ask->fd_count; i++)
        pl_close_p(&ask->fds[i]);
    ask->fd_count = 0;
}

void asks_answer(struct asks *a, struct zygote_ask *ask, pid_t pid, int pidfd, const struct pl_err *err)
{
    a->sent -= ask->sent;
    ask->sent = false;
    list_remove(&ask->link);
    close_fds(ask);
    ask->answered(ask, pid, pidfd, err);
}

void asks_fail(struct asks *a, const struct pl_err *err)
{
    struct list failed;

    list_init(&failed);
    while (!list_empty(&a->list)) {
        struct list *first = a->list.next;

        list_remove(first);
        list_push_back(&failed, first);
    }
    for (struct zygote_ask *ask; (ask = list_first(&failed, struct zygote_ask, link));)
        asks_answer(a, ask, -1, -1, err);
}

void asks_forget(struct list *asks)
{
    for (struct zygote_ask *ask; (ask = list_first(asks, struct zygote_ask, link));) {
        list_remove(&ask->link);
        close_fds(ask);
    }
}

/* ---- sending ---- */

static bool send_one(struct asks *a, struct zygote_ask *ask)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(ZYGOTE_MAX_FDS * sizeof(int))];
    } control = { .align = { .cmsg_len = CMSG_LEN(ask->fd_count * sizeof(int)),
                             .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS } };
    struct iovec span = { .iov_base = &ask->request, .iov_len = sizeof(ask->request) };
    struct msghdr m = { .msg_iov = &span,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = CMSG_SPACE(ask->fd_count * sizeof(int)) };
    ssize_t n;

    memcpy(CMSG_DATA(&control.align), ask->fds, ask->fd_count * sizeof(int));
    do
        n = sendmsg(a->control.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    close_fds(ask);
    ask->sent = true;
    a->sent++;
    return true;
}

/* As many as may wait there. One that cannot be sent now (no kernel memory, too many descriptors on their way) goes after
 * the next answer, or a little later when none is due. If the process is gone, its end answers all. */
static void send_some(struct asks *a)
{
    list_each(l, &a->list)
    {
        struct zygote_ask *ask = list_entry(l, struct zygote_ask, link);

        if (a->sent == MAX_SENT)
            return;
        if (!ask->sent && !send_one(a, ask)) {
            if (a->sent == 0)
                loop_timer_set(a->loop, &a->again, pl_now_ms() + SEND_AGAIN_MS);
            return;
        }
    }
}

/* An answer is due from now on, or the next one is. */
static void await_answer(struct asks *a)
{
    int64_t patience_ms = a->heard && a->settled_ms > 0 ? a->settled_ms : a->patience_ms;

    if (a->sent > 0)
        loop_timer_set(a->loop, &a->silence, pl_now_ms() + patience_ms);
    else
        loop_timer_clear(a->loop, &a->silence);
}

/* Those that were sent before are waited for as before. */
static void send_more(struct asks *a)
{
    unsigned before = a->sent;

    send_some(a);
    if (before == 0)
        await_answer(a);
}

static void send_again(struct loop_timer *t)
{
    struct asks *a = PL_CONTAINER(t, struct asks, again);

    if (a->control.fd >= 0)
        send_more(a);
}

/* ---- receiving ---- */

static struct zygote_ask *find(struct asks *a, uint64_t id)
{
    list_each(l, &a->list)
    {
        struct zygote_ask *ask = list_entry(l, struct zygote_ask, link);

        if (ask->sent && ask->request.id == id)
            return ask;
    }
    return NULL;
}

static int taken_descriptor(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static void broken(struct asks *a, enum asks_end why)
{
    asks_shut(a);
    a->broken(a, why);
}

static void silent(struct loop_timer *t)
{
    broken(PL_CONTAINER(t, struct asks, silence), ASKS_SILENT);
}

static void take_reply(struct asks *a, const struct zygote_reply *r, int pidfd)
{
    struct zygote_ask *ask = find(a, r->id);
    struct pl_err err;

    if (r->magic != ZYGOTE_MAGIC || !ask || (r->error == 0) != (pidfd >= 0)) {
        pl_close_p(&pidfd);
        broken(a, ASKS_LIED);
        return;
    }
    a->heard = true;
    if (r->error) {
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot make a process for an instance: %s",
                             strerror(r->error));
        asks_answer(a, ask, -1, -1, &err);
        return;
    }
    a->made++;
    asks_answer(a, ask, r->pid, pidfd, NULL);
}

/* False: nothing more for now, or it is gone. */
static bool receive(struct asks *a)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct zygote_reply reply;
    struct iovec span = { .iov_base = &reply, .iov_len = sizeof(reply) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(a->control.fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (n != (ssize_t)sizeof(reply)) {
        int unasked = n > 0 ? taken_descriptor(&m) : -1;

        pl_close_p(&unasked);
        broken(a, n > 0 ? ASKS_LIED : ASKS_CLOSED);
        return false;
    }
    take_reply(a, &reply, taken_descriptor(&m));
    if (a->control.fd < 0)
        return false;
    await_answer(a);
    return true;
}

static void ready(struct loop_fd *f, uint32_t events)
{
    struct asks *a = PL_CONTAINER(f, struct asks, control);

    (void)events;
    while (receive(a))
        ;
    if (a->control.fd >= 0)
        send_more(a);
}

/* ---- door ---- */

void asks_init(struct asks *a, struct loop *l, int64_t patience_ms,
               void (*broken_fn)(struct asks *a, enum asks_end why))
{
    *a = (struct asks){
        .loop = l, .patience_ms = patience_ms, .control = { .fd = -1, .ready = ready }, .broken = broken_fn
    };
    a->again.fire = send_again;
    a->silence.fire = silent;
    list_init(&a->list);
}

enum pl_code asks_open(struct asks *a, int fd, struct pl_err *err)
{
    a->control.fd = fd;
    a->made = 0;
    a->heard = false;
    if (loop_fd_add(a->loop, &a->control, EPOLLIN, err) != PL_OK) {
        pl_close_p(&a->control.fd);
        return err->code;
    }
    send_more(a);
    return PL_OK;
}

void asks_shut(struct asks *a)
{
    if (a->control.fd < 0)
        return;
    loop_timer_clear(a->loop, &a->again);
    loop_timer_clear(a->loop, &a->silence);
    loop_fd_remove(a->loop, &a->control);
    pl_close_p(&a->control.fd);
}

void asks_add(struct asks *a, struct zygote_ask *ask)
{
    ask->sent = false;
    ask->request.magic = ZYGOTE_MAGIC;
    ask->request.id = ++a->next_id;
    list_push_back(&a->list, &ask->link);
    if (a->control.fd >= 0)
        send_more(a);
}
