#include "compiling.h"

#include "base/mem.h"
#include "cache_disk.h"
#include "layout/forest_folder.h"
#include "loop/loop.h"
#include "tool_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_BYTES 512
/* What comes out is bounded by what goes in; these only stop a compiler that has lost its mind. */
#define MAX_BYTES   ((int64_t)2 << 30)
#define MAX_ENTRIES 4096

struct compiling {
    struct loop *loop;
    struct tool_run run;
    struct loop_job job;
    int dir_fd; /* ours */
    char *dir;
    int64_t timeout_ms;
    bool failed, killed;
    char said[SAID_BYTES];
    int64_t bytes; /* by our own count */
    int sync_errno;
    compiling_done_fn *done;
    void *arg;
};

static void compiling_free(struct compiling *c)
{
    pl_close_p(&c->dir_fd);
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

    if (c->run.overfull)
        cache_disk_empty(c->dir);
    c->sync_errno = c->failed ? write_why(c) : 0;
    c->bytes = cache_disk_size(c->dir);
    if (c->sync_errno == 0 && syncfs(c->dir_fd) != 0)
        c->sync_errno = errno;
}

static void settled(struct loop_job *j)
{
    struct compiling *c = PL_CONTAINER(j, struct compiling, job);
    struct pl_err err = { 0 };

    if (c->run.cancelled)
        (void)pl_fail(&err, PL_CANCELLED, NULL, "compiling was cancelled");
    else if (c->sync_errno)
        (void)pl_fail_reason(&err, PL_INTERNAL, "CACHE_FAILED", NULL, "cannot write the compiled model: %s",
                             strerror(c->sync_errno));
    else if (c->killed)
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "COMPILER_KILLED", NULL, "%s", c->said);
    c->done(c->arg, c->bytes, c->said, err.code == PL_OK ? NULL : &err);
    compiling_free(c);
}

/* ---- the process ---- */

static void say(struct compiling *c, const struct tool_end *e)
{
    if (c->run.timed_out)
        (void)snprintf(c->said, sizeof(c->said), "it was not compiled within %" PRId64 " s", c->timeout_ms / 1000);
    else if (c->run.overfull)
        (void)snprintf(c->said, sizeof(c->said), "the compiler wrote more than %" PRId64 " bytes or %d files",
                       MAX_BYTES, MAX_ENTRIES);
    else if (c->failed)
        (void)snprintf(c->said, sizeof(c->said), "the compiler %.96s%s%.256s", e->how, e->words[0] ? ": " : "",
                       e->words);
    else
        (void)snprintf(c->said, sizeof(c->said), "%.500s", e->words);
}

static void ended(struct tool_run *r, const struct tool_end *e)
{
    struct compiling *c = PL_CONTAINER(r, struct compiling, run);

    if (e->err && !c->run.timed_out && !c->run.overfull) {
        c->done(c->arg, 0, "", e->err);
        compiling_free(c);
        return;
    }
    c->failed = e->err || !WIFEXITED(e->status) || WEXITSTATUS(e->status) != 0;
    /* By hand, or by a system out of memory: the model need not be to blame. One that takes too long is. */
    c->killed =
        !e->err && WIFSIGNALED(e->status) && WTERMSIG(e->status) == SIGKILL && !c->run.timed_out && !c->run.overfull;
    say(c, e);
    c->job.work = settle;
    c->job.done = settled;
    loop_job(c->loop, &c->job);
}

void compiling_cancel(struct compiling *c)
{
    tool_run_cancel(&c->run);
}

enum pl_code compiling_start(struct compiling **out, struct loop *l, struct spawner *s,
                             const struct compiling_spec *spec, compiling_done_fn *done, void *arg, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int dir_fd = fcntl(spec->dir_fd, F_DUPFD_CLOEXEC, 0);
    struct spawn_compile_spec how = { .model = spec->model_dir, .dir = spec->dir };
    struct compiling *c;

    if (dir_fd < 0)
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "no descriptor left: %s", strerror(errno));
    c = PL_NEW(struct compiling);
    tool_run_init(&c->run, l, ended);
    if (spawn_compile(s, &how, tool_run_made, &c->run, &c->run.making, err) != PL_OK) {
        free(c);
        return err->code;
    }
    c->loop = l;
    c->dir_fd = pl_take_fd(dir_fd);
    c->dir = pl_strdup(spec->dir);
    c->timeout_ms = spec->timeout_ms;
    c->done = done;
    c->arg = arg;
    tool_run_limit(&c->run, spec->timeout_ms);
    tool_run_watch(&c->run, c->dir, MAX_BYTES, MAX_ENTRIES);
    *out = c;
    return PL_OK;
}
