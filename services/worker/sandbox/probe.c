/* Trying the whole thing, and leaving out what fails until it works. */
#include "sandbox/probe.h"

#include "base/time.h"
#include "enter.h"
#include "sandbox/model_mount.h"
#include "sandbox/plan.h"
#include "sandbox/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000
#define SAFE_FD 10

/* How a trial ended. */
struct outcome {
    bool up;
    int64_t took_us; /* from asking for it until it was up */
    char step[96];   /* that failed; "" when clone3() itself did, or nothing was said */
    char why[160];
};

struct trial {
    const char *program;
    char folder[PATH_MAX]; /* the program's, which plays the model */
    struct sandbox_plan plan;
    pid_t zygote, instance;
    int control, log, channel; /* our ends */
};

/* ---- making it ---- */

static int lifted(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FD);

    (void)close(fd);
    return high;
}

static bool pair(int type, int *ours, int *theirs)
{
    int fds[2];

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0)
        return false;
    *ours = lifted(fds[0]);
    *theirs = lifted(fds[1]);
    return *ours >= 0 && *theirs >= 0;
}

static bool start_zygote(struct trial *t, int control, int log)
{
    char plan[sizeof(SANDBOX_PLAN_VARIABLE) + SANDBOX_PLAN_TEXT_MAX];
    char *const argv[] = { (char *)"pilotlight-runner", (char *)"zygote", (char *)"probe", NULL };
    char *const envp[] = { (char *)"OMP_NUM_THREADS=1", (char *)"ASAN_OPTIONS=detect_leaks=0", plan, NULL };
    int n = snprintf(plan, sizeof(plan), "%s=", SANDBOX_PLAN_VARIABLE);
    posix_spawn_file_actions_t actions;
    int failed;

    if (!sandbox_plan_write(&t->plan, plan + n, sizeof(plan) - (size_t)n) ||
        posix_spawn_file_actions_init(&actions) != 0)
        return false;
    failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ||
             posix_spawn_file_actions_adddup2(&actions, log, STDOUT_FILENO) ||
             posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO) ||
             posix_spawn_file_actions_adddup2(&actions, control, ZYGOTE_CONTROL_FD);
    if (!failed)
        failed = posix_spawn(&t->zygote, t->program, &actions, NULL, argv, envp);
    (void)posix_spawn_file_actions_destroy(&actions);
    return !failed;
}

static bool send_with(int to, const void *bytes, size_t size, const int *fds, unsigned count)
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
    return sendmsg(to, &m, MSG_NOSIGNAL) == (ssize_t)size;
}

/* False: nothing came in time, or the other side is gone. */
static bool wait_for(int fd, void *bytes, size_t size)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, WAIT_MS) == 1 && recv(fd, bytes, size, MSG_DONTWAIT) == (ssize_t)size;
}

/* ---- judging it ---- */

/* The last words on its log: "sandbox: cannot take the step 'NAME': WHY", or whatever there is. */
static void read_words(struct trial *t, struct outcome *out)
{
    char text[1024];
    ssize_t n = recv(t->log, text, sizeof(text) - 1, MSG_DONTWAIT);
    const char *step, *end;

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(out->why, sizeof(out->why), "%.150s", text[0] ? text : "it ended without a word");
    step = strstr(text, "the step '");
    end = step ? strstr(step, "': ") : NULL;
    if (!end)
        return;
    step += strlen("the step '");
    end = strchr(step, '\'');
    (void)snprintf(out->step, sizeof(out->step), "%.*s", (int)(end - step), step);
    (void)snprintf(out->why, sizeof(out->why), "step '%.80s'%.60s", out->step, end + 1);
}

