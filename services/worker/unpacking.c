#include "unpacking.h"

#include "base/mem.h"
#include "cache_disk.h"
#include "loop/loop.h"
#include "tool_run.h"

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
#define FOLDERS      4 /* for each entry, those of its path included that have no entry of their own */
#define EXIT_REFUSED 3

struct unpacking {
    struct loop *loop;
    struct tool_run run;
    struct loop_job job;
    int dir_fd; /* ours */
    char *dir;
    int64_t timeout_ms, max_bytes;
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

    pl_close_p(&u->dir_fd);
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

    if (u->run.cancelled)
        (void)pl_fail(&err, PL_CANCELLED, NULL, "unpacking was cancelled");
    else if (u->sync_errno)
        (void)pl_fail_reason(&err, PL_INTERNAL, "CACHE_FAILED", NULL, "cannot sync the unpacked artifact: %s",
                             strerror(u->sync_errno));
    finish(u, err.code == PL_OK ? NULL : &err);
}

/* ---- the process ---- */

static enum pl_code why_not(const struct unpacking *u, const struct tool_end *e, struct pl_err *err)
{
    if (u->run.cancelled)
        return pl_fail(err, PL_CANCELLED, NULL, "unpacking was cancelled");
    if (u->run.timed_out)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri",
                              "the artifact was not unpacked within %" PRId64 " s", u->timeout_ms / 1000);
    if (u->run.overfull)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri",
                              "the unpacker wrote more than it may: %" PRId64 " bytes in %d entries", u->max_bytes,
                              MAX_ENTRIES);
    if (e->err) {
        *err = *e->err;
        return err->code;
    }
    if (WIFEXITED(e->status) && WEXITSTATUS(e->status) == 0)
        return PL_OK;
    if (WIFEXITED(e->status) && WEXITSTATUS(e->status) == EXIT_REFUSED)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri", "%s", e->words);
    /* It crashed on the archive, or met its memory limit: the artifact's doing, as far as anybody can tell. */
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", "artifact_uri", "the unpacker %s%s%s", e->how,
                          e->words[0] ? ": " : "", e->words);
}

static void ended(struct tool_run *r, const struct tool_end *e)
{
    struct unpacking *u = PL_CONTAINER(r, struct unpacking, run);
    struct pl_err err;

    if (why_not(u, e, &err) != PL_OK) {
        finish(u, &err);
        return;
    }
    u->job.work = settle;
    u->job.done = settled;
    loop_job(u->loop, &u->job);
}

void unpacking_cancel(struct unpacking *u)
{
    tool_run_cancel(&u->run);
}

enum pl_code unpacking_start(struct unpacking **out, struct loop *l, struct spawner *s,
                             const struct unpacking_spec *spec, unpacking_done_fn *done, void *arg, struct pl_err *err)
{
    struct spawn_unpack_spec how = { .archive_fd = spec->archive_fd,
                                     .dir = spec->dir,
                                     .max_bytes = spec->max_bytes,
                                     .max_entries = MAX_ENTRIES,
                                     .max_ratio = MAX_RATIO };
    pl_cleanup(pl_close_p) int dir_fd = fcntl(spec->dir_fd, F_DUPFD_CLOEXEC, 0);
    struct unpacking *u;

    if (dir_fd < 0)
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "no descriptor left: %s", strerror(errno));
    u = PL_NEW(struct unpacking);
    tool_run_init(&u->run, l, ended);
    if (spawn_unpack(s, &how, tool_run_made, &u->run, &u->run.making, err) != PL_OK) {
        free(u);
        return err->code;
    }
    u->loop = l;
    u->dir_fd = pl_take_fd(dir_fd);
    u->dir = pl_strdup(spec->dir);
    u->timeout_ms = spec->timeout_ms;
    u->done = done;
    u->arg = arg;
    u->max_bytes = spec->max_bytes;
    tool_run_limit(&u->run, spec->timeout_ms);
    tool_run_watch(&u->run, u->dir, spec->max_bytes, (int64_t)MAX_ENTRIES * FOLDERS);
    *out = u;
    return PL_OK;
}
