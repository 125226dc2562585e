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

/* So many requests lie in its socket at a time: that many fit, and no more wait when it dies. */
#define MAX_SENT       32
#define SEND_AGAIN_MS  20
#define FIRST_PAUSE_MS 100
#define MAX_PAUSE_MS   30000

struct zygote {
    struct loop *loop;
    const char *name;
    char *const *argv;
    char *plan; /* "PILOTLIGHT_SANDBOX=..." */
    struct child child;
    struct loop_fd control; /* -1: not running */
    struct instance_log log;
    struct list asks; /* struct zygote_ask: those sent first, in order */
    unsigned sent;
    uint64_t next_id;
    struct list refused;    /* struct zygote_ask that were never sent */
    struct loop_timer soon; /* answers those and all who asked while it may not be started; sends what could not be */
    unsigned failures;      /* deaths in a row without having made a process */
    int64_t pause_until_ms;
    char last_words[320];
};

/* ---- answers ---- */

static void close_fds(struct zygote_ask *a)
{
    for (unsigned i = 0; i < a->fd_count; i++)
        pl_close_p(&a->fds[i]);
    a->fd_count = 0;
}

static void answer(struct zygote *z, struct zygote_ask *a, pid_t pid, int pidfd, const struct pl_err *err)
{
    z->sent -= a->sent;
    a->sent = false;
    list_remove(&a->link);
    close_fds(a);
    a->answered(a, pid, pidfd, err);
}

static void fail_all(struct zygote *z)
{
    struct list failed;
    struct pl_err err;

    (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "the process that makes %s instances %s", z->name,
                         z->last_words);
    /* Those who ask again from their callback are not among them. */
    list_init(&failed);
    while (!list_empty(&z->asks)) {
        struct list *first = z->asks.next;

        list_remove(first);
        list_push_back(&failed, first);
    }
    for (struct zygote_ask *a; (a = list_first(&failed, struct zygote_ask, link));)
        answer(z, a, -1, -1, &err);
}

/* ---- its end ---- */

static void shut(struct zygote *z)
{
    if (z->control.fd < 0)
        return;
    loop_fd_remove(z->loop, &z->control);
    pl_close_p(&z->control.fd);
}

static void pause_restarts(struct zygote *z)
{
    int64_t ms = FIRST_PAUSE_MS;

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
    shut(z);
    instance_log_close(&z->log);
    (void)snprintf(z->last_words, sizeof(z->last_words), "%s%s%s", how, z->log.last[0] ? "; its last line: " : "",
                   z->log.last);
    log_error("zygote_died", LOG_STR("runtime", z->name), LOG_STR("how", z->last_words));
    pause_restarts(z);
    fail_all(z);
}

/* ---- talking to it ---- */

static bool send_one(struct zygote *z, struct zygote_ask *a)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(ZYGOTE_MAX_FDS * sizeof(int))];
    } control = {
        .align = { .cmsg_len = CMSG_LEN(a->fd_count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS }
    };
    struct iovec span = { .iov_base = &a->request, .iov_len = sizeof(a->request) };
    struct msghdr m = { .msg_iov = &span,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = CMSG_SPACE(a->fd_count * sizeof(int)) };
    ssize_t n;

    memcpy(CMSG_DATA(&control.align), a->fds, a->fd_count * sizeof(int));
    do
        n = sendmsg(z->control.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    close_fds(a);
    a->sent = true;
    z->sent++;
    return true;
}

/* As many as may wait there. One that cannot be sent now (no kernel memory, too many descriptors on their way) goes after
 * the next answer, or a little later when none is due. If the process is gone, its end answers all. */
static void send_some(struct zygote *z)
{
    list_each(l, &z->asks)
    {
        struct zygote_ask *a = list_entry(l, struct zygote_ask, link);

        if (z->sent == MAX_SENT)
            return;
        if (!a->sent && !send_one(z, a)) {
            if (z->sent == 0)
                loop_timer_set(z->loop, &z->soon, pl_now_ms() + SEND_AGAIN_MS);
            return;
        }
    }
}

static void answer_soon(struct loop_timer *t)
{
    struct zygote *z = PL_CONTAINER(t, struct zygote, soon);
    struct pl_err err;

    for (struct zygote_ask *a; (a = list_first(&z->refused, struct zygote_ask, link));) {
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "%s", a->refused);
        answer(z, a, -1, -1, &err);
    }
    if (z->control.fd >= 0)
        send_some(z);
    else if (z->child.watch.fd < 0)
        fail_all(z);
}

