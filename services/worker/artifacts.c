#include "artifacts.h"

#include "artifact_uri.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "log/log.h"
#include "loop/loop.h"
#include "unpacking.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct artifacts {
    struct loop *loop;
    struct cache *cache;
    struct spawner *spawner;
    struct artifacts_options options;
    struct list flights;
    struct list queue; /* of those, who waits for its turn to fetch */
    unsigned fetching; /* at most ARTIFACTS_FETCHES */
    bool shut;
    void (*idle)(void *arg); /* NULL: told already, or not asked for */
    void *idle_arg;
    struct loop_task idle_task;
};

struct flight {
    struct artifacts *owner;
    struct list link;
    struct list queued; /* in owner->queue */
    struct list waits;
    char *uri;
    char *shown;             /* without its secrets */
    char sha256[SHA256_HEX]; /* "" until it is known */
    bool fetches;            /* from the source; else unpacks what the cache has */
    atomic_bool cancelled;
    struct loop_task begin;
    struct loop_job fetch;
    struct unpacking *unpacking; /* NULL: not running */
    int fd;                      /* of the archive; -1 */
    char path[PATH_MAX];         /* tmp file, then tmp folder; "" = none of ours */
    struct fetch_result fetched;
    struct pl_err err;
    struct artifact_times times;
    int64_t step_ms; /* when the running step began */
};

struct artifact_wait {
    struct list link;
    struct flight *flight;
    char sha256[SHA256_HEX];
    artifact_done_fn *done;
    void *arg;
};

/* ---- the end of a flight ---- */

static enum pl_code other_digest(const struct flight *f, const struct artifact_wait *w, struct pl_err *err)
{
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_CHANGED", "artifact_uri",
                          "artifact '%.300s' has SHA-256 %s now, but %s is asked for: it was changed after the endpoint"
                          " was deployed",
                          f->shown, f->sha256, w->sha256);
}

static void flight_free(struct flight *f)
{
    list_remove(&f->link);
    pl_close_p(&f->fd);
    if (f->path[0])
        cache_drop(f->owner->cache, f->path);
    free(f->uri);
    free(f->shown);
    free(f);
}

static bool accepts(const struct artifact_wait *w, const struct flight *f)
{
    return w->sha256[0] == '\0' || strcmp(w->sha256, f->sha256) == 0;
}

static void answer(struct artifact_wait *w, struct cache_item *item, const struct flight *f)
{
    struct pl_err err = f->err;

    if (item && !accepts(w, f))
        (void)other_digest(f, w, &err);
    if (!item && f->owner->shut)
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "DRAINING", NULL, "this host is stopping");
    list_remove(&w->link);
    if (item && err.code == PL_OK)
        w->done(w->arg, cache_ref(item), &f->times, NULL);
    else
        w->done(w->arg, NULL, NULL, &err);
    free(w);
}

/* 'item' NULL: f->err says why. Those who wait are told last, because they may ask for more. */
static void land(struct flight *f, struct cache_item *item)
{
    struct artifacts *a = f->owner;
    struct artifact_wait *w;

    list_remove(&f->link);
    pl_close_p(&f->fd);
    while ((w = list_first(&f->waits, struct artifact_wait, link)))
        answer(w, item, f);
    cache_give(item);
    flight_free(f);
    if (a->idle && list_empty(&a->flights))
        loop_post(a->loop, &a->idle_task);
}

static void crash(struct flight *f, const struct pl_err *err)
{
    if (err != &f->err)
        f->err = *err;
    assert(f->err.code != PL_OK);
    land(f, NULL);
}

/* ---- unpack ---- */

static void unpacked(void *arg, int64_t bytes, const struct pl_err *err)
{
    struct flight *f = arg;
    struct cache_item *item;

    f->unpacking = NULL;
    f->times.unpack_ms = pl_now_ms() - f->step_ms;
    if (err) {
        f->err = *err;
        if (err->code == PL_PRECONDITION)
            (void)pl_err_prefix(&f->err, "artifact '%.300s'", f->shown);
        crash(f, &f->err);
        return;
    }
    if (cache_put_unpacked(f->owner->cache, f->path, f->sha256, bytes, &item, &f->err) != PL_OK) {
        crash(f, &f->err);
        return;
    }
    f->path[0] = '\0';
    log_info("artifact_ready", LOG_STR("sha256", f->sha256), LOG_INT("artifact_bytes", f->times.artifact_bytes),
             LOG_INT("unpacked_bytes", bytes), LOG_MS("fetch_ms", f->times.fetch_ms),
             LOG_MS("unpack_ms", f->times.unpack_ms));
    land(f, item);
}

