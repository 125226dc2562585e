#include "local_listen.h"

#include "base/mem.h"
#include "base/time.h"
#include "local_link.h"
#include "server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG         128
#define ACCEPT_AGAIN_MS 200 /* after accept() failed for want of descriptors or memory */

struct local_listener {
    struct loop *loop;
    struct loop_fd fd;
    struct loop_timer again;
    void (*accepted)(void *arg, int fd);
    void *arg;
    char *path;
};

static void on_accept(struct loop_fd *f, uint32_t events)
{
    struct local_listener *l = PL_CONTAINER(f, struct local_listener, fd);
    (void)events;
    pl_cleanup(pl_close_p) int fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (local_peer_is_us(fd))
            l->accepted(l->arg, pl_take_fd(fd));
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        loop_fd_want(l->loop, f, 0);
        loop_timer_set(l->loop, &l->again, pl_now_ms() + ACCEPT_AGAIN_MS);
    }
}

static void on_again(struct loop_timer *t)
{
    struct local_listener *l = PL_CONTAINER(t, struct local_listener, again);
    loop_fd_want(l->loop, &l->fd, EPOLLIN);
}

static enum pl_code bind_socket(const char *address, const struct sockaddr_un *a, int *out_fd, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(a->sun_path);   /* of one who died: server_unix_check() has looked */
    mode_t before = umask(0177); /* the socket is born with mode 0600 */
    bool failed = fd < 0 || bind(fd, (const struct sockaddr *)a, sizeof(*a)) != 0 || listen(fd, BACKLOG) != 0;
    int why = errno;
    umask(before);
    if (failed)
        return pl_fail(err, PL_UNAVAILABLE, "listen", "listen: cannot bind '%s': %s", address, strerror(why));
    *out_fd = pl_take_fd(fd);
    return PL_OK;
}

enum pl_code local_listen_open(struct local_listener **out, struct loop *l, const char *address,
                               void (*accepted)(void *arg, int fd), void *arg, struct pl_err *err)
{
    const char *path = local_path(address);
    struct sockaddr_un a;
    int fd = -1;
    if (local_address(path, &a, err) != PL_OK || server_unix_check(address, path, err) != PL_OK ||
        bind_socket(address, &a, &fd, err) != PL_OK)
        return err->code;
    struct local_listener *n = PL_NEW(struct local_listener);
    *n = (struct local_listener){ .loop = l, .accepted = accepted, .arg = arg, .path = pl_strdup(path) };
    n->again.fire = on_again;
    n->fd = (struct loop_fd){ .ready = on_accept, .fd = fd };
    if (loop_fd_add(l, &n->fd, EPOLLIN, err) != PL_OK) {
        local_listen_close(n);
        return err->code;
    }
    *out = n;
    return PL_OK;
}

void local_listen_close(struct local_listener *l)
{
    (void)unlink(l->path); /* before another one can have it */
    loop_timer_clear(l->loop, &l->again);
    loop_fd_remove(l->loop, &l->fd);
    (void)close(l->fd.fd);
    free(l->path);
    free(l);
}
