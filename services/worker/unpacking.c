#include "unpacking.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache_disk.h"
#include "child.h"
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

#define MAX_ENTRIES  10000
#define MAX_RATIO    200
#define EXIT_REFUSED 3
#define REASON_BYTES 768

struct unpacking {
    struct loop *loop;
    struct child child;
    struct loop_timer timer, gone;
    struct loop_job job;
    struct spawn_tool *making; /* NULL: there is a process, or none will come */
    int dir_fd;                /* ours */
    int log_fd;
    char *dir;
    int64_t timeout_ms;
    bool cancelled, timed_out;
    int64_t bytes; /* by our own count */
    int sync_errno;
    unpacking_done_fn *done;
    void *arg;
};

static void finish(struct unpacking *u, const struct pl_err *err)
{
    unpacking_done_fn *done = u->done;
    void *arg = u->arg;
    int64_t bytes = u->bytes;

    loop_timer_clear(u->loop, &u->timer);
    loop_timer_clear(u->loop, &u->gone);
    pl_close_p(&u->dir_fd);
    pl_close_p(&u->log_fd);
    free(u->dir);
    free(u);
    done(arg, bytes, err);
}

/* ---- after the process: measure and sync ---- */

static void settle(struct loop_job *j)
{
    struct unpacking *u = PL_CONTAINER(j, struct unpacking, job);

    u->bytes = cache_disk_size(u->dir);
    u->sync_errno = syncfs(u->dir_fd) == 0 ? 0 : errno;
}

static void settled(struct loop_job *j)
{
    struct unpacking *u = PL_CONTAINER(j, struct unpacking, job);
    struct pl_err err = { 0 };

    if (u->cancelled)
        (void)pl_fail(&err, PL_CANCELLED, NULL, "unpacking was cancelled");
    else if (u->sync_errno)
        (void)pl_fail_reason(&err, PL_INTERNAL, "CACHE_FAILED", NULL, "cannot sync the unpacked artifact: %s",
                             strerror(u->sync_errno));
    finish(u, err.code == PL_OK ? NULL : &err);
}

/* ---- the process ---- */

/* The first line of what it printed; a pipe holds more than that, so the process never waited for us. */
static void first_line(int fd, char *out, size_t size)
{
    ssize_t n = read(fd, out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

static enum pl_code why_not(struct unpacking *u, int status, const char *how, struct pl_err *err)
{
    char reason[REASON_BYTES];

    first_line(u->log_fd, reason, sizeof(reason));
    if (u->cancelled)
        return pl_fail(err, PL_CANCELLED, NULL, "unpacking was cancelled");
    if (u->timed_out)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri",
                              "the artifact was not unpacked within %" PRId64 " s", u->timeout_ms / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return PL_OK;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REFUSED)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri", "%s", reason);
    /* It crashed on the archive, or met its memory limit: the artifact's doing, as far as anybody can tell. */
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri", "the unpacker %s%s%s", how,
                          reason[0] ? ": " : "", reason);
}

static void exited(struct child *c, int status, const char *how)
{
    struct unpacking *u = PL_CONTAINER(c, struct unpacking, child);
    struct pl_err err;

    loop_timer_clear(u->loop, &u->timer);
    if (why_not(u, status, how, &err) != PL_OK) {
        finish(u, &err);
        return;
    }
    u->job.work = settle;
    u->job.done = settled;
    loop_job(u->loop, &u->job);
}

/* It ends, in whatever state it is; the end is told later. */
static void stop(struct unpacking *u)
{
    if (u->making) {
        spawn_tool_cancel(pl_take(u->making));
        loop_timer_set(u->loop, &u->gone, pl_now_ms());
    } else if (u->child.watch.fd >= 0) {
        child_kill(&u->child);
    }
}

static void gone(struct loop_timer *t)
{
    struct unpacking *u = PL_CONTAINER(t, struct unpacking, gone);
    struct pl_err err;

    (void)why_not(u, 0, "never ran", &err);
    finish(u, &err);
}

static void too_long(struct loop_timer *t)
{
    struct unpacking *u = PL_CONTAINER(t, struct unpacking, timer);

    u->timed_out = true;
    stop(u);
}

void unpacking_cancel(struct unpacking *u)
{
    u->cancelled = true;
    stop(u);
}

static void made(void *arg, const struct spawned *p, const struct pl_err *err)
{
    struct unpacking *u = arg;
    struct pl_err failed;

    u->making = NULL;
    if (!p) {
        finish(u, err);
        return;
    }
    u->log_fd = p->log_fd;
    if (child_watch(&u->child, u->loop, p->pid, p->pidfd, exited, &failed) != PL_OK)
        finish(u, &failed);
}

enum pl_code unpacking_start(struct unpacking **out, struct loop *l, struct spawner *s,
                             const struct unpacking_spec *spec, unpacking_done_fn *done, void *arg, struct pl_err *err)
{
    struct spawn_unpack_spec how = { .archive_fd = spec->archive_fd,
                                     .dir = spec->dir,
                                     .max_bytes = spec->max_bytes,
                                     .max_entries = MAX_ENTRIES,
                                     .max_ratio = MAX_RATIO };
    int dir_fd = fcntl(spec->dir_fd, F_DUPFD_CLOEXEC, 0);
    struct unpacking *u;

    if (dir_fd < 0)
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "no descriptor left: %s", strerror(errno));
    u = PL_NEW(struct unpacking);
    u->loop = l;
    u->dir_fd = dir_fd;
    u->log_fd = u->child.watch.fd = -1;
    u->timeout_ms = spec->timeout_ms;
    u->done = done;
    u->arg = arg;
    u->timer.fire = too_long;
    u->gone.fire = gone;
    if (spawn_unpack(s, &how, made, u, &u->making, err) != PL_OK) {
        pl_close_p(&u->dir_fd);
        free(u);
        return err->code;
    }
    u->dir = pl_strdup(spec->dir);
    loop_timer_set(l, &u->timer, pl_now_ms() + spec->timeout_ms);
    *out = u;
    return PL_OK;
}
