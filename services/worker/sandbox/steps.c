/* The steps that lock a process in, in order, each with the name that errors quote.
 *
 * A zygote takes the first group once, after its libraries are loaded; from then on it has no file of the host in
 * sight, runs under a user id of its own and has no rights, but it may still make processes in new namespaces. Every
 * instance is cloned into new user, pid, mount, network, IPC and UTS namespaces (zygote.c) and takes the rest. */
#include "enter.h"

#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NO_FEATURE SANDBOX_FEATURE_COUNT
#define CHANNEL_FD 3
#define EXTRA_FD   4
/* Above all that have a fixed place. */
#define FIRST_FREE_FD 8

/* Its worker's death is its own. The signal goes when credentials change, so it is asked for after that. */
static int die_with_worker(struct enter *e)
{
    (void)e;
    return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static int no_new_privileges(struct enter *e)
{
    (void)e;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* As `ps -o comm` shows it: pl-zygote, pl-blank, then what it has become: pl-trees, pl-unpack, pl-template. */
static int take_name(const char *name)
{
    char comm[16];

    (void)snprintf(comm, sizeof(comm), "pl-%s", name);
    return prctl(PR_SET_NAME, comm, 0, 0, 0);
}

static int name_zygote(struct enter *e)
{
    (void)e;
    return take_name("zygote");
}

static bool is_tool(const struct enter *e)
{
    return e->plan->profile == SANDBOX_UNPACK || e->plan->profile == SANDBOX_COMPILE ||
           e->plan->profile == SANDBOX_EGRESS;
}

static int name_new(struct enter *e)
{
    return take_name(is_tool(e) ? sandbox_profile_name(e->plan->profile) : "blank");
}

static int name_assigned(struct enter *e)
{
    return take_name(e->kind == ZYGOTE_TEMPLATE ? "template" : sandbox_profile_name(e->plan->profile));
}

static int enter_cgroups(struct enter *e)
{
    for (unsigned i = 0; i < e->cgroup_count; i++)
        if (write(e->cgroups[i], "0\n", 2) != 2)
            return -1;
    return 0;
}

static int name_host(struct enter *e)
{
    static const char name[] = "instance";

    (void)e;
    return sethostname(name, sizeof(name) - 1);
}

static int own_session(struct enter *e)
{
    (void)e;
    return setsid() < 0 ? -1 : 0;
}

/* Everything moves out of the way first, so that nothing is overwritten before it has been copied and nothing stays
 * where it was. */
static int place_descriptors(struct enter *e)
{
    int *const fds[] = { &e->channel, &e->log, &e->extra, &e->model_fd, &e->code_fd };
    int next = EXTRA_FD;

    for (size_t i = 0; i < PL_COUNT(fds); i++)
        if (*fds[i] >= 0 && (*fds[i] = fcntl(*fds[i], F_DUPFD, FIRST_FREE_FD)) < 0)
            return -1;
    if (close_range(CHANNEL_FD, FIRST_FREE_FD - 1, 0) != 0 || dup2(e->channel, CHANNEL_FD) < 0 ||
        dup2(e->log, STDOUT_FILENO) < 0 || dup2(e->log, STDERR_FILENO) < 0 ||
        (e->extra >= 0 && dup2(e->extra, next++) < 0))
        return -1;
    e->channel = CHANNEL_FD;
    if ((e->model_fd >= 0 && (e->model_fd = dup2(e->model_fd, next++)) < 0) ||
        (e->code_fd >= 0 && (e->code_fd = dup2(e->code_fd, next++)) < 0))
        return -1;
    e->proc_fd = -1;
    return close_range((unsigned)next, ~0u, 0);
}

static int limit(int resource, rlim_t value)
{
    const struct rlimit l = { .rlim_cur = value, .rlim_max = value };

    return setrlimit((__rlimit_resource_t)resource, &l);
}

/* RLIMIT_NPROC counts this user id in this user namespace: only where there is one is it the instance's own count. A
 * template's copies share one, and each has its control group instead. */
static int set_limits(struct enter *e)
{
    const struct profile *p = e->profile;

    if (SANDBOX_HAS(e->plan->features, USER_NS) && e->kind != ZYGOTE_TEMPLATE &&
        limit(RLIMIT_NPROC, p->limit.processes) != 0)
        return -1;
    if (limit(RLIMIT_CORE, 0) != 0 || limit(RLIMIT_NOFILE, p->limit.files) != 0 || limit(RLIMIT_MEMLOCK, 0) != 0 ||
        limit(RLIMIT_MSGQUEUE, 0) != 0)
        return -1;
    return limit(RLIMIT_FSIZE, e->file_limit_mb > 0 ? (rlim_t)e->file_limit_mb << 20 : p->limit.file_bytes);
}

/* RLIMIT_DATA counts the heap and private writable mappings, which is what a model takes; RLIMIT_AS would also count
 * libraries, stacks and reserved address space, none of which is memory. */
static int limit_memory(struct enter *e)
{
    return limit(RLIMIT_DATA, (rlim_t)e->rlimit_mb << 20);
}

static int open_model(struct enter *e)
{
    if (e->model_fd < 0)
        return 0;
    if (e->profile->model_at && SANDBOX_HAS(e->plan->features, ROOT))
        return root_mount_model(e);
    return fchdir(e->model_fd);
}

static int open_code(struct enter *e)
{
    return e->code_fd < 0 ? 0 : root_mount_code(e);
}

static int raise_loopback(struct enter *e)
{
    struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    pl_cleanup(pl_close_p) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)e;
    return fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &r);
}