static void end_process(pid_t *pid)
{
    if (*pid > 0) {
        (void)kill(*pid, SIGKILL);
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    *pid = 0;
}

/* Both are dead before their last words are read. */
static void end_trial(struct trial *t, struct outcome *out)
{
    pl_close_p(&t->control);
    if (out->up || t->zygote <= 0) {
        end_process(&t->instance);
        end_process(&t->zygote);
    } else {
        struct pollfd p = { .fd = t->log, .events = POLLIN };

        (void)poll(&p, 1, WAIT_MS);
        end_process(&t->instance);
        end_process(&t->zygote);
        if (!out->why[0])
            read_words(t, out);
    }
    pl_close_p(&t->log);
    pl_close_p(&t->channel);
}

static void ask(struct trial *t, int theirs, int log, struct outcome *out)
{
    struct zygote_request r = { .magic = ZYGOTE_MAGIC, .id = 1 };
    struct zygote_assignment a = { .magic = ZYGOTE_MAGIC, .memory_size_mb = 1 };
    struct zygote_reply reply;
    pl_cleanup(pl_close_p) int model = -1;
    int64_t began_us;
    char up[2];

    if (t->plan.models[0])
        (void)snprintf(r.model, sizeof(r.model), "%s", strrchr(t->folder, '/') + 1);
    else
        model = SANDBOX_HAS(t->plan.features, MODEL_MOUNT) ? sandbox_model_mount(t->folder, false)
                                                           : open(t->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    a.has_model = model >= 0;
    began_us = pl_now_us();
    if (!send_with(t->control, &r, sizeof(r), (int[]){ theirs, log }, 2) ||
        !wait_for(t->control, &reply, sizeof(reply)))
        return;
    if (reply.error) {
        (void)snprintf(out->why, sizeof(out->why), "clone3: %s", strerror(reply.error));
        return;
    }
    t->instance = reply.pid;
    pl_close_p(&theirs);
    out->up = send_with(t->channel, &a, sizeof(a), &model, a.has_model) && wait_for(t->channel, up, sizeof(up));
    out->took_us = pl_now_us() - began_us;
}

static void try_plan(const char *program, const struct sandbox_plan *plan, struct outcome *out)
{
    struct trial t = { .program = program, .plan = *plan, .control = -1, .log = -1, .channel = -1 };
    pl_cleanup(pl_close_p) int control = -1;
    pl_cleanup(pl_close_p) int log = -1;
    pl_cleanup(pl_close_p) int channel = -1;

    *out = (struct outcome){ 0 };
    (void)snprintf(t.folder, sizeof(t.folder), "%s", program);
    *strrchr(t.folder, '/') = '\0';
    if (SANDBOX_HAS(plan->features, ROOT) && !SANDBOX_HAS(plan->features, MODEL_MOUNT)) {
        (void)snprintf(t.plan.models, sizeof(t.plan.models), "%s", t.folder);
        *strrchr(t.plan.models, '/') = '\0';
        if (!t.plan.models[0])
            (void)snprintf(t.plan.models, sizeof(t.plan.models), "/");
    }
    if (!pair(SOCK_SEQPACKET, &t.control, &control) || !pair(SOCK_STREAM, &t.log, &log) ||
        !pair(SOCK_STREAM, &t.channel, &channel) || !start_zygote(&t, control, log))
        (void)snprintf(out->why, sizeof(out->why), "cannot start '%.80s': %s", program, strerror(errno));
    else {
        pl_close_p(&control);
        ask(&t, channel, log, out);
    }
    pl_close_p(&log);
    end_trial(&t, out);
}

/* ---- leaving out ---- */

/* What makes no sense without something else. */
static unsigned consistent(unsigned features)
{
    if (!SANDBOX_HAS(features, MOUNT_NS))
        features &= ~SANDBOX_BIT(ROOT);
    return features;
}

static void leave_out(struct sandbox_probe *p, unsigned *features, unsigned dropped, const char *why)
{
    unsigned after = consistent(*features & ~dropped);

    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++)
        if ((*features & ~after) >> i & 1u)
            (void)snprintf(p->why[i], sizeof(p->why[i]), "%s", why);
    *features = after;
}

/* clone3() does not say which of its flags it minds: the first whose absence changes its mind, or all. */
static void leave_out_namespaces(struct sandbox_probe *p, const char *program, struct sandbox_plan *plan,
                                 const char *why)
{
    static const unsigned each[] = { SANDBOX_BIT(USER_NS), SANDBOX_BIT(NET_NS), SANDBOX_BIT(IPC_NS),
                                     SANDBOX_BIT(UTS_NS),  SANDBOX_BIT(PID_NS), SANDBOX_BIT(MOUNT_NS) };
    unsigned all = 0;

    for (size_t i = 0; i < PL_COUNT(each); i++) {
        struct sandbox_plan without = *plan;
        struct outcome o;

        all |= each[i];
        without.features = consistent(plan->features & ~each[i]);
        if (without.features == plan->features)
            continue;
        try_plan(program, &without, &o);
        if (o.up || o.step[0]) {
            leave_out(p, &plan->features, each[i], why);
            return;
        }
    }
    leave_out(p, &plan->features, all, why);
}

static unsigned offered(struct sandbox_probe *p, const char *program, unsigned uid)
{
    unsigned features = SANDBOX_ALL;
    char folder[PATH_MAX], why[96];
    int fd;

    (void)snprintf(folder, sizeof(folder), "%s", program);
    *strrchr(folder, '/') = '\0';
    fd = sandbox_model_mount(folder, false);
    (void)snprintf(why, sizeof(why), "open_tree: %s", strerror(errno));
    if (fd < 0)
        leave_out(p, &features, SANDBOX_BIT(MODEL_MOUNT), why);
    pl_close_p(&fd);
    (void)snprintf(why, sizeof(why), "the worker's user id is %u", (unsigned)geteuid());
    if (!p->privileged || geteuid() != 0)
        leave_out(p, &features, SANDBOX_BIT(OWN_UID), why);
    else if (uid == 0)
        leave_out(p, &features, SANDBOX_BIT(OWN_UID), "sandbox_uid is 0");
    return features;
}

enum pl_code sandbox_probe(struct sandbox_probe *out, const char *program, unsigned uid, struct pl_err *err)
{
    struct sandbox_plan plan = { .profile = SANDBOX_TREES, .uid = uid };
    struct outcome o;

    *out = (struct sandbox_probe){ .privileged = identity_privileged() };
    if (program[0] != '/' || access(program, X_OK) != 0)
        return pl_fail(err, PL_PRECONDITION, "runner", "runner: cannot run '%.300s': %s", program, strerror(errno));
    plan.features = offered(out, program, uid);
    for (;;) {
        enum sandbox_feature feature;

        try_plan(program, &plan, &o);
        if (o.up)
            break;
        feature = enter_step_feature(o.step);
        if (feature != SANDBOX_FEATURE_COUNT)
            leave_out(out, &plan.features, 1u << feature, o.why);
        else if (strncmp(o.why, "clone3", 6) == 0 && plan.features & (SANDBOX_BIT(PID_NS) | SANDBOX_BIT(USER_NS)))
            leave_out_namespaces(out, program, &plan, o.why);
        else
            return pl_fail(err, PL_PRECONDITION, "runner", "runner: no instance comes up on this host: %s", o.why);
    }
    out->features = plan.features;
    out->start_us = o.took_us;
    return PL_OK;
}

int sandbox_trial_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    (void)sandbox_zygote_assigned();
    return write(ZYGOTE_CONTROL_FD, "up", 2) == 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
