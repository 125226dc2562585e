#include "forests.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "compiling.h"
#include "log/log.h"
#include "loop/loop.h"
#include "worker_stats.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

/* As long as an endpoint may take to start (start timeout, 180 s) leaves room for the start itself. */
#define COMPILE_TIMEOUT_MS 90000
/* A run that somebody killed is made again: at once, then after pauses that grow, by when a system out of memory may be
 * over it. */
#define MAX_TRIES   4
#define PAUSE_TIMES 6
/* At a time, also on a machine with many processors: each may take as much memory as the largest instance. */
#define MAX_RUNNING 4

struct forests {
    struct loop *loop;
    struct cache *cache;
    struct spawner *spawner;
    const struct worker_stats *stats;
    struct list compilations; /* in order of coming */
    unsigned running, max_running;
    int64_t pause_ms; /* before the second try */
    bool shut;
    void (*idle)(void *arg); /* NULL: told already, or not asked for */
    void *idle_arg;
    struct loop_task idle_task;
};

struct compilation {
    struct forests *owner;
    struct list link;
    struct list waits;
    struct cache_item *item; /* one use */
    struct compiling *compiling;
    struct loop_task begin;
    struct loop_timer again;
    enum { WAITING, RUNNING, RESTING } state; /* for its turn; a process; until 'again' */
    unsigned tries;
    char path[PATH_MAX]; /* tmp folder; "" = none of ours */
    int64_t start_ms;
};

struct forest_wait {
    struct list link;
    forest_done_fn *done;
    void *arg;
};

/* ---- the end ---- */

/* The first that waits for its turn, now that one is free. */
static void next_one(struct forests *f)
{
    list_each(it, &f->compilations)
    {
        struct compilation *c = list_entry(it, struct compilation, link);

        if (c->state != WAITING)
            continue;
        loop_post(f->loop, &c->begin);
        return;
    }
}

static void leave_turn(struct compilation *c)
{
    c->owner->running -= c->state == RUNNING;
    next_one(c->owner);
}

static void release_waits(struct compilation *c)
{
    int64_t took_ms = c->start_ms ? pl_now_ms() - c->start_ms : 0;
    struct forest_wait *w;

    while ((w = list_first(&c->waits, struct forest_wait, link))) {
        list_remove(&w->link);
        w->done(w->arg, took_ms);
        free(w);
    }
}

static void drop_folder(struct compilation *c)
{
    if (c->path[0])
        cache_drop(c->owner->cache, c->path);
    c->path[0] = '\0';
}

static void land(struct compilation *c)
{
    struct forests *f = c->owner;

    list_remove(&c->link);
    leave_turn(c);
    release_waits(c);
    cache_give(c->item);
    drop_folder(c);
    free(c);
    if (f->idle && list_empty(&f->compilations))
        loop_post(f->loop, &f->idle_task);
}

/* The second try is made for those who wait. After that they go on without a forest, and so does who comes during a
 * pause: a start is not to take minutes. */
static void rest(struct compilation *c)
{
    struct forests *f = c->owner;
    int64_t pause_ms = f->pause_ms;

    for (unsigned i = 2; i < c->tries; i++)
        pause_ms *= PAUSE_TIMES;
    cache_item_set_compiled(c->item);
    c->state = RESTING;
    loop_timer_set(f->loop, &c->again, pl_now_ms() + pause_ms);
    release_waits(c);
}

static void try_again(struct compilation *c, const struct pl_err *err)
{
    log_warn("compile_again", LOG_STR("sha256", cache_item_sha256(c->item)), LOG_STR("error", err->message),
             LOG_INT("tries", c->tries));
    metrics_add(c->owner->stats->compile_failures, 1);
    drop_folder(c);
    leave_turn(c);
    c->state = WAITING;
    if (c->tries == 1)
        loop_post(c->owner->loop, &c->begin);
    else
        rest(c);
}

/* Not tried again before the next start of the worker: what failed would fail again, at the cost of every start. */
static void give_up(struct compilation *c, const struct pl_err *err)
{
    if (err->code != PL_CANCELLED) {
        cache_item_set_compiled(c->item);
        metrics_add(c->owner->stats->compile_failures, 1);
        log_warn("compile_failed", LOG_STR("sha256", cache_item_sha256(c->item)), LOG_STR("error", err->message));
    }
    land(c);
}

static bool worth_another_try(const struct compilation *c, const struct pl_err *err)
{
    return err->code == PL_UNAVAILABLE && c->tries < MAX_TRIES && !c->owner->shut;
}

