#include "zygote.h"

#include "base/mem.h"
#include "base/time.h"
#include "child.h"
#include "exec.h"
#include "instance_log.h"
#include "log/log.h"
#include "loop/loop.h"
#include "sandbox/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PAUSE_MS 100
#define MAX_PAUSE_MS   30000
/* It may have much to import before its first answer; a start has three minutes. From then on it forks within a
 * millisecond: one that hangs must not hold up starts for longer than it takes to make another. */
#define FIRST_ANSWER_MS 120000
#define ANSWER_MS       10000

struct zygote {
    struct loop *loop;
    const char *name;
    char *const *argv;
    char *plan; /* "PILOTLIGHT_SANDBOX=..." */
    struct child child;
    struct asks asks; /* closed: it is not running */
    struct instance_log log;
    struct list refused;    /* struct zygote_ask that were never sent */
    struct loop_timer soon; /* answers those, and all who asked while it may not be started */
    unsigned failures;      /* deaths in a row without having made a process */
    int64_t pause_until_ms;
    char last_words[320];
};

/* ---- answers ---- */

static void fail_all(struct zygote *z)
{
    struct pl_err err;

    (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "the process that makes %s instances %s", z->name,
                         z->last_words);
    asks_fail(&z->asks, &err);
}

static void answer_soon(struct loop_timer *t)
{
    struct zygote *z = PL_CONTAINER(t, struct zygote, soon);
    struct pl_err err;

    for (struct zygote_ask *a; (a = list_first(&z->refused, struct zygote_ask, link));) {
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "%s", a->refused);
        asks_answer(&z->asks, a, -1, -1, &err);
    }
    if (z->asks.control.fd < 0 && z->child.watch.fd < 0)
        fail_all(z);
}

/* ---- its end ---- */

static void pause_restarts(struct zygote *z)
{
    int64_t ms = FIRST_PAUSE_MS;

    if (z->asks.made > 0)
        z->failures = 0;
    z->asks.made = 0;
    for (unsigned i = 1; i < z->failures && ms < MAX_PAUSE_MS; i++)
        ms *= 2;
    z->failures++;
    /* The first time it may have been bad luck. */
    z->pause_until_ms = z->failures > 1 ? pl_now_ms() + ms : 0;
}

static void exited(struct child *c, int status, const char *how)
{
    struct zygote *z = PL_CONTAINER(c, struct zygote, child);

    (void)status;
    asks_shut(&z->asks);
    instance_log_close(&z->log);
    (void)snprintf(z->last_words, sizeof(z->last_words), "%s%s%s", how, z->log.last[0] ? "; its last line: " : "",
                   z->log.last);
    log_error("zygote_died", LOG_STR("runtime", z->name), LOG_STR("how", z->last_words));
    pause_restarts(z);
    fail_all(z);
}

/* Its death follows, or is made to. */
static void broken(struct asks *a, enum asks_end why)
{
    struct zygote *z = PL_CONTAINER(a, struct zygote, asks);

    if (why != ASKS_CLOSED)
        log_error(why == ASKS_LIED ? "zygote_lied" : "zygote_silent", LOG_STR("runtime", z->name));
    child_kill(&z->child);
}

/* ---- its start ---- */

static enum pl_code no_descriptors(struct pl_err *err)
{
    return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "no descriptors left: %s", strerror(errno));
}

/* What a sanitizer looks for at exit it would need ptrace for, which the sandbox refuses. */
#define CHILD_ENVIRONMENT                                                                                              \
    (char *)"OMP_NUM_THREADS=1", (char *)"PATH=/usr/bin:/bin", (char *)"LANG=C.UTF-8",                                 \
        (char *)"ASAN_OPTIONS=detect_leaks=0"

static enum pl_code run(struct zygote *z, int control, int log, pid_t *out_pid, int *out_pidfd, struct pl_err *err)
{
    char *const envp[] = { CHILD_ENVIRONMENT, z->plan, NULL };
    pl_cleanup(pl_close_p) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct exec_spec e = { .program = z->argv[0], .argv = z->argv, .envp = envp };

    if (null_fd < 0 || !exec_lift(&null_fd))
        return no_descriptors(err);
    memcpy(e.fds, (int[]){ null_fd, log, log, control }, sizeof(e.fds));
    return exec_start(&e, out_pid, out_pidfd, err);
}

