#include "loop_private.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALWAYS ((uint32_t)(EPOLLERR | EPOLLHUP)) /* told whether asked for or not */

void fds_init(struct fds *t)
{
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (t->epoll < 0)
        pl_die("loop: epoll_create1: %s", strerror(errno));
}

void fds_done(struct fds *t)
{
    (void)close(t->epoll);
    free(t->slots);
}

static struct fd_slot *slot_of(struct fds *t, int fd)
{
    size_t need = (size_t)fd + 1;
    if (need > t->room) {
        size_t room = t->room > 0 ? t->room : 64;
        while (room < need)
            room *= 2;
        t->slots = pl_grow(t->slots, room, sizeof(*t->slots));
        memset(t->slots + t->room, 0, (room - t->room) * sizeof(*t->slots));
        t->room = room;
    }
    return &t->slots[fd];
}

static bool watched(const struct fds *t, const struct loop_fd *f)
{
    return f->fd >= 0 && (size_t)f->fd < t->room && t->slots[f->fd].f == f;
}

static int control(struct fds *t, int operation, const struct loop_fd *f)
{
    struct epoll_event e = { .events = f->events };
    e.data.u64 = (uint64_t)t->slots[f->fd].generation << 32 | (uint32_t)f->fd;
    return epoll_ctl(t->epoll, operation, f->fd, &e);
}

enum pl_code loop_fd_add(struct loop *l, struct loop_fd *f, uint32_t events, struct pl_err *err)
{
    loop_assert_turn(l);
    if (f->fd < 0)
        return pl_fail(err, PL_INTERNAL, NULL, "cannot watch descriptor %d: it is not open", f->fd);
    struct fd_slot *slot = slot_of(&l->fds, f->fd);
    if (slot->f)
        return pl_fail(err, PL_INTERNAL, NULL, "cannot watch descriptor %d: it is watched already", f->fd);
    slot->generation++;
    f->events = events;
    if (control(&l->fds, EPOLL_CTL_ADD, f) < 0) {
        bool full = errno == ENOSPC || errno == ENOMEM;
        return pl_fail(err, full ? PL_EXHAUSTED : PL_INTERNAL, NULL, "cannot watch descriptor %d: %s", f->fd,
                       strerror(errno));
    }
    slot->f = f;
    return PL_OK;
}

void loop_fd_want(struct loop *l, struct loop_fd *f, uint32_t events)
{
    loop_assert_turn(l);
    assert(watched(&l->fds, f));
    if (f->events == events)
        return;
    f->events = events;
    if (control(&l->fds, EPOLL_CTL_MOD, f) < 0)
        pl_die("loop: descriptor %d was closed while it was watched: %s", f->fd, strerror(errno));
}

void loop_fd_remove(struct loop *l, struct loop_fd *f)
{
    loop_assert_turn(l);
    if (!watched(&l->fds, f))
        return;
    if (control(&l->fds, EPOLL_CTL_DEL, f) < 0)
        pl_die("loop: descriptor %d was closed while it was watched: %s", f->fd, strerror(errno));
    l->fds.slots[f->fd].f = NULL;
}

int fds_wait(struct loop *l, struct epoll_event *events, int room, int timeout_ms)
{
    int n = epoll_wait(l->fds.epoll, events, room, timeout_ms);
    if (n < 0 && errno != EINTR)
        pl_die("loop: epoll_wait: %s", strerror(errno));
    return n;
}

/* Between the event and now its descriptor may have been removed, added anew, or asked for other events. */
void fds_dispatch(struct loop *l, const struct epoll_event *event)
{
    const struct fd_slot *slot = &l->fds.slots[(uint32_t)event->data.u64];
    struct loop_fd *f = slot->f;
    if (!f || slot->generation != (uint32_t)(event->data.u64 >> 32))
        return;
    uint32_t events = event->events & (f->events | ALWAYS);
    if (events)
        f->ready(f, events);
}
