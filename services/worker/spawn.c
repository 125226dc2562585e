#include "spawn.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB              ((rlim_t)1 << 20)
#define CHILD_FDS        5  /* 0..4 */
#define SAFE_FD          10 /* above all of those: dup2() in the child overwrites none of its sources */
#define UNPACK_MEMORY_MB 512
/* A model of JSON takes XGBoost about seven times its size, and up to 6 GB are an instance's largest memory size. */
#define COMPILE_MEMORY_MB  6144
#define COMPILE_FILE_BYTES ((rlim_t)2 << 30)
#define MAX_LIMITS         8

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

struct spawner {
    char *runner;
    int null_fd;
};

/* What the child does between vfork and exec, all made ready before: it shares our memory and may only make system
 * calls. */
struct plan {
    const char *program;
    char *const *argv;
    char *const *envp;
    int fds[CHILD_FDS]; /* becomes descriptor i; -1 = none */
    struct {
        int resource;
        struct rlimit limit;
    } limits[MAX_LIMITS];
    unsigned limit_count;
    pid_t parent;
};

static void limit(struct plan *p, int resource, rlim_t value)
{
    p->limits[p->limit_count].resource = resource;
    p->limits[p->limit_count++].limit = (struct rlimit){ .rlim_cur = value, .rlim_max = value };
}

/* RLIMIT_DATA, not RLIMIT_AS: it counts the heap and private writable mappings, which is what a model takes; the
 * address space also counts the shared libraries (libxgboost alone maps tens of MB), thread stacks and the arenas that
 * malloc reserves, none of which is memory. RLIMIT_NPROC is left alone: it counts a user's processes on the whole
 * machine and is nothing to root; the sandbox's pids limit is the right tool. Sanitizers map terabytes: no memory limit
 * under them. */
static void set_limits(struct plan *p, int memory_mb, rlim_t file_bytes)
{
#ifndef SANITIZED
    limit(p, RLIMIT_DATA, (rlim_t)memory_mb * MIB);
#else
    (void)memory_mb;
#endif
    limit(p, RLIMIT_CORE, 0);
    limit(p, RLIMIT_NOFILE, 64);
    limit(p, RLIMIT_FSIZE, file_bytes);
    limit(p, RLIMIT_MEMLOCK, 0);
    limit(p, RLIMIT_MSGQUEUE, 0);
}

static void child_failed(const char *step)
{
    static const char said[] = "pilotlight-worker: cannot start the runner: ";

    (void)!write(2, said, sizeof(said) - 1);
    (void)!write(2, step, strlen(step));
    (void)!write(2, "\n", 1);
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

PL_NORETURN static void child_run(const struct plan *p)
{
    int last = 2;

    for (int i = CHILD_FDS - 1; i >= 0; i--) {
        if (p->fds[i] < 0)
            continue;
        if (dup2(p->fds[i], i) < 0)
            _exit(127);
        last = i > last ? i : last;
    }
    if (close_range((unsigned)last + 1, ~0u, 0) != 0)
        child_failed("close_range");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != p->parent)
        child_failed("parent-death signal");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        child_failed("no_new_privs");
    (void)setsid();
    for (unsigned i = 0; i < p->limit_count; i++)
        if (setrlimit(p->limits[i].resource, &p->limits[i].limit) != 0)
            child_failed("setrlimit");
    if (chdir("/") != 0)
        child_failed("chdir");
    child_signals();
    (void)execve(p->program, p->argv, p->envp);
    child_failed("execve");
    _exit(127);
}

/* Kept out of line: nothing of the caller's frame may live in registers across vfork. All signals are blocked
 * meanwhile, because a handler in the child would run on our memory. */
__attribute__((noinline)) static pid_t vfork_run(const struct plan *p)
{
    pid_t pid = vfork();

    if (pid == 0)
        child_run(p);
    return pid;
}

static enum pl_code start(struct plan *p, pid_t *out_pid, int *out_pidfd, struct pl_err *err)
{
    sigset_t all, before;
    pid_t pid;
    int pidfd;

    p->parent = getpid();
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = vfork_run(p);
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

static enum pl_code no_descriptors(struct pl_err *err)
{
    return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot make descriptors for an instance: %s",
                          strerror(errno));
}

/* Moves the child's end out of the way of 0..4. */
static bool lift(int *fd)
{
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, SAFE_FD);

    if (high < 0)
        return false;
    (void)close(*fd);
    *fd = high;
    return true;
}

/* The same file once more: read-only, so that who unpacks it cannot change what was verified, and from its start,
 * wherever the one who wrote it stands. */
static int reopen(int file)
{
    char path[32];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !lift(&fd))
        pl_close_p(&fd);
    return fd;
}

/* A pair of which we keep 'ours' (non-blocking) and the child gets 'theirs'. */
static bool make_socket(int *ours, int *theirs)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    *ours = pair[0];
    *theirs = pair[1];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0 && lift(theirs);
}

static bool make_pipe(int *ours, int *theirs)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) != 0)
        return false;
    *ours = pair[0];
    *theirs = pair[1];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0 && lift(theirs);
}

static char *const child_env[] = {
    (char *)"OMP_NUM_THREADS=1", /* read by libgomp when it is loaded: before main() */
    (char *)"PATH=/usr/bin:/bin",
    (char *)"LANG=C.UTF-8",
    NULL,
};