static enum pl_code start_unpacking(struct flight *f)
{
    struct artifacts *a = f->owner;
    pl_cleanup(pl_close_p) int dir_fd = -1;
    int64_t room = cache_room(a->cache);
    struct unpacking_spec spec = { .archive_fd = f->fd,
                                   .dir = f->path,
                                   .max_bytes =
                                       room < a->options.unpacked_limit_bytes ? room : a->options.unpacked_limit_bytes,
                                   .timeout_ms = a->options.unpack_timeout_ms };

    if (room <= 0)
        return pl_fail_reason(&f->err, PL_EXHAUSTED, "CACHE_FULL", NULL,
                              "instances use all of this host's cache_limit; nothing can be unpacked");
    if (cache_new_dir(a->cache, f->path, &dir_fd, &f->err) != PL_OK) {
        f->path[0] = '\0';
        return f->err.code;
    }
    spec.dir_fd = dir_fd;
    f->step_ms = pl_now_ms();
    return unpacking_start(&f->unpacking, a->loop, a->spawner, &spec, unpacked, f, &f->err);
}

/* The digest is known and the archive is open: take what is there, or unpack it. */
static void have_archive(struct flight *f)
{
    struct cache_item *item = cache_take(f->owner->cache, f->sha256);

    if (item)
        land(f, item);
    else if (start_unpacking(f) != PL_OK)
        crash(f, &f->err);
}

/* ---- fetch ---- */

static bool somebody_accepts(const struct flight *f)
{
    list_each(it, &f->waits) if (accepts(list_entry(it, struct artifact_wait, link), f)) return true;
    return false;
}

static void fetch_work(struct loop_job *j)
{
    struct flight *f = PL_CONTAINER(j, struct flight, fetch);

    f->err.code = fetch(&f->owner->options.fetch, f->uri, f->fd, &f->cancelled, &f->fetched, &f->err);
}

static void fetch_done(struct loop_job *j);

static void start_fetch(struct flight *f)
{
    if (cache_new_file(f->owner->cache, f->path, &f->fd, &f->err) != PL_OK) {
        f->path[0] = '\0';
        crash(f, &f->err);
        return;
    }
    f->step_ms = pl_now_ms();
    f->fetch.work = fetch_work;
    f->fetch.done = fetch_done;
    f->owner->fetching++;
    loop_job(f->owner->loop, &f->fetch);
}

static void next_in_queue(struct artifacts *a)
{
    struct flight *f;

    while (a->fetching < ARTIFACTS_FETCHES && (f = list_first(&a->queue, struct flight, queued))) {
        list_remove(&f->queued);
        start_fetch(f);
    }
}

static void fetch_done(struct loop_job *j)
{
    struct flight *f = PL_CONTAINER(j, struct flight, fetch);
    const struct artifact_wait *first;

    f->owner->fetching--;
    next_in_queue(f->owner);
    first = list_first(&f->waits, struct artifact_wait, link);
    f->times.fetch_ms = pl_now_ms() - f->step_ms;
    if (atomic_load(&f->cancelled) && f->err.code == PL_OK)
        (void)pl_fail(&f->err, PL_CANCELLED, NULL, "fetching was cancelled");
    if (f->err.code != PL_OK) {
        crash(f, &f->err);
        return;
    }
    f->times.artifact_bytes = f->fetched.bytes;
    memcpy(f->sha256, f->fetched.sha256, SHA256_HEX);
    if (!somebody_accepts(f)) {
        (void)other_digest(f, first, &f->err);
        crash(f, &f->err);
        return;
    }
    if (cache_put_artifact(f->owner->cache, f->path, f->sha256, f->fetched.bytes, &f->err) != PL_OK) {
        crash(f, &f->err);
        return;
    }
    f->path[0] = '\0';
    have_archive(f);
}

