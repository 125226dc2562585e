/* Tools: one process, one zygote of its own, because its root shows the one folder that it works on. */
#include "spawn.h"

#include "assignment.h"
#include "base/mem.h"
#include "base/sanitizer.h"
#include "base/time.h"
#include "child.h"
#include "loop/loop.h"
#include "seats.h"
#include "spawner_parts.h"
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ARGUMENTS    10
#define FIXED_FDS        2 /* channel and log */
#define MIB              ((int64_t)1 << 20)
#define UNPACK_MEMORY_MB 512
/* A model of JSON takes XGBoost about seven times its size, and 6 GB are an instance's largest memory size. */
#define COMPILE_MEMORY_MB 6144
/* What comes out is bounded by what goes in; this only stops a compiler that has lost its mind. */
#define COMPILE_FILE_MB 2048
/* Threads: its own, and those who look up names. */
#define EGRESS_PROCESSES 32

struct spawn_tool {
    struct loop *loop;
    struct zygote *zygote;
    struct zygote_ask ask;
    struct sandbox_plan plan;
    int channel;            /* ours, to assign a model by; -1: it has none */
    const char *model;      /* NULL: none, or named in the request */
    struct loop_timer tell; /* what came of it, outside of the zygote's callback: then the zygote may go */
    int log_fd;
    pid_t pid;
    int pidfd;
    struct pl_err err;
    spawn_tool_made_fn *made; /* NULL: cancelled */
    void *arg;
    char *argv[MAX_ARGUMENTS];
    char numbers[3][24];
};

static void tool_free(struct spawn_tool *t)
{
    loop_timer_clear(t->loop, &t->tell);
    zygote_free(t->zygote);
    pl_close_p(&t->log_fd);
    pl_close_p(&t->channel);
    free(t->argv[0]);
    free(t);
}

static void tell(struct loop_timer *timer)
{
    struct spawn_tool *t = PL_CONTAINER(timer, struct spawn_tool, tell);
    struct spawned p = { .pid = t->pid, .pidfd = t->pidfd, .fd = -1, .log_fd = t->log_fd };
    spawn_tool_made_fn *made = t->made;
    struct pl_err err = t->err;
    void *arg = t->arg;

    if (t->pidfd >= 0)
        t->log_fd = -1;
    tool_free(t);
    made(arg, err.code == PL_OK ? &p : NULL, &err);
}

static enum pl_code assign(struct spawn_tool *t, struct pl_err *err)
{
    struct assignment a = { .model = t->model, .door_fd = -1, .memory_size_mb = COMPILE_MEMORY_MB };

    return assignment_send(t->channel, &t->plan, &a, err);
}

static void answered(struct zygote_ask *a, pid_t pid, int pidfd, const struct pl_err *err)
{
    struct spawn_tool *t = PL_CONTAINER(a, struct spawn_tool, ask);

    t->pid = pid;
    t->pidfd = pidfd;
    if (err)
        t->err = *err;
    else if (t->channel >= 0 && assign(t, &t->err) != PL_OK)
        child_abandon(pid, pl_take_fd(t->pidfd));
    loop_timer_set(t->loop, &t->tell, pl_now_ms());
}

void spawn_tool_cancel(struct spawn_tool *t)
{
    if (t->pidfd >= 0)
        child_abandon(t->pid, t->pidfd);
    tool_free(t);
}