enum pl_code spawn_instance(struct spawner *s, const struct spawn_spec *spec, struct spawned *out, struct pl_err *err)
{
    char *const argv[] = { (char *)"pilotlight-runner", (char *)"serve", NULL };
    pl_cleanup(pl_close_p) int fd = -1;
    pl_cleanup(pl_close_p) int child_fd = -1;
    pl_cleanup(pl_close_p) int log_fd = -1;
    pl_cleanup(pl_close_p) int child_log = -1;
    struct plan p = { .program = s->runner, .argv = argv, .envp = child_env };

    if (!make_socket(&fd, &child_fd) || !make_pipe(&log_fd, &child_log))
        return no_descriptors(err);
    memcpy(p.fds, (int[]){ s->null_fd, child_log, child_log, child_fd, -1 }, sizeof(p.fds));
    set_limits(&p, spec->memory_size_mb, 0);
    if (start(&p, &out->pid, &out->pidfd, err) != PL_OK)
        return err->code;
    out->fd = pl_take_fd(fd);
    out->log_fd = pl_take_fd(log_fd);
    return PL_OK;
}

enum pl_code spawn_unpack(struct spawner *s, const struct spawn_unpack_spec *spec, struct spawned *out,
                          struct pl_err *err)
{
    char bytes[24], entries[24], ratio[24];
    char *const argv[] = { (char *)"pilotlight-runner",
                           (char *)"unpack",
                           (char *)"--max-bytes",
                           bytes,
                           (char *)"--max-entries",
                           entries,
                           (char *)"--max-ratio",
                           ratio,
                           NULL };
    pl_cleanup(pl_close_p) int out_fd = -1;
    pl_cleanup(pl_close_p) int child_out = -1;
    pl_cleanup(pl_close_p) int log_fd = -1;
    pl_cleanup(pl_close_p) int child_log = -1;
    pl_cleanup(pl_close_p) int archive = reopen(spec->archive_fd);
    pl_cleanup(pl_close_p) int dir = fcntl(spec->dir_fd, F_DUPFD_CLOEXEC, SAFE_FD);
    struct plan p = { .program = s->runner, .argv = argv, .envp = child_env };

    if (archive < 0 || dir < 0 || !make_pipe(&out_fd, &child_out) || !make_pipe(&log_fd, &child_log))
        return no_descriptors(err);
    (void)snprintf(bytes, sizeof(bytes), "%" PRId64, spec->max_bytes);
    (void)snprintf(entries, sizeof(entries), "%" PRId64, spec->max_entries);
    (void)snprintf(ratio, sizeof(ratio), "%" PRId64, spec->max_ratio);
    memcpy(p.fds, (int[]){ s->null_fd, child_out, child_log, archive, dir }, sizeof(p.fds));
    set_limits(&p, UNPACK_MEMORY_MB, (rlim_t)spec->max_bytes);
    if (start(&p, &out->pid, &out->pidfd, err) != PL_OK)
        return err->code;
    out->fd = pl_take_fd(out_fd);
    out->log_fd = pl_take_fd(log_fd);
    return PL_OK;
}

/* What came out of it is bounded by what went in; the file size limit only stops a compiler that has lost its mind. */
enum pl_code spawn_compile(struct spawner *s, const struct spawn_compile_spec *spec, struct spawned *out,
                           struct pl_err *err)
{
    char *const argv[] = { (char *)"pilotlight-runner", (char *)"compile", NULL };
    pl_cleanup(pl_close_p) int out_fd = -1;
    pl_cleanup(pl_close_p) int child_out = -1;
    pl_cleanup(pl_close_p) int log_fd = -1;
    pl_cleanup(pl_close_p) int child_log = -1;
    pl_cleanup(pl_close_p) int model = fcntl(spec->model_fd, F_DUPFD_CLOEXEC, SAFE_FD);
    pl_cleanup(pl_close_p) int dir = fcntl(spec->dir_fd, F_DUPFD_CLOEXEC, SAFE_FD);
    struct plan p = { .program = s->runner, .argv = argv, .envp = child_env };

    if (model < 0 || dir < 0 || !make_pipe(&out_fd, &child_out) || !make_pipe(&log_fd, &child_log))
        return no_descriptors(err);
    memcpy(p.fds, (int[]){ s->null_fd, child_out, child_log, model, dir }, sizeof(p.fds));
    set_limits(&p, COMPILE_MEMORY_MB, COMPILE_FILE_BYTES);
    if (start(&p, &out->pid, &out->pidfd, err) != PL_OK)
        return err->code;
    out->fd = pl_take_fd(out_fd);
    out->log_fd = pl_take_fd(log_fd);
    return PL_OK;
}

enum pl_code spawner_new(struct spawner **out, const char *runner, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct spawner *s;

    if (access(runner, X_OK) != 0)
        return pl_fail(err, PL_PRECONDITION, "runner", "runner: cannot run '%.300s': %s", runner, strerror(errno));
    if (null_fd < 0 || !lift(&null_fd))
        return pl_fail(err, PL_PRECONDITION, NULL, "cannot open /dev/null: %s", strerror(errno));
    s = PL_NEW(struct spawner);
    s->runner = pl_strdup(runner);
    s->null_fd = pl_take_fd(null_fd);
    *out = s;
    return PL_OK;
}

void spawner_free(struct spawner *s)
{
    if (!s)
        return;
    free(s->runner);
    pl_close_p(&s->null_fd);
    free(s);
}
