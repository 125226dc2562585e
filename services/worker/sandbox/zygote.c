/* The serving loops of zygote.h and template.h. */
#include "sandbox/zygote.h"

#include "enter.h"
#include "profile.h"
#include "sandbox/template.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_WORKER_GONE 0
#define EXIT_PROTOCOL    2

/* The zygote's and, after a clone, the instance's: one process has one sandbox, and sandbox_zygote_assigned() takes no
 * argument that a foreign language would have to carry. */
static struct sandbox_plan plan;
static struct enter enter;

PL_NORETURN static void leave(const char *why)
{
    (void)dprintf(STDERR_FILENO, "sandbox: %s\n", why);
    _exit(EXIT_PROTOCOL);
}

/* ---- descriptors by message ---- */

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(ZYGOTE_MAX_FDS * sizeof(int))];
};

/* The descriptors that came with 'm', at most ZYGOTE_MAX_FDS. */
static unsigned take_descriptors(struct msghdr *m, int out[ZYGOTE_MAX_FDS])
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    size_t n;

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return 0;
    n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(out, CMSG_DATA(c), n * sizeof(int));
    return (unsigned)n;
}

/* Exactly 'size' bytes and what comes with them; false: the other side is gone. */
static bool receive(int fd, void *bytes, size_t size, int fds[ZYGOTE_MAX_FDS], unsigned *out_count)
{
    union control control;
    struct iovec span = { .iov_base = bytes, .iov_len = size };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t n;

    do
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return false;
    if (n != (ssize_t)size || (m.msg_flags & MSG_CTRUNC))
        leave("what came from the worker is no message");
    *out_count = take_descriptors(&m, fds);
    return true;
}

