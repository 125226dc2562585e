#include "disk_watch.h"

#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

#define WALK_FDS    16
#define PAUSE_MS    50
#define SHARE       5 /* looking takes at most one part in so many of the time */
#define BLOCK_BYTES 512
/* What a file takes beyond its size, and its entry in a folder: an honest tool that is at its limits takes so much. */
#define ENTRY_BYTES 8192

struct disk_watch {
    struct loop *loop;
    struct loop_timer timer;
    struct loop_job job;
    bool walking;
    char *dir;
    int64_t max_bytes, max_entries;
    bool too_much; /* as the walk found */
    int64_t took_ms;
    void (*full)(void *arg); /* NULL: nobody waits for it any more */
    void *arg;
};

/* nftw() passes no argument on. */
static _Thread_local struct {
    int64_t bytes, entries;
    bool hidden;
} sum;

static int add(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)path, (void)walk;
    sum.entries++;
    if (type == FTW_DNR || type == FTW_NS)
        sum.hidden = true;
    else /* a file of several names is met under each */
        sum.bytes += st->st_blocks * BLOCK_BYTES / (type == FTW_F && st->st_nlink > 1 ? (int64_t)st->st_nlink : 1);
    return 0;
}

bool disk_watch_sum(const char *dir, int64_t *out_bytes, int64_t *out_entries)
{
    sum.bytes = sum.entries = 0;
    sum.hidden = false;
    if (nftw(dir, add, WALK_FDS, FTW_PHYS) != 0)
        sum.hidden = true; /* such as a path that is too long to be named */
    *out_bytes = sum.bytes;
    *out_entries = sum.entries - 1;
    return !sum.hidden;
}

static void walk(struct loop_job *j)
{
    struct disk_watch *w = PL_CONTAINER(j, struct disk_watch, job);
    int64_t began_ms = pl_now_ms(), bytes, entries;

    w->too_much = !disk_watch_sum(w->dir, &bytes, &entries) || entries > w->max_entries ||
                  bytes > w->max_bytes + w->max_entries * ENTRY_BYTES;
    w->took_ms = pl_now_ms() - began_ms;
}

static void watch_free(struct disk_watch *w)
{
    loop_timer_clear(w->loop, &w->timer);
    free(w->dir);
    free(w);
}

static void walked(struct loop_job *j)
{
    struct disk_watch *w = PL_CONTAINER(j, struct disk_watch, job);
    int64_t pause_ms = w->took_ms * (SHARE - 1);

    w->walking = false;
    if (!w->full)
        watch_free(w);
    else if (w->too_much)
        w->full(w->arg);
    else
        loop_timer_set(w->loop, &w->timer, pl_now_ms() + (pause_ms > PAUSE_MS ? pause_ms : PAUSE_MS));
}

static void look(struct loop_timer *t)
{
    struct disk_watch *w = PL_CONTAINER(t, struct disk_watch, timer);

    w->walking = true;
    loop_job(w->loop, &w->job);
}

struct disk_watch *disk_watch_begin(struct loop *l, const char *dir, int64_t max_bytes, int64_t max_entries,
                                    void (*full)(void *arg), void *arg)
{
    struct disk_watch *w = PL_NEW(struct disk_watch);

    w->loop = l;
    w->timer.fire = look;
    w->job.work = walk;
    w->job.done = walked;
    w->dir = pl_strdup(dir);
    w->max_bytes = max_bytes;
    w->max_entries = max_entries;
    w->full = full;
    w->arg = arg;
    loop_timer_set(l, &w->timer, pl_now_ms() + PAUSE_MS);
    return w;
}

void disk_watch_end(struct disk_watch *w)
{
    if (!w)
        return;
    w->full = NULL;
    if (!w->walking)
        watch_free(w);
}
