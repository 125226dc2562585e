#include "rig.h"

#include "sandbox/model_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig_host rig_host;

#define NOBODY 65534

/* ---- the host ---- */

static void copy_program(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    char block[1 << 16];
    ssize_t n;

    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, block, sizeof(block))) > 0)
        assert_int_equal(write(out, block, (size_t)n), n);
    assert_int_equal(n, 0);
    (void)close(in);
    (void)close(out);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

/* folder/name into one of rig_host's paths. */
static char *place(char *out, size_t size, const char *name)
{
    assert_true((size_t)snprintf(out, size, "%.48s/%.64s", rig_host.folder, name) < size);
    return out;
}

static void make_folders(const char *program)
{
    struct rig_host *h = &rig_host;
    char path[128];

    (void)snprintf(h->folder, sizeof(h->folder), "/tmp/pilotlight-rig-XXXXXX");
    assert_non_null(mkdtemp(h->folder));
    assert_int_equal(chmod(h->folder, 0755), 0);
    assert_int_equal(mkdir(place(path, sizeof(path), "bin"), 0755), 0);
    copy_program(program, place(h->program, sizeof(h->program), "bin/program"));
    assert_int_equal(mkdir(place(h->models, sizeof(h->models), "models"), 0755), 0);
    assert_int_equal(mkdir(place(h->model, sizeof(h->model), "models/one"), 0755), 0);
    write_file(place(path, sizeof(path), "models/one/model"), "the model\n");
    assert_int_equal(chmod(path, 0666), 0); /* only its mount protects it */
    assert_int_equal(mkdir(place(path, sizeof(path), "models/other"), 0755), 0);
    write_file(place(path, sizeof(path), "models/other/model"), "another's\n");
    write_file(place(h->secret, sizeof(h->secret), "secret"), "a secret\n");
    assert_int_equal(mkdir(place(h->work, sizeof(h->work), "work"), 0777), 0);
    assert_int_equal(chmod(h->work, 0777), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static bool drop_privileges(void)
{
    if (geteuid() != 0)
        return true;
    return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
           setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

/* In a child when the privileges go: the parent can still remove everything. */
static int run(int (*tests)(void), bool unprivileged)
{
    struct pl_err err;
    int status;
    pid_t pid = unprivileged ? fork() : 0;

    if (pid > 0)
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (unprivileged && !drop_privileges())
        _exit(77);
    if (sandbox_probe(&rig_host.probe, rig_host.program, SANDBOX_DEFAULT_UID, &err) != PL_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++)
        if (!rig_has((enum sandbox_feature)i))
            (void)fprintf(stderr, "this host lacks: %s (%s)\n", sandbox_feature_texts[i].name, rig_host.probe.why[i]);
    status = tests();
    if (unprivileged)
        exit(status);
    return status;
}

int rig_main(int argc, char **argv, const char *program, int (*tests)(void))
{
    bool unprivileged = argc > 1 && strcmp(argv[1], "--unprivileged") == 0;
    int status;

    if (!unprivileged && geteuid() != 0)
        return 0; /* the other way of running it says all there is to say */
    make_folders(program);
    status = run(tests, unprivileged);
    (void)nftw(rig_host.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

bool rig_has(enum sandbox_feature f)
{
    return (rig_host.probe.features >> f) & 1u;
}

/* ---- a zygote ---- */

static int lifted(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 50);

    assert_true(high >= 0);
    (void)close(fd);
    return high;
}

static void run_zygote(const struct rig *r, int control, int log, const char *mode)
{
    char text[SANDBOX_PLAN_TEXT_MAX];
    int null_fd = lifted(open("/dev/null", O_RDWR));

    if (!sandbox_plan_write(&r->plan, text, sizeof(text)) || dup2(null_fd, 0) < 0 || dup2(log, 1) < 0 ||
        dup2(log, 2) < 0 || dup2(control, ZYGOTE_CONTROL_FD) < 0)
        _exit(99);
    (void)setenv(SANDBOX_PLAN_VARIABLE, text, 1);
    (void)setenv("OMP_NUM_THREADS", "1", 1);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    (void)execl(rig_host.program, rig_host.program, "zygote", mode, (char *)NULL);
    _exit(99);
}

void rig_start(struct rig *r, enum sandbox_profile profile, const char *mode)
{
    int control[2], log[2];

    *r =
        (struct rig){ .plan = { .profile = profile, .features = rig_host.probe.features, .uid = SANDBOX_DEFAULT_UID } };
    if (profile != SANDBOX_UNPACK && rig_has(SANDBOX_ROOT_BIT) && !rig_has(SANDBOX_MODEL_MOUNT_BIT))
        (void)snprintf(r->plan.models, sizeof(r->plan.models), "%s", rig_host.models);
    if (profile == SANDBOX_UNPACK || profile == SANDBOX_COMPILE)
        (void)snprintf(r->plan.work, sizeof(r->plan.work), "%s", rig_host.work);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    control[1] = lifted(control[1]);
    log[1] = lifted(log[1]);
    r->zygote = fork();
    assert_true(r->zygote >= 0);
    if (r->zygote == 0)
        run_zygote(r, control[1], log[1], mode);
    (void)close(control[1]);
    (void)close(log[1]);
    r->control = control[0];
    r->log = log[0];
}

void rig_stop(struct rig *r)
{
    (void)close(r->control);
    assert_int_equal(waitpid(r->zygote, NULL, 0), r->zygote);
    (void)close(r->log);
}

/* ---- its processes ---- */

static void send_with(int to, const void *bytes, size_t size, const int *fds, unsigned count)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(ZYGOTE_MAX_FDS * sizeof(int))];
    } control = { .align = {
                      .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec span = { .iov_base = (void *)bytes, .iov_len = size };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1 };

    if (count > 0) {
        memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    assert_int_equal(sendmsg(to, &m, MSG_NOSIGNAL), (ssize_t)size);
}

static void wait_readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&p, 1, RIG_PATIENCE_MS), 1);
}