/* Opened anew: the tool gets a read-only description of its own, and no file offset in common with us. */
static int reopen_to_read(int fd)
{
    char path[40];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* The folder becomes the tool's, where it has a user id of its own. */
static bool give_folder(const char *dir, const struct sandbox_plan *plan)
{
    return !SANDBOX_HAS(plan->features, OWN_UID) || chown(dir, plan->uid, plan->uid) == 0;
}

static bool make_log(struct spawn_tool *t, int *out_theirs)
{
    int log[2];

    if (pipe2(log, O_CLOEXEC) != 0)
        return false;
    t->log_fd = log[0];
    *out_theirs = log[1];
    return fcntl(t->log_fd, F_SETFL, O_NONBLOCK) == 0;
}

static struct spawn_tool *tool_new(struct spawner *s, enum sandbox_profile profile, const char *dir,
                                   spawn_tool_made_fn *made, void *arg)
{
    struct spawn_tool *t = PL_NEW(struct spawn_tool);

    t->plan = spawner_plan(s, profile);
    (void)snprintf(t->plan.work, sizeof(t->plan.work), "%s", dir);
    t->loop = spawner_loop(s);
    t->log_fd = t->pidfd = t->channel = -1;
    t->tell.fire = tell;
    t->ask.answered = answered;
    t->made = made;
    t->arg = arg;
    return t;
}

/* 'fds': what the process gets as its channel and its log, taken over. */
static void begin(struct spawn_tool *t, const char *name, int channel, int log, unsigned memory_mb, int64_t file_mb)
{
    t->ask.fds[0] = channel;
    t->ask.fds[1] = log;
    t->ask.fd_count = FIXED_FDS + t->ask.request.cgroup_count;
    t->ask.request.rlimit_mb = PL_SANITIZED ? 0 : memory_mb;
    t->ask.request.file_limit_mb = (uint32_t)file_mb;
    t->zygote = zygote_new(t->loop, name, t->argv, &t->plan);
    zygote_ask(t->zygote, &t->ask);
}

static enum pl_code not_begun(struct spawn_tool *t, int channel, int log, const char *what, struct pl_err *err)
{
    (void)pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot prepare to %s: %s", what, strerror(errno));
    pl_close_p(&channel);
    pl_close_p(&log);
    tool_free(t);
    return err->code;
}

enum pl_code spawn_unpack(struct spawner *s, const struct spawn_unpack_spec *spec, spawn_tool_made_fn *made, void *arg,
                          struct spawn_tool **out, struct pl_err *err)
{
    struct spawn_tool *t = tool_new(s, SANDBOX_UNPACK, spec->dir, made, arg);
    int archive = reopen_to_read(spec->archive_fd);
    int log = -1;

    if (archive < 0 || !make_log(t, &log) || !give_folder(spec->dir, &t->plan))
        return not_begun(t, archive, log, "unpack", err);
    (void)snprintf(t->numbers[0], sizeof(t->numbers[0]), "%" PRId64, spec->max_bytes);
    (void)snprintf(t->numbers[1], sizeof(t->numbers[1]), "%" PRId64, spec->max_entries);
    (void)snprintf(t->numbers[2], sizeof(t->numbers[2]), "%" PRId64, spec->max_ratio);
    memcpy(t->argv,
           (char *[]){ pl_strdup(spawner_runner(s)), (char *)"zygote", (char *)"unpack", (char *)"--max-bytes",
                       t->numbers[0], (char *)"--max-entries", t->numbers[1], (char *)"--max-ratio", t->numbers[2],
                       NULL },
           sizeof(t->argv));
    begin(t, "unpack", archive, log, UNPACK_MEMORY_MB, (spec->max_bytes + MIB - 1) / MIB);
    *out = t;
    return PL_OK;
}

static bool make_channel(struct spawn_tool *t, int *out_theirs)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    t->channel = pair[0];
    *out_theirs = pair[1];
    return true;
}

enum pl_code spawn_compile(struct spawner *s, const struct spawn_compile_spec *spec, spawn_tool_made_fn *made,
                           void *arg, struct spawn_tool **out, struct pl_err *err)
{
    struct spawn_tool *t = tool_new(s, SANDBOX_COMPILE, spec->dir, made, arg);
    int channel = -1, log = -1;

    if (!make_channel(t, &channel) || !make_log(t, &log) || !give_folder(spec->dir, &t->plan))
        return not_begun(t, channel, log, "compile", err);
    if (assignment_by_name(&t->plan))
        (void)snprintf(t->ask.request.model, sizeof(t->ask.request.model), "%s", strrchr(spec->model, '/') + 1);
    else
        t->model = spec->model;
    memcpy(t->argv, (char *[]){ pl_strdup(spawner_runner(s)), (char *)"zygote", (char *)"compile", NULL },
           4 * sizeof(t->argv[0]));
    begin(t, "compile", channel, log, COMPILE_MEMORY_MB, COMPILE_FILE_MB);
    *out = t;
    return PL_OK;
}

/* It enters its control groups by itself, before it locks itself in. False: with errno. */
static bool seat_tool(struct spawn_tool *t, struct seat *seat, int memory_size_mb)
{
    int count = 0;

    if (seat && (!seat_limit(seat, memory_size_mb) || (count = seat_entrances(seat, t->ask.fds + FIXED_FDS)) < 0))
        return false;
    t->ask.request.cgroup_count = (uint32_t)count;
    return true;
}

/* All of the sandbox but the network namespace. */
enum pl_code spawn_egress(struct spawner *s, int control, int memory_size_mb, spawn_tool_made_fn *made, void *arg,
                          struct spawn_tool **out, struct seat **out_seat, struct pl_err *err)
{
    struct spawn_tool *t = tool_new(s, SANDBOX_EGRESS, "", made, arg);
    struct seat *seat = seats_take(spawner_seats(s), EGRESS_PROCESSES);
    bool limited = seat && seat_limits_memory(seat);
    int log = -1;

    t->plan.features &= ~SANDBOX_BIT(NET_NS);
    if (!make_log(t, &log) || !seat_tool(t, seat, memory_size_mb)) {
        (void)not_begun(t, control, log, "lead instances to the network", err);
        seats_give(spawner_seats(s), seat);
        return err->code;
    }
    memcpy(t->argv, (char *[]){ pl_strdup(spawner_runner(s)), (char *)"zygote", (char *)"egress", NULL },
           4 * sizeof(t->argv[0]));
    begin(t, "egress", control, log, limited ? 0 : (unsigned)memory_size_mb, 0);
    *out = t;
    *out_seat = seat;
    return PL_OK;
}
