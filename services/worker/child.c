#include "child.h"

#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

void child_how(int status, char out[CHILD_HOW_MAX])
{
    if (WIFSIGNALED(status))
        (void)snprintf(out, CHILD_HOW_MAX, "killed by signal %d (%s)", WTERMSIG(status),
                       sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status)) : "unknown");
    else
        (void)snprintf(out, CHILD_HOW_MAX, "exited with %d", WEXITSTATUS(status));
}

static void ended(struct loop_fd *f, uint32_t events)
{
    struct child *c = PL_CONTAINER(f, struct child, watch);
    char how[CHILD_HOW_MAX];
    int status = 0;
    pid_t got;

    (void)events;
    do
        got = waitpid(c->pid, &status, WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return;
    if (got < 0)
        pl_die("waitpid(%d): %s: somebody else reaps our children", (int)c->pid, strerror(errno));
    loop_fd_remove(c->loop, &c->watch);
    (void)close(c->watch.fd);
    c->watch.fd = -1;
    child_how(status, how);
    c->exited(c, status, how);
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

enum pl_code child_watch(struct child *c, struct loop *l, pid_t pid, int pidfd,
                         void (*exited)(struct child *c, int status, const char *how), struct pl_err *err)
{
    *c = (struct child){ .loop = l, .watch = { .fd = pidfd, .ready = ended }, .pid = pid, .exited = exited };
    if (loop_fd_add(l, &c->watch, EPOLLIN, err) == PL_OK)
        return PL_OK;
    child_kill(c);
    reap(pid);
    (void)close(pidfd);
    c->watch.fd = -1;
    return err->code;
}

void child_end(struct child *c)
{
    if (c->watch.fd < 0)
        return;
    child_kill(c);
    reap(c->pid);
    loop_fd_remove(c->loop, &c->watch);
    pl_close_p(&c->watch.fd);
}

void child_abandon(pid_t pid, int pidfd)
{
    (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    reap(pid);
    (void)close(pidfd);
}

void child_release(struct child *c, pid_t *out_pid, int *out_pidfd)
{
    loop_fd_remove(c->loop, &c->watch);
    *out_pid = c->pid;
    *out_pidfd = c->watch.fd;
    c->watch.fd = -1;
}

void child_kill(struct child *c)
{
    if (c->watch.fd >= 0 && pidfd_send_signal(c->watch.fd, SIGKILL, NULL, 0) != 0 && errno != ESRCH)
        log_error("kill_failed", LOG_INT("pid", c->pid), LOG_STR("error", strerror(errno)));
}
