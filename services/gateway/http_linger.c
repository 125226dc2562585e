#include "http_linger.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_linger {
    struct loop *loop;
    struct list waiting; /* struct lingering, oldest first */
    unsigned count;
    struct loop_timer timer; /* at the oldest one's end */
};

struct lingering {
    struct loop_fd fd;
    struct list link;
    struct http_linger *owner;
    int64_t until_ms;
    long long bytes;
};

static void end(struct lingering *g)
{
    struct http_linger *l = g->owner;
    loop_fd_remove(l->loop, &g->fd);
    close(g->fd.fd);
    list_remove(&g->link);
    l->count--;
    free(g);
}

static void on_readable(struct loop_fd *f, uint32_t events)
{
    struct lingering *g = PL_CONTAINER(f, struct lingering, fd);
    char bytes[65536];
    (void)events;
    for (int i = 0; i < 16; i++) { /* then let others have the turn */
        ssize_t n = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0 || (g->bytes += n) > LINGER_BYTES) {
            end(g);
            return;
        }
    }
}

static void on_timer(struct loop_timer *t)
{
    struct http_linger *l = PL_CONTAINER(t, struct http_linger, timer);
    struct lingering *g;
    int64_t now_ms = pl_now_ms();
    while ((g = list_first(&l->waiting, struct lingering, link)) && g->until_ms <= now_ms)
        end(g);
    if (g)
        loop_timer_set(l->loop, t, g->until_ms);
}

struct http_linger *linger_new(struct loop *loop)
{
    struct http_linger *l = PL_NEW(struct http_linger);
    l->loop = loop;
    l->timer.fire = on_timer;
    list_init(&l->waiting);
    return l;
}

void linger_free(struct http_linger *l)
{
    if (!l)
        return;
    list_each_safe(it, &l->waiting) end(list_entry(it, struct lingering, link));
    loop_timer_clear(l->loop, &l->timer);
    free(l);
}

void linger_add(struct http_linger *l, int socket_fd)
{
    if (l->count >= LINGER_COUNT)
        return;
    int fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return;
    struct lingering *g = PL_NEW(struct lingering);
    struct pl_err err;
    *g = (struct lingering){ .fd = { .ready = on_readable, .fd = fd }, .owner = l };
    g->until_ms = pl_now_ms() + LINGER_MS;
    if (loop_fd_add(l->loop, &g->fd, EPOLLIN, &err) != PL_OK) {
        close(fd);
        free(g);
        return;
    }
    list_push_back(&l->waiting, &g->link);
    l->count++;
    if (l->count == 1)
        loop_timer_set(l->loop, &l->timer, g->until_ms);
}