static enum pl_code watch(struct zygote *z, int control, int log, pid_t pid, int pidfd, struct pl_err *err)
{
    z->log = (struct instance_log){ .endpoint = "", .variant = "", .instance_text = z->name };
    if (instance_log_open(&z->log, z->loop, log, err) != PL_OK) {
        (void)close(control);
    } else if (asks_open(&z->asks, control, err) != PL_OK) {
        instance_log_close(&z->log);
    }
    if (err->code != PL_OK) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        (void)close(pidfd);
        return err->code;
    }
    if (child_watch(&z->child, z->loop, pid, pidfd, exited, err) != PL_OK) {
        instance_log_close(&z->log);
        asks_shut(&z->asks);
    }
    return err->code;
}

static enum pl_code start(struct zygote *z, struct pl_err *err)
{
    int control[2], log[2];
    int pidfd;
    pid_t pid;
    enum pl_code code;

    *err = (struct pl_err){ 0 };
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
        return no_descriptors(err);
    if (pipe2(log, O_CLOEXEC) != 0) {
        (void)no_descriptors(err);
        (void)close(control[0]);
        (void)close(control[1]);
        return err->code;
    }
    if (!exec_lift(&control[1]) || !exec_lift(&log[1]) || fcntl(log[0], F_SETFL, O_NONBLOCK) != 0)
        code = no_descriptors(err);
    else
        code = run(z, control[1], log[1], &pid, &pidfd, err);
    (void)close(control[1]);
    (void)close(log[1]);
    if (code == PL_OK)
        return watch(z, control[0], log[0], pid, pidfd, err);
    (void)close(control[0]);
    (void)close(log[0]);
    return code;
}

/* True: it runs, or was started just now. */
static bool awake(struct zygote *z)
{
    struct pl_err err;

    if (z->asks.control.fd >= 0)
        return true;
    /* One that is dying is not another one's neighbour. */
    if (z->child.watch.fd >= 0 || pl_now_ms() < z->pause_until_ms)
        return false;
    if (start(z, &err) == PL_OK) {
        log_info("zygote_started", LOG_STR("runtime", z->name), LOG_INT("pid", z->child.pid));
        return true;
    }
    (void)snprintf(z->last_words, sizeof(z->last_words), "cannot be started: %.280s", err.message);
    log_error("zygote_not_started", LOG_STR("runtime", z->name), LOG_STR("why", err.message));
    pause_restarts(z);
    return false;
}

/* ---- door ---- */

void zygote_wake(struct zygote *z)
{
    (void)awake(z);
}

void zygote_ask(struct zygote *z, struct zygote_ask *a)
{
    bool up = awake(z);

    asks_add(&z->asks, a);
    if (!up && z->child.watch.fd < 0)
        loop_timer_set(z->loop, &z->soon, pl_now_ms());
}

void zygote_refuse(struct zygote *z, struct zygote_ask *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(a->refused, sizeof(a->refused), fmt, args);
    va_end(args);
    list_push_back(&z->refused, &a->link);
    loop_timer_set(z->loop, &z->soon, pl_now_ms());
}

struct zygote *zygote_new(struct loop *l, const char *name, char *const *argv, const struct sandbox_plan *plan)
{
    struct zygote *z = PL_NEW(struct zygote);
    size_t size = sizeof(SANDBOX_PLAN_VARIABLE) + SANDBOX_PLAN_TEXT_MAX;
    int n;

    z->loop = l;
    z->name = name;
    z->argv = argv;
    z->plan = pl_new0(size, 1);
    n = snprintf(z->plan, size, "%s=", SANDBOX_PLAN_VARIABLE);
    if (!sandbox_plan_write(plan, z->plan + n, size - (size_t)n))
        pl_die("the sandbox's plan does not fit: models '%s', work '%s'", plan->models, plan->work);
    z->log.watch.fd = z->child.watch.fd = -1;
    z->soon.fire = answer_soon;
    asks_init(&z->asks, l, FIRST_ANSWER_MS, broken);
    z->asks.settled_ms = ANSWER_MS;
    list_init(&z->refused);
    return z;
}

void zygote_free(struct zygote *z)
{
    if (!z)
        return;
    asks_shut(&z->asks);
    asks_forget(&z->asks.list);
    asks_forget(&z->refused);
    child_end(&z->child);
    instance_log_close(&z->log);
    loop_timer_clear(z->loop, &z->soon);
    free(z->plan);
    free(z);
}
