#include "http_program.h"

#include "base/time.h"
#include "refuse.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void on_child(int signo)
{
    (void)signo; /* it ends ppoll(), that is all */
}

/* SIGCHLD reaches us only inside ppoll(): so none is missed between looking and waiting. */
static void watch_children(void)
{
    const struct sigaction action = { .sa_handler = on_child };
    sigset_t child;

    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, NULL);
    (void)sigaction(SIGCHLD, &action, NULL);
}

/* The child's errno goes up the pipe, which a successful exec closes. */
PL_NORETURN static void become(const char *path, const char *dir, char *const *env, int report)
{
    static const int defaults[] = { SIGPIPE, SIGCHLD, SIGINT, SIGTERM };
    char *const argv[] = { (char *)path, (char *)"serve", NULL };
    sigset_t none;
    int why;

    (void)sigemptyset(&none);
    for (size_t i = 0; i < PL_COUNT(defaults); i++)
        (void)signal(defaults[i], SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    if (chdir(dir) == 0)
        (void)execve(path, argv, env);
    why = errno;
    (void)!write(report, &why, sizeof(why));
    _exit(127);
}

static enum pl_code cannot_run(struct pl_err *err, const char *path, int why)
{
    const char *hint = "";

    if (why == EACCES)
        hint = ": it is not marked executable (chmod +x, before it is packed)";
    else if (why == ENOENT)
        hint = ": its interpreter, the one behind #! or its loader, is not here";
    else if (why == ENOEXEC)
        hint = ": it is neither a program for this machine nor a script with #!";
    return refuse(err, STATUS_FAILED, "cannot run '%.300s': %s%s", path, strerror(why), hint);
}

enum pl_code http_program_start(struct http_program *p, const char *path, const char *dir, char *const *env,
                                struct pl_err *err)
{
    int ends[2], why = 0;
    ssize_t n;

    watch_children();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return refuse(err, STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
    p->pid = fork();
    if (p->pid == 0)
        become(path, dir, env, ends[1]);
    (void)close(ends[1]);
    if (p->pid < 0) {
        why = errno;
        p->pid = 0;
        (void)close(ends[0]);
        return refuse(err, STATUS_FAILED, "cannot make a process for '%.300s': %s", path, strerror(why));
    }
    (void)setpgid(p->pid, p->pid);
    do
        n = read(ends[0], &why, sizeof(why));
    while (n < 0 && errno == EINTR);
    (void)close(ends[0]);
    if (n == 0)
        return PL_OK;
    (void)waitpid(p->pid, NULL, 0);
    p->pid = 0;
    return cannot_run(err, path, why);
}

/* Takes in whoever has ended: as the first process of the namespace we inherit the others' orphans. */
static void reap(struct http_program *p)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == p->pid) {
            p->pid = 0;
            p->status = status;
        }
}

static bool time_left(int64_t until_ms, struct timespec *out)
{
    int64_t left_ms = until_ms - pl_now_ms();

    if (left_ms < 0)
        left_ms = 0;
    *out = (struct timespec){ .tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000 };
    return until_ms != INT64_MAX;
}

static enum http_wait wait_for(struct http_program *p, struct pollfd *fds, unsigned count, int64_t until_ms)
{
    struct timespec left;
    sigset_t none;

    (void)sigemptyset(&none);
    for (;;) {
        bool limited = time_left(until_ms, &left);
        int n;

        reap(p);
        if (p->pid == 0)
            return HTTP_WAIT_GONE;
        n = ppoll(fds, count, limited ? &left : NULL, &none);
        if (n > 0)
            return HTTP_WAIT_READY;
        if (n == 0)
            return HTTP_WAIT_TIME;
    }
}

enum http_wait http_program_wait(struct http_program *p, int fd, short events, int64_t until_ms)
{
    struct pollfd f = { .fd = fd, .events = events };

    return wait_for(p, &f, 1, until_ms);
}

enum http_wait http_program_wait_any(struct http_program *p, const int *fds, unsigned count)
{
    struct pollfd all[HTTP_WAIT_FDS];

    assert(count <= HTTP_WAIT_FDS);
    for (unsigned i = 0; i < count; i++)
        all[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    return wait_for(p, all, count, INT64_MAX);
}

void http_program_stop(struct http_program *p, int64_t grace_ms)
{
    if (p->pid == 0)
        return;
    (void)kill(-p->pid, SIGTERM);
    if (http_program_wait(p, -1, 0, pl_now_ms() + grace_ms) == HTTP_WAIT_GONE)
        return;
    (void)kill(-p->pid, SIGKILL);
    (void)http_program_wait(p, -1, 0, INT64_MAX);
}

void http_program_how(const struct http_program *p, char *out, size_t size)
{
    if (WIFSIGNALED(p->status))
        (void)snprintf(out, size, "was killed by signal %d (%s)", WTERMSIG(p->status),
                       sigdescr_np(WTERMSIG(p->status)) ? sigdescr_np(WTERMSIG(p->status)) : "unknown");
    else
        (void)snprintf(out, size, "exited with %d", WEXITSTATUS(p->status));
}