/* A socket keeps the network namespace in which it was made, whoever accepts from it. */
static int listen_inside(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(ZYGOTE_DOOR_PORT),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    pl_cleanup(pl_close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, ZYGOTE_DOOR_BACKLOG) != 0)
        return -1;
    return pl_take_fd(fd);
}

static int send_descriptor(int socket, int fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    char byte = 0;
    struct iovec span = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

    memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
    return sendmsg(socket, &m, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int open_door(struct enter *e)
{
    pl_cleanup(pl_close_p) int door = listen_inside();

    if (door < 0 || send_descriptor(e->door_fd, door) != 0)
        return -1;
    pl_close_p(&e->door_fd);
    return 0;
}

static int install_filter(struct enter *e)
{
    return filter_install(e->has_door ? &e->door_filter : &e->filter);
}

/* Copies take the filter of an instance on top of it. */
static int install_template_filter(struct enter *e)
{
    struct filter f = { 0 };
    struct pl_err err;
    int failed;

    if (filter_compile(&f, e->profile->filter | FILTER_TEMPLATE, false, &err) != PL_OK) {
        errno = ENOSYS;
        return -1;
    }
    failed = filter_install(&f);
    filter_done(&f);
    return failed;
}

static bool unprivileged(const struct enter *e)
{
    return !e->privileged;
}

static bool owns_files(const struct enter *e)
{
    return e->profile->own_ids;
}

static bool names_model(const struct enter *e)
{
    return e->model[0] != '\0';
}

static bool has_scratch(const struct enter *e)
{
    return e->profile->scratch_mb > 0 && SANDBOX_HAS(e->plan->features, ROOT);
}

static bool has_loopback(const struct enter *e)
{
    return e->profile->loopback;
}

static bool has_door(const struct enter *e)
{
    return e->has_door;
}

static bool needs_loopback(const struct enter *e)
{
    return e->has_door && !e->profile->loopback;
}

static bool mounts_code(const struct enter *e)
{
    return e->profile->code_at != NULL;
}

static bool is_template(const struct enter *e)
{
    return e->kind == ZYGOTE_TEMPLATE;
}

static bool is_no_template(const struct enter *e)
{
    return e->kind != ZYGOTE_TEMPLATE;
}

static bool limits_itself(const struct enter *e)
{
    return e->rlimit_mb > 0;
}

static const struct step {
    enum stage stage;
    enum sandbox_feature feature; /* left out when the plan lacks it */
    const char *name;
    int (*take)(struct enter *e);
    bool (*wanted)(const struct enter *e); /* NULL = always */
} steps[] = {
    /* the zygote, once */
    { STAGE_ZYGOTE, SANDBOX_USER_NS_BIT, "a user namespace for the zygote", identity_zygote_namespace, unprivileged },
    { STAGE_ZYGOTE, SANDBOX_MOUNT_NS_BIT, "a mount namespace for the zygote", root_make_namespace, NULL },
    { STAGE_ZYGOTE, SANDBOX_ROOT_BIT, "a root with only what is needed", root_build, NULL },
    { STAGE_ZYGOTE, SANDBOX_OWN_UID_BIT, "a user id of its own", identity_take_uid, NULL },
    { STAGE_ZYGOTE, NO_FEATURE, "no capabilities in the zygote", identity_keep_clone_rights, NULL },
    { STAGE_ZYGOTE, NO_FEATURE, "no new privileges", no_new_privileges, NULL },
    { STAGE_ZYGOTE, NO_FEATURE, "death with the worker", die_with_worker, NULL },
    { STAGE_ZYGOTE, NO_FEATURE, "its name", name_zygote, NULL },
    /* an instance, before it has work */
    { STAGE_BLANK, NO_FEATURE, "its name", name_new, NULL },
    { STAGE_BLANK, NO_FEATURE, "its cgroups", enter_cgroups, NULL },
    { STAGE_BLANK, SANDBOX_USER_NS_BIT, "its user and group id", identity_map, owns_files },
    { STAGE_BLANK, SANDBOX_UTS_NS_BIT, "a host name that says nothing", name_host, NULL },
    { STAGE_BLANK, SANDBOX_NET_NS_BIT, "a loopback interface", raise_loopback, has_loopback },
    { STAGE_BLANK, SANDBOX_ROOT_BIT, "the folder of the model", root_bind_model, names_model },
    { STAGE_BLANK, SANDBOX_ROOT_BIT, "a scratch folder", root_mount_scratch, has_scratch },
    { STAGE_BLANK, NO_FEATURE, "a session of its own", own_session, NULL },
    { STAGE_BLANK, NO_FEATURE, "only its own descriptors", place_descriptors, NULL },
    { STAGE_BLANK, NO_FEATURE, "resource limits", set_limits, NULL },
    { STAGE_BLANK, NO_FEATURE, "a first memory limit", limit_memory, limits_itself },
    /* when its model is known */
    { STAGE_ASSIGNED, NO_FEATURE, "the model", open_model, NULL },
    { STAGE_ASSIGNED, SANDBOX_ROOT_BIT, "the code", open_code, mounts_code },
    { STAGE_ASSIGNED, SANDBOX_NET_NS_BIT, "a loopback interface for its way out", raise_loopback, needs_loopback },
    { STAGE_ASSIGNED, SANDBOX_NET_NS_BIT, "its way out", open_door, has_door },
    { STAGE_ASSIGNED, NO_FEATURE, "its memory limit", limit_memory, limits_itself },
    { STAGE_ASSIGNED, NO_FEATURE, "its name", name_assigned, NULL },
    /* for good */
    { STAGE_LOCK, NO_FEATURE, "no capabilities", identity_drop_all, is_no_template },
    { STAGE_LOCK, NO_FEATURE, "only the right to make copies", identity_keep_copy_rights, is_template },
    { STAGE_LOCK, NO_FEATURE, "death with the worker", die_with_worker, NULL },
    { STAGE_LOCK, SANDBOX_SECCOMP_BIT, "the system call filter", install_filter, is_no_template },
    { STAGE_LOCK, SANDBOX_SECCOMP_BIT, "the template's system call filter", install_template_filter, is_template },
    /* a copy of a template: what it has not inherited */
    { STAGE_COPY, NO_FEATURE, "its name", name_new, NULL },
    { STAGE_COPY, NO_FEATURE, "a session of its own", own_session, NULL },
    { STAGE_COPY, SANDBOX_ROOT_BIT, "a scratch folder of its own", root_place_scratch, NULL },
    { STAGE_COPY, NO_FEATURE, "only its own descriptors", place_descriptors, NULL },
};

void enter_init(struct enter *e, const struct sandbox_plan *plan)
{
    *e = (struct enter){ .plan = plan,
                         .profile = &sandbox_profiles[plan->profile],
                         .privileged = identity_privileged(),
                         .proc_fd = -1,
                         .channel = -1,
                         .log = -1,
                         .extra = -1,
                         .model_fd = -1,
                         .code_fd = -1,
                         .door_fd = -1 };
}

static const char *take_steps(struct enter *e, enum stage stage)
{
    for (size_t i = 0; i < PL_COUNT(steps); i++) {
        const struct step *s = &steps[i];

        if (s->stage != stage || (s->feature != NO_FEATURE && !((e->plan->features >> s->feature) & 1u)) ||
            (s->wanted && !s->wanted(e)))
            continue;
        e->detail[0] = '\0';
        if (s->take(e) != 0)
            return s->name;
    }
    return NULL;
}

const char *enter_stage(struct enter *e, enum stage stage)
{
    const char *failed = take_steps(e, stage);

    if (!failed && (stage == STAGE_COPY || stage == (e->profile->late_lock ? STAGE_ASSIGNED : STAGE_BLANK)))
        failed = take_steps(e, STAGE_LOCK);
    return failed;
}

enum sandbox_feature enter_step_feature(const char *step)
{
    for (size_t i = 0; i < PL_COUNT(steps); i++)
        if (strcmp(steps[i].name, step) == 0)
            return steps[i].feature;
    return NO_FEATURE;
}

void enter_stage_or_exit(struct enter *e, enum stage stage)
{
    const char *failed = enter_stage(e, stage);

    if (!failed)
        return;
    (void)dprintf(STDERR_FILENO, "sandbox: cannot take the step '%s'%s%s: %s\n", failed, e->detail[0] ? ": " : "",
                  e->detail, strerror(errno));
    _exit(ZYGOTE_EXIT_SANDBOX);
}
