/* Tools: one process, one zygote of its own, because its root shows the one folder that it works on. */
#include "spawn.h"

#include "base/mem.h"
#include "base/sanitizer.h"
#include "base/time.h"
#include "child.h"
#include "loop/loop.h"
#include "spawner_parts.h"
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ARGUMENTS  10
#define TOOL_MEMORY_MB 512
#define MIB            ((int64_t)1 << 20)

struct spawn_tool {
    struct loop *loop;
    struct zygote *zygote;
    struct zygote_ask ask;
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

static void answered(struct zygote_ask *a, pid_t pid, int pidfd, const struct pl_err *err)
{
    struct spawn_tool *t = PL_CONTAINER(a, struct spawn_tool, ask);

    t->pid = pid;
    t->pidfd = pidfd;
    if (err)
        t->err = *err;
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

static struct spawn_tool *tool_new(struct spawner *s, spawn_tool_made_fn *made, void *arg)
{
    struct spawn_tool *t = PL_NEW(struct spawn_tool);

    t->loop = spawner_loop(s);
    t->log_fd = t->pidfd = -1;
    t->tell.fire = tell;
    t->ask.answered = answered;
    t->made = made;
    t->arg = arg;
    return t;
}

enum pl_code spawn_unpack(struct spawner *s, const struct spawn_unpack_spec *spec, spawn_tool_made_fn *made, void *arg,
                          struct spawn_tool **out, struct pl_err *err)
{
    struct sandbox_plan plan = spawner_plan(s, SANDBOX_UNPACK);
    struct spawn_tool *t = tool_new(s, made, arg);
    int archive = reopen_to_read(spec->archive_fd);
    int log = -1;

    (void)snprintf(plan.work, sizeof(plan.work), "%s", spec->dir);
    if (archive < 0 || !make_log(t, &log) || !give_folder(spec->dir, &plan)) {
        (void)pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot prepare to unpack: %s",
                             strerror(errno));
        pl_close_p(&archive);
        pl_close_p(&log);
        tool_free(t);
        return err->code;
    }
    (void)snprintf(t->numbers[0], sizeof(t->numbers[0]), "%" PRId64, spec->max_bytes);
    (void)snprintf(t->numbers[1], sizeof(t->numbers[1]), "%" PRId64, spec->max_entries);
    (void)snprintf(t->numbers[2], sizeof(t->numbers[2]), "%" PRId64, spec->max_ratio);
    memcpy(t->argv,
           (char *[]){ pl_strdup(spawner_runner(s)), (char *)"zygote", (char *)"unpack", (char *)"--max-bytes",
                       t->numbers[0], (char *)"--max-entries", t->numbers[1], (char *)"--max-ratio", t->numbers[2],
                       NULL },
           sizeof(t->argv));
    t->ask.fds[0] = archive;
    t->ask.fds[1] = log;
    t->ask.fd_count = 2;
    t->ask.request.rlimit_mb = PL_SANITIZED ? 0 : TOOL_MEMORY_MB;
    t->ask.request.file_limit_mb = (uint32_t)((spec->max_bytes + MIB - 1) / MIB);
    t->zygote = zygote_new(t->loop, "unpack", t->argv, &plan);
    zygote_ask(t->zygote, &t->ask);
    *out = t;
    return PL_OK;
}
