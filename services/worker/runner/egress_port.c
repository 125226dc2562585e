/* One instance's way out: it accepts, and starts lookups a few at a time. */
#include "base/mem.h"
#include "base/time.h"
#include "egress_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Accepted in one turn. */
#define AT_ONCE 16
/* To be told that they are too many, at a time; whoever comes then waits in the kernel. */
#define SPARE    8
#define PAUSE_MS 100

void port_look_up_next(struct port *p)
{
    struct tunnel *t;

    while (egress_may_look_up(p->all, p->endpoint) && (t = list_first(&p->waiting, struct tunnel, wait)))
        tunnel_look_up(t);
}

static void pause_accepting(struct port *p)
{
    loop_fd_want(egress_loop(p->all), &p->door, 0);
    loop_timer_set(egress_loop(p->all), &p->again, pl_now_ms() + PAUSE_MS);
}

static void knocked(struct loop_fd *f, uint32_t events)
{
    struct port *p = PL_CONTAINER(f, struct port, door);

    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        bool room = p->surplus < SPARE;
        int fd = room ? accept4(f->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

        if (fd < 0) {
            if (!room || (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED))
                pause_accepting(p); /* too many are there, or descriptors are short */
            return;
        }
        tunnel_start(p, fd);
    }
}

static void again(struct loop_timer *t)
{
    struct port *p = PL_CONTAINER(t, struct port, again);

    loop_fd_want(egress_loop(p->all), &p->door, EPOLLIN);
}

struct port *port_open(struct egress *e, uint64_t id, const char *endpoint, int fd)
{
    struct port *p = PL_NEW(struct port);
    struct pl_err err;

    p->all = e;
    p->id = id;
    (void)snprintf(p->endpoint, sizeof(p->endpoint), "%s", endpoint);
    p->door.fd = fd;
    p->door.ready = knocked;
    p->again.fire = again;
    list_init(&p->tunnels);
    list_init(&p->waiting);
    if (loop_fd_add(egress_loop(e), &p->door, EPOLLIN, &err) != PL_OK) {
        (void)close(fd);
        free(p);
        return NULL;
    }
    return p;
}

void port_close(struct port *p)
{
    struct loop *l = egress_loop(p->all);

    for (struct tunnel *t; (t = list_first(&p->tunnels, struct tunnel, link));)
        tunnel_close(t);
    loop_timer_clear(l, &p->again);
    loop_fd_remove(l, &p->door);
    pl_close_p(&p->door.fd);
    free(p);
}