static struct zygote_ask *find(struct zygote *z, uint64_t id)
{
    list_each(l, &z->asks)
    {
        struct zygote_ask *a = list_entry(l, struct zygote_ask, link);

        if (a->sent && a->request.id == id)
            return a;
    }
    return NULL;
}

static int taken_descriptor(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static void take_reply(struct zygote *z, const struct zygote_reply *r, int pidfd)
{
    struct zygote_ask *a = find(z, r->id);
    struct pl_err err;

    if (r->magic != ZYGOTE_MAGIC || !a || (r->error == 0) != (pidfd >= 0)) {
        log_error("zygote_lied", LOG_STR("runtime", z->name), LOG_UINT("id", r->id));
        pl_close_p(&pidfd);
        child_kill(&z->child);
        return;
    }
    z->failures = 0;
    if (r->error) {
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot make a process for an instance: %s",
                             strerror(r->error));
        answer(z, a, -1, -1, &err);
        return;
    }
    answer(z, a, r->pid, pidfd, NULL);
}

/* False: nothing more for now, or it is gone. */
static bool receive(struct zygote *z)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct zygote_reply reply;
    struct iovec span = { .iov_base = &reply, .iov_len = sizeof(reply) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(z->control.fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (n != (ssize_t)sizeof(reply)) {
        shut(z); /* its death follows, or is made to */
        child_kill(&z->child);
        return false;
    }
    take_reply(z, &reply, taken_descriptor(&m));
    return z->control.fd >= 0;
}

static void ready(struct loop_fd *f, uint32_t events)
{
    struct zygote *z = PL_CONTAINER(f, struct zygote, control);

    (void)events;
    while (receive(z))
        ;
    if (z->control.fd >= 0)
        send_some(z);
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
    z->control = (struct loop_fd){ .fd = control, .ready = ready };
    if (instance_log_open(&z->log, z->loop, log, err) != PL_OK ||
        loop_fd_add(z->loop, &z->control, EPOLLIN, err) != PL_OK) {
        instance_log_close(&z->log);
        z->control.fd = -1;
        (void)close(control);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        (void)close(pidfd);
        return err->code;
    }
    if (child_watch(&z->child, z->loop, pid, pidfd, exited, err) != PL_OK) {
        instance_log_close(&z->log);
        shut(z);
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

    if (z->control.fd >= 0)
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
    a->sent = false;
    a->request.magic = ZYGOTE_MAGIC;
    a->request.id = ++z->next_id;
    list_push_back(&z->asks, &a->link);
    if (awake(z))
        send_some(z);
    else if (z->child.watch.fd < 0)
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
    z->control.fd = z->log.watch.fd = z->child.watch.fd = -1;
    z->soon.fire = answer_soon;
    list_init(&z->asks);
    list_init(&z->refused);
    return z;
}

static void forget(struct list *asks)
{
    for (struct zygote_ask *a; (a = list_first(asks, struct zygote_ask, link));) {
        list_remove(&a->link);
        close_fds(a);
    }
}

void zygote_free(struct zygote *z)
{
    if (!z)
        return;
    shut(z);
    forget(&z->asks);
    forget(&z->refused);
    child_end(&z->child);
    instance_log_close(&z->log);
    loop_timer_clear(z->loop, &z->soon);
    free(z->plan);
    free(z);
}
