#include "compiling.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache_disk.h"
#include "child.h"
#include "frame/forest_folder.h"
#include "loop/loop.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_BYTES 512

struct compiling {
    struct loop *loop;
    struct child child;
    struct loop_timer timer;
    struct loop_job job;
    int dir_fd; /* ours */
    int out_fd, log_fd;
    char *dir;
    int64_t timeout_ms;
    bool cancelled, timed_out, failed;
    char said[SAID_BYTES];
    int64_t bytes; /* by our own count */
    int sync_errno;
    compiling_done_fn *done;
    void *arg;
};

static void compiling_free(struct compiling *c)
{
    loop_timer_clear(c->loop, &c->timer);
    pl_close_p(&c->dir_fd);
    pl_close_p(&c->out_fd);
    pl_close_p(&c->log_fd);
    free(c->dir);
    free(c);
}

/* ---- after the process: say why it failed, measure, sync ---- */

static int write_why(const struct compiling *c)
{
    pl_cleanup(pl_close_p) int fd =
        openat(c->dir_fd, FOREST_FOLDER_WHY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t n = strlen(c->said);

    return fd >= 0 && write(fd, c->said, n) == (ssize_t)n ? 0 : errno;
}

static void settle(struct loop_job *j)
{
    struct compiling *c = PL_CONTAINER(j, struct compiling, job);

    c->sync_errno = c->failed ? write_why(c) : 0;
    c->bytes = cache_disk_size(c->dir);
    if (c->sync_errno == 0 && syncfs(c->dir_fd) != 0)
        c->sync_errno = errno;
}

static void settled(struct loop_job *j)
{
    struct compiling *c = PL_CONTAINER(j, struct compiling, job);
    struct pl_err err = { 0 };

    if (c->cancelled)
        (void)pl_fail(&err, PL_CANCELLED, NULL, "compiling was cancelled");
    else if (c->sync_errno)
        (void)pl_fail_reason(&err, PL_INTERNAL, "CACHE_FAILED", NULL, "cannot write the compiled model: %s",
                             strerror(c->sync_errno));
    c->done(c->arg, c->bytes, c->said, err.code == PL_OK ? NULL : &err);
    compiling_free(c);
}

/* ---- the process ---- */

/* The first line that it printed; a pipe holds far more than it prints, so the process never waits for us. */
static void first_line(int fd, char *out, size_t size)
{
    ssize_t n = read(fd, out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

static void say_why(struct compiling *c, const char *how)
{
    char reason[SAID_BYTES / 2];

    first_line(c->log_fd, reason, sizeof(reason));
    if (c->timed_out)
        (void)snprintf(c->said, sizeof(c->said), "it was not compiled within %" PRId64 " s", c->timeout_ms / 1000);
    else
        (void)snprintf(c->said, sizeof(c->said), "the compiler %s%s%s", how, reason[0] ? ": " : "", reason);
}

static void exited(struct child *child, int status, const char *how)
{
    struct compiling *c = PL_CONTAINER(child, struct compiling, child);

    loop_timer_clear(c->loop, &c->timer);
    c->failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (c->failed)
        say_why(c, how);
    else
        first_line(c->out_fd, c->said, sizeof(c->said));
    c->job.work = settle;
    c->job.done = settled;
    loop_job(c->loop, &c->job);
}

static void too_long(struct loop_timer *t)
{
    struct compiling *c = PL_CONTAINER(t, struct compiling, timer);

    c->timed_out = true;
    child_kill(&c->child);
}

void compiling_cancel(struct compiling *c)
{
    c->cancelled = true;
    child_kill(&c->child);
}

enum pl_code compiling_start(struct compiling **out, struct loop *l, struct spawner *s,
                             const struct compiling_spec *spec, compiling_done_fn *done, void *arg, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int model_fd = open(spec->model_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pl_cleanup(pl_close_p) int dir_fd = fcntl(spec->dir_fd, F_DUPFD_CLOEXEC, 0);
    struct spawn_compile_spec how = { .model_fd = model_fd, .dir_fd = dir_fd };
    struct spawned process;
    struct compiling *c;

    if (model_fd < 0 || dir_fd < 0)
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot open the folders to compile: %s",
                              strerror(errno));
    if (spawn_compile(s, &how, &process, err) != PL_OK)
        return err->code;
    c = PL_NEW(struct compiling);
    c->loop = l;
    c->dir_fd = pl_take_fd(dir_fd);
    c->out_fd = process.fd;
    c->log_fd = process.log_fd;
    c->dir = pl_strdup(spec->dir);
    c->timeout_ms = spec->timeout_ms;
    c->done = done;
    c->arg = arg;
    c->timer.fire = too_long;
    if (child_watch(&c->child, l, process.pid, process.pidfd, exited, err) != PL_OK) {
        compiling_free(c);
        return err->code;
    }
    loop_timer_set(l, &c->timer, pl_now_ms() + spec->timeout_ms);
    *out = c;
    return PL_OK;
}
