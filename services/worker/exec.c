#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- in the child: it shares our memory until exec, so all is made ready before and only system calls are made ----
 */

PL_NORETURN static void child_failed(const char *step)
{
    static const char said[] = "pilotlight-worker: cannot start the program of an instance: ";

    (void)!write(STDERR_FILENO, said, sizeof(said) - 1);
    (void)!write(STDERR_FILENO, step, strlen(step));
    (void)!write(STDERR_FILENO, "\n", 1);
    _exit(127);
}

static void child_signals(void)
{
    static const int defaults[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2 };
    const struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (size_t i = 0; i < PL_COUNT(defaults); i++)
        (void)sigaction(defaults[i], &action, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A batch process has its share of the processors, but does not take one away from who is running when it wakes up. The
 * host hands its requests out and only then waits for the answers, instead of being thrown out by each instance that it
 * wakes. Inherited by all that come from this one; a host that does not let us is just slower. */
static void child_is_batch(void)
{
    static const struct sched_param none = { 0 };

    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

PL_NORETURN static void child_run(const struct exec_spec *s, pid_t parent)
{
    for (int i = EXEC_FDS - 1; i >= 0; i--)
        if (dup2(s->fds[i], i) < 0)
            _exit(127);
    if (close_range(EXEC_FDS, ~0u, 0) != 0)
        child_failed("close_range");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        child_failed("parent-death signal");
    (void)setsid();
    if (chdir("/") != 0)
        child_failed("chdir");
    child_signals();
    child_is_batch();
    (void)execve(s->program, s->argv, s->envp);
    child_failed("execve");
}

/* Kept out of line: nothing of the caller's frame may live in registers across vfork. All signals are blocked
 * meanwhile, because a handler in the child would run on our memory. */
__attribute__((noinline)) static pid_t vfork_run(const struct exec_spec *s)
{
    pid_t parent = getpid();
    pid_t pid = vfork();

    if (pid == 0)
        child_run(s, parent);
    return pid;
}

/* ---- in the worker ---- */

enum pl_code exec_start(const struct exec_spec *spec, pid_t *out_pid, int *out_pidfd, struct pl_err *err)
{
    sigset_t all, before;
    pid_t pid;
    int pidfd;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = vfork_run(spec);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot make a process: %s", strerror(errno));
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        (void)pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot open a pidfd: %s", strerror(errno));
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return err->code;
    }
    *out_pid = pid;
    *out_pidfd = pidfd;
    return PL_OK;
}

bool exec_lift(int *fd)
{
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, EXEC_SAFE_FD);

    if (high < 0)
        return false;
    (void)close(*fd);
    *fd = high;
    return true;
}