static void compiled(void *arg, int64_t bytes, const char *said, const struct pl_err *err)
{
    struct compilation *c = arg;
    struct pl_err failed;

    c->compiling = NULL;
    if (err && worth_another_try(c, err)) {
        try_again(c, err);
        return;
    }
    if (err && (err->code != PL_UNAVAILABLE || bytes == 0 || c->owner->shut)) {
        give_up(c, err);
        return;
    }
    if (cache_put_forests(c->item, c->path, bytes, &failed) != PL_OK) {
        give_up(c, &failed);
        return;
    }
    c->path[0] = '\0';
    metrics_add(c->owner->stats->compilations, 1);
    log_info("model_compiled", LOG_STR("sha256", cache_item_sha256(c->item)), LOG_STR("result", said),
             LOG_INT("bytes", bytes), LOG_MS("compile_ms", pl_now_ms() - c->start_ms));
    land(c);
}

/* ---- the beginning ---- */

static enum pl_code start(struct compilation *c, struct pl_err *err)
{
    struct forests *f = c->owner;
    pl_cleanup(pl_close_p) int dir_fd = -1;
    struct compiling_spec spec = { .model_dir = cache_item_dir(c->item),
                                   .dir = c->path,
                                   .timeout_ms = COMPILE_TIMEOUT_MS };

    if (f->shut)
        return pl_fail(err, PL_CANCELLED, NULL, "this host is stopping");
    if (cache_new_dir(f->cache, c->path, &dir_fd, err) != PL_OK) {
        c->path[0] = '\0';
        return err->code;
    }
    spec.dir_fd = dir_fd;
    c->start_ms = pl_now_ms();
    return compiling_start(&c->compiling, f->loop, f->spawner, &spec, compiled, c, err);
}

static void begin(struct loop_task *t)
{
    struct compilation *c = PL_CONTAINER(t, struct compilation, begin);
    struct forests *f = c->owner;
    struct pl_err err;

    if (c->tries == 0 && cache_item_compiled(c->item)) {
        land(c);
        return;
    }
    if (f->running == f->max_running && !f->shut)
        return; /* until another one lands */
    f->running++;
    c->state = RUNNING;
    c->tries++;
    if (f->running < f->max_running)
        next_one(f);
    if (start(c, &err) == PL_OK)
        return;
    if (worth_another_try(c, &err))
        try_again(c, &err);
    else
        give_up(c, &err);
}

static void rested(struct loop_timer *t)
{
    struct compilation *c = PL_CONTAINER(t, struct compilation, again);

    c->state = WAITING;
    loop_post(c->owner->loop, &c->begin);
}

static struct compilation *find(struct forests *f, const struct cache_item *item)
{
    list_each(it, &f->compilations)
    {
        struct compilation *c = list_entry(it, struct compilation, link);

        if (c->item == item)
            return c;
    }
    return NULL;
}

static struct compilation *new_compilation(struct forests *f, struct cache_item *item)
{
    struct compilation *c = PL_NEW(struct compilation);

    c->owner = f;
    c->item = cache_ref(item);
    list_init(&c->waits);
    list_push_back(&f->compilations, &c->link);
    c->begin.run = begin;
    c->again.fire = rested;
    loop_post(f->loop, &c->begin);
    return c;
}

struct forest_wait *forests_get(struct forests *f, struct cache_item *item, forest_done_fn *done, void *arg)
{
    struct forest_wait *w = PL_NEW(struct forest_wait);
    struct compilation *c = find(f, item);

    if (!c)
        c = new_compilation(f, item);
    w->done = done;
    w->arg = arg;
    list_push_back(&c->waits, &w->link);
    return w;
}

void forest_wait_cancel(struct forest_wait *w)
{
    list_remove(&w->link);
    free(w);
}

/* ---- life ---- */

static void tell_idle(struct loop_task *t)
{
    struct forests *f = PL_CONTAINER(t, struct forests, idle_task);
    void (*idle)(void *arg) = f->idle;

    f->idle = NULL;
    if (idle)
        idle(f->idle_arg);
}

void forests_shut(struct forests *f, void (*idle)(void *arg), void *arg)
{
    f->shut = true;
    f->idle = idle;
    f->idle_arg = arg;
    list_each(it, &f->compilations)
    {
        struct compilation *c = list_entry(it, struct compilation, link);

        loop_timer_clear(f->loop, &c->again);
        if (c->compiling)
            compiling_cancel(c->compiling);
        else if (c->state != RUNNING)
            loop_post(f->loop, &c->begin); /* which sees it */
    }
    if (list_empty(&f->compilations))
        loop_post(f->loop, &f->idle_task);
}

struct forests *forests_new(struct loop *l, struct cache *c, struct spawner *s, const struct worker_stats *stats,
                            int64_t pause_ms)
{
    struct forests *f = PL_NEW(struct forests);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    f->loop = l;
    f->cache = c;
    f->spawner = s;
    f->stats = stats;
    f->max_running = processors > MAX_RUNNING ? MAX_RUNNING : processors > 1 ? (unsigned)processors : 1;
    f->pause_ms = pause_ms;
    f->idle_task.run = tell_idle;
    list_init(&f->compilations);
    return f;
}

void forests_free(struct forests *f)
{
    if (!f)
        return;
    assert(list_empty(&f->compilations));
    free(f);
}