static void flight_begin(struct loop_task *t)
{
    struct flight *f = PL_CONTAINER(t, struct flight, begin);

    if (atomic_load(&f->cancelled)) {
        (void)pl_fail(&f->err, PL_CANCELLED, NULL, "fetching was cancelled");
        crash(f, &f->err);
        return;
    }
    if (!f->fetches) {
        have_archive(f);
        return;
    }
    if (f->owner->fetching == ARTIFACTS_FETCHES)
        list_push_back(&f->owner->queue, &f->queued);
    else
        start_fetch(f);
}

/* ---- joining ---- */

static bool joinable(const struct flight *f, const char *uri, const char *sha256)
{
    return !atomic_load(&f->cancelled) && strcmp(f->uri, uri) == 0 && (f->fetches || strcmp(f->sha256, sha256) == 0);
}

static struct flight *find_flight(struct artifacts *a, const char *uri, const char *sha256)
{
    list_each(it, &a->flights)
    {
        struct flight *f = list_entry(it, struct flight, link);

        if (joinable(f, uri, sha256))
            return f;
    }
    return NULL;
}

/* What is no URI fails in fetch(), which says why. */
static char *shown_uri(const char *uri)
{
    struct artifact_uri u;
    struct pl_err err;
    char *shown;

    if (artifact_uri_parse(&u, uri, &err) != PL_OK)
        return pl_strdup("");
    shown = pl_take(u.shown);
    artifact_uri_done(&u);
    return shown;
}

static struct flight *new_flight(struct artifacts *a, const char *uri, const char *sha256)
{
    struct flight *f = PL_NEW(struct flight);

    f->owner = a;
    f->uri = pl_strdup(uri);
    f->shown = shown_uri(uri);
    list_init(&f->queued);
    list_init(&f->waits);
    list_push_back(&a->flights, &f->link);
    f->fd = sha256[0] ? cache_open_artifact(a->cache, sha256, &f->times.artifact_bytes) : -1;
    f->fetches = f->fd < 0;
    if (!f->fetches)
        memcpy(f->sha256, sha256, SHA256_HEX);
    f->begin.run = flight_begin;
    loop_post(a->loop, &f->begin);
    return f;
}

struct artifact_wait *artifacts_get(struct artifacts *a, const char *uri, const char *sha256, artifact_done_fn *done,
                                    void *arg)
{
    struct artifact_wait *w = PL_NEW(struct artifact_wait);

    assert(!sha256[0] || sha256_valid(sha256));
    w->flight = find_flight(a, uri, sha256);
    if (!w->flight)
        w->flight = new_flight(a, uri, sha256);
    memcpy(w->sha256, sha256, strlen(sha256) + 1);
    w->done = done;
    w->arg = arg;
    list_push_back(&w->flight->waits, &w->link);
    return w;
}

static void cancel_flight(struct flight *f)
{
    atomic_store(&f->cancelled, true);
    if (f->unpacking)
        unpacking_cancel(f->unpacking);
    if (!list_empty(&f->queued)) {
        list_remove(&f->queued);
        loop_post(f->owner->loop, &f->begin); /* which sees it */
    }
}

void artifact_wait_cancel(struct artifact_wait *w)
{
    struct flight *f = w->flight;

    list_remove(&w->link);
    free(w);
    if (list_empty(&f->waits))
        cancel_flight(f);
}

/* ---- life ---- */

static void tell_idle(struct loop_task *t)
{
    struct artifacts *a = PL_CONTAINER(t, struct artifacts, idle_task);
    void (*idle)(void *arg) = a->idle;

    a->idle = NULL;
    if (idle)
        idle(a->idle_arg);
}

void artifacts_shut(struct artifacts *a, void (*idle)(void *arg), void *arg)
{
    a->shut = true;
    a->idle = idle;
    a->idle_arg = arg;
    list_each(it, &a->flights) cancel_flight(list_entry(it, struct flight, link));
    if (list_empty(&a->flights))
        loop_post(a->loop, &a->idle_task);
}

struct artifacts *artifacts_new(struct loop *l, struct cache *c, struct spawner *s, const struct artifacts_options *o)
{
    struct artifacts *a = PL_NEW(struct artifacts);

    a->loop = l;
    a->cache = c;
    a->spawner = s;
    a->options = *o;
    a->idle_task.run = tell_idle;
    list_init(&a->flights);
    list_init(&a->queue);
    return a;
}

void artifacts_free(struct artifacts *a)
{
    if (!a)
        return;
    assert(list_empty(&a->flights));
    free(a);
}