static void send_reply(int socket, const struct zygote_reply *reply, int pidfd)
{
    union control control = {
        .align = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS }
    };
    struct iovec span = { .iov_base = (void *)reply, .iov_len = sizeof(*reply) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1 };

    if (pidfd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof(int));
        memcpy(CMSG_DATA(&control.align), &pidfd, sizeof(int));
    }
    while (sendmsg(socket, &m, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            _exit(EXIT_WORKER_GONE);
}

/* ---- one instance ---- */

static uint64_t clone_flags(unsigned features)
{
    static const struct {
        enum sandbox_feature feature;
        uint64_t flag;
    } flags[] = {
        { SANDBOX_USER_NS_BIT, CLONE_NEWUSER }, { SANDBOX_PID_NS_BIT, CLONE_NEWPID },
        { SANDBOX_MOUNT_NS_BIT, CLONE_NEWNS },  { SANDBOX_NET_NS_BIT, CLONE_NEWNET },
        { SANDBOX_IPC_NS_BIT, CLONE_NEWIPC },   { SANDBOX_UTS_NS_BIT, CLONE_NEWUTS },
    };
    uint64_t out = CLONE_PARENT | CLONE_PIDFD;

    for (size_t i = 0; i < PL_COUNT(flags); i++)
        if ((features >> flags[i].feature) & 1u)
            out |= flags[i].flag;
    return out;
}

/* As fork(), but into new namespaces, as the worker's child. One thread, so the C library's locks are free. */
static pid_t clone_instance(const struct zygote_request *r, int *out_pidfd)
{
    struct clone_args args = { .flags = clone_flags(plan.features), .pidfd = (uint64_t)(uintptr_t)out_pidfd };

    if (r->kind == ZYGOTE_COPY)
        return (pid_t)syscall(SYS_clone, FILTER_COPY_FLAGS, NULL, out_pidfd, NULL, NULL);
    /* The first process of a pid namespace cannot make its parent the parent of others, and all would end with it. */
    if (r->kind == ZYGOTE_TEMPLATE)
        args.flags &= ~(uint64_t)CLONE_NEWPID;
    return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void become_instance(const struct zygote_request *r, const int *fds)
{
    enter.kind = (enum zygote_kind)r->kind;
    enter.channel = fds[0];
    enter.log = fds[1];
    enter.extra = r->extra_count ? fds[2] : -1;
    enter.cgroup_count = r->cgroup_count;
    memcpy(enter.cgroups, fds + 2 + r->extra_count, r->cgroup_count * sizeof(int));
    memcpy(enter.model, r->model, sizeof(enter.model));
    memcpy(enter.code, r->code, sizeof(enter.code));
    enter.rlimit_mb = r->rlimit_mb;
    enter.file_limit_mb = r->file_limit_mb;
    if (dup2(enter.log, STDERR_FILENO) < 0)
        _exit(ZYGOTE_EXIT_SANDBOX);
    enter_stage_or_exit(&enter, r->kind == ZYGOTE_COPY ? STAGE_COPY : STAGE_BLANK);
}

static bool names_folder(const char name[ZYGOTE_MODEL_BYTES])
{
    return memchr(name, '\0', ZYGOTE_MODEL_BYTES) && !strchr(name, '/') && name[0] != '.';
}

static bool good_kind(const struct zygote_request *r)
{
    if (enter.kind == ZYGOTE_TEMPLATE)
        return r->kind == ZYGOTE_COPY && r->extra_count == 1 && r->cgroup_count == 0;
    return r->kind == ZYGOTE_INSTANCE ||
           (r->kind == ZYGOTE_TEMPLATE && r->extra_count == 1 && enter.profile->templates);
}

static void check_request(const struct zygote_request *r, unsigned fd_count)
{
    if (r->magic != ZYGOTE_MAGIC || !good_kind(r) || r->cgroup_count > ZYGOTE_MAX_CGROUPS || r->extra_count > 1 ||
        fd_count != 2 + r->extra_count + r->cgroup_count || !names_folder(r->model) || !names_folder(r->code))
        leave("the worker's request is not one of this build");
}

/* True in the instance. */
static bool answer(int socket, const struct zygote_request *r, const int *fds, unsigned fd_count)
{
    struct zygote_reply reply = { .magic = ZYGOTE_MAGIC, .id = r->id };
    int pidfd = -1;

    check_request(r, fd_count);
    reply.pid = clone_instance(r, &pidfd);
    if (reply.pid == 0) {
        become_instance(r, fds);
        return true;
    }
    if (reply.pid < 0)
        reply.error = errno;
    for (unsigned i = 0; i < fd_count; i++)
        (void)close(fds[i]);
    send_reply(socket, &reply, pidfd);
    if (pidfd >= 0)
        (void)close(pidfd);
    return false;
}

/* ---- the two calls ---- */

/* What has run so far left many small free blocks. glibc joins and sorts them when it is next asked for a large one:
 * here, once, not on pages that every instance would have to copy for it. */
static void settle_heap(void)
{
    void *volatile large;

    (void)malloc_trim(0);
    large = malloc((size_t)100 << 10);
    free(large);
}

static void prepare(void)
{
    struct pl_err err;

    if (sandbox_plan_read(&plan, getenv(SANDBOX_PLAN_VARIABLE), &err) != PL_OK)
        leave(err.message);
    enter_init(&enter, &plan);
    if (SANDBOX_HAS(plan.features, SECCOMP) &&
        filter_compile(&enter.filter, enter.profile->filter, SANDBOX_HAS(plan.features, PID_NS), &err) != PL_OK)
        leave(err.message);
    /* Which one an instance needs is known when it is assigned. */
    if (SANDBOX_HAS(plan.features, SECCOMP) && enter.profile->late_lock &&
        filter_compile(&enter.door_filter, enter.profile->filter | FILTER_SOCKETS, SANDBOX_HAS(plan.features, PID_NS),
                       &err) != PL_OK)
        leave(err.message);
    if (SANDBOX_HAS(plan.features, USER_NS))
        enter.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    enter_stage_or_exit(&enter, STAGE_ZYGOTE);
    settle_heap();
}

/* Returns in every process that is made. */
static int serve(int socket)
{
    int fds[ZYGOTE_MAX_FDS];
    struct zygote_request r;
    unsigned fd_count;

    while (receive(socket, &r, sizeof(r), fds, &fd_count))
        if (answer(socket, &r, fds, fd_count))
            return enter.channel;
    _exit(EXIT_WORKER_GONE);
}

int sandbox_zygote_serve(void)
{
    prepare();
    return serve(ZYGOTE_CONTROL_FD);
}

int sandbox_is_template(void)
{
    return enter.kind == ZYGOTE_TEMPLATE;
}

int sandbox_template_serve(void)
{
    return serve(TEMPLATE_CONTROL_FD);
}

int sandbox_zygote_assigned(void)
{
    int fds[ZYGOTE_MAX_FDS];
    struct zygote_assignment a;
    unsigned fd_count;

    if (!receive(enter.channel, &a, sizeof(a), fds, &fd_count))
        _exit(EXIT_WORKER_GONE);
    if (a.magic != ZYGOTE_MAGIC || a.has_model > 1 || a.has_code > a.has_model || a.has_door > 1 ||
        fd_count != a.has_model + a.has_code + a.has_door)
        leave("the worker's assignment is not one of this build");
    if (a.has_model)
        enter.model_fd = fds[0];
    if (a.has_code)
        enter.code_fd = fds[1];
    enter.has_door = a.has_door;
    if (a.has_door)
        enter.door_fd = fds[fd_count - 1];
    if (a.rlimit_mb)
        enter.rlimit_mb = a.rlimit_mb;
    enter_stage_or_exit(&enter, STAGE_ASSIGNED);
    return (int)a.memory_size_mb;
}

const char *sandbox_work_folder(void)
{
    return SANDBOX_HAS(plan.features, ROOT) ? ROOT_WORK : plan.work;
}