static void receive_reply(struct rig *r, struct inmate *out)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct zygote_reply reply;
    struct iovec span = { .iov_base = &reply, .iov_len = sizeof(reply) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

    wait_readable(r->control);
    if (recvmsg(r->control, &m, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(reply)) {
        char words[512] = "";

        (void)!read(r->log, words, sizeof(words) - 1);
        fail_msg("the zygote ended: %s", words);
    }
    assert_int_equal(reply.magic, ZYGOTE_MAGIC);
    assert_int_equal(reply.id, r->next_id);
    assert_int_equal(reply.error, 0);
    out->pid = reply.pid;
    memcpy(&out->pidfd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
}

static void assign(struct rig *r, const struct rig_wish *w, struct inmate *i)
{
    struct zygote_assignment a = { .magic = ZYGOTE_MAGIC, .memory_size_mb = 1024, .rlimit_mb = w->rlimit_mb };
    bool exec_model = r->plan.profile == SANDBOX_PYTHON;
    int model = -1;

    if (rig_has(SANDBOX_MODEL_MOUNT_BIT))
        model = sandbox_model_mount(rig_host.model, exec_model);
    else if (!r->plan.models[0])
        model = open(rig_host.model, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(model >= 0 || r->plan.models[0]);
    a.has_model = model >= 0;
    send_with(i->channel, &a, sizeof(a), &model, a.has_model);
    if (model >= 0)
        (void)close(model);
}

void rig_make(struct rig *r, const struct rig_wish *w, struct inmate *out)
{
    struct zygote_request request = { .magic = ZYGOTE_MAGIC, .id = ++r->next_id, .cgroup_count = w->cgroup_count };
    int fds[ZYGOTE_MAX_FDS], channel[2], log[2];
    bool tool = r->plan.profile == SANDBOX_UNPACK;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    if (r->plan.models[0] && !tool)
        (void)snprintf(request.model, sizeof(request.model), "one");
    request.rlimit_mb = tool ? w->rlimit_mb : 0;
    request.file_limit_mb = w->file_mb;
    fds[0] = channel[1];
    fds[1] = log[1];
    memcpy(fds + 2, w->cgroups, w->cgroup_count * sizeof(int));
    send_with(r->control, &request, sizeof(request), fds, 2 + w->cgroup_count);
    (void)close(channel[1]);
    (void)close(log[1]);
    out->channel = channel[0];
    out->log = log[0];
    receive_reply(r, out);
    if (!w->unassigned && !tool)
        assign(r, w, out);
}

bool rig_say(struct inmate *i, const char *line, char *out, size_t size)
{
    size_t len = 0;

    if (send(i->channel, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line) ||
        send(i->channel, "\n", 1, MSG_NOSIGNAL) != 1)
        return false;
    while (len < size - 1) {
        wait_readable(i->channel);
        if (recv(i->channel, out + len, 1, 0) != 1)
            return false;
        if (out[len] == '\n')
            break;
        len++;
    }
    out[len] = '\0';
    return true;
}

int rig_reap(struct inmate *i)
{
    struct pollfd p = { .fd = i->pidfd, .events = POLLIN };
    int status;

    (void)shutdown(i->channel, SHUT_WR);
    assert_int_equal(poll(&p, 1, RIG_PATIENCE_MS), 1);
    assert_int_equal(waitpid(i->pid, &status, 0), i->pid);
    (void)close(i->pidfd);
    (void)close(i->channel);
    (void)close(i->log);
    return status;
}

int rig_kill(struct inmate *i)
{
    assert_int_equal(kill(i->pid, SIGKILL), 0);
    return rig_reap(i);
}
