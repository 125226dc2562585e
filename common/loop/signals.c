#include "loop_private.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

void signals_init(struct signals *s)
{
    s->watch.fd = -1;
    sigemptyset(&s->set);
}

/* They stay blocked: one that comes during a program's last steps must not end them half way. */
void signals_done(struct signals *s)
{
    pl_close_p(&s->watch.fd);
}

static void arrived(struct loop_fd *f, uint32_t events)
{
    struct signals *s = PL_CONTAINER(f, struct signals, watch);
    struct signalfd_siginfo info;
    (void)events;
    while (read(f->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int signo = (int)info.ssi_signo;
        s->handlers[signo].on(s->handlers[signo].arg, signo);
    }
}

void loop_signal(struct loop *l, int signo, void (*on)(void *arg, int signo), void *arg)
{
    struct signals *s = &l->signals;
    struct pl_err err;
    loop_assert_turn(l);
    assert(signo > 0 && signo < NSIG);
    s->handlers[signo].on = on;
    s->handlers[signo].arg = arg;
    sigaddset(&s->set, signo);
    int failed = pthread_sigmask(SIG_BLOCK, &s->set, NULL);
    if (failed)
        pl_die("loop: cannot block signal %d: %s", signo, strerror(failed));
    int fd = signalfd(s->watch.fd, &s->set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        pl_die("loop: signalfd: %s", strerror(errno));
    if (s->watch.fd >= 0)
        return;
    s->watch = (struct loop_fd){ .fd = fd, .ready = arrived };
    if (loop_fd_add(l, &s->watch, EPOLLIN, &err) != PL_OK)
        pl_die("loop: %s", err.message);
}
