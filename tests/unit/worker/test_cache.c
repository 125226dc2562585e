/* The cache on a real folder: what it keeps, what it lets go first, and what is there after a crash. */
#include "cache.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "layout/forest_folder.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

struct rig {
    struct loop *loop;
    struct cache *cache;
    char dir[64];
    struct loop_timer settled;
    struct pl_err err;
};

static void open_cache(struct rig *r, int64_t limit)
{
    assert_ok(cache_open(&r->cache, r->loop, r->dir, limit, &r->err), r->err);
}

static void look_again(struct loop_timer *t)
{
    struct rig *r = PL_CONTAINER(t, struct rig, settled);

    if (cache_removing(r->cache))
        loop_timer_set(r->loop, t, pl_now_ms() + 1);
    else
        loop_stop(r->loop);
}

/* What has been dropped is off the disk. */
static void settle(struct rig *r)
{
    r->settled.fire = look_again;
    loop_timer_set(r->loop, &r->settled, pl_now_ms());
    loop_run(r->loop);
}

static void close_cache(struct rig *r)
{
    settle(r);
    cache_close(pl_take(r->cache));
}

static int set_up(void **state)
{
    struct rig *r = PL_NEW(struct rig);

    (void)snprintf(r->dir, sizeof(r->dir), "/tmp/pilotlight-cache-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    r->loop = loop_new(0);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    pl_cleanup(pl_free_p) char *command = pl_format("rm -rf %s", r->dir);

    if (r->cache)
        close_cache(r);
    loop_free(r->loop);
    assert_int_equal(system(command), 0);
    free(r);
    return 0;
}

static bool there(const struct rig *r, const char *path)
{
    pl_cleanup(pl_free_p) char *whole = pl_format("%s/%s", r->dir, path);

    return access(whole, F_OK) == 0;
}

static unsigned entries(const struct rig *r, const char *folder)
{
    pl_cleanup(pl_free_p) char *command = pl_format("ls -A %s/%s | wc -l", r->dir, folder);
    FILE *f = popen(command, "r");
    unsigned n = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%u", &n), 1);
    assert_int_equal(pclose(f), 0);
    return n;
}

/* The clock of the file system has moved on: what is used from now on was used later. */
static void a_moment(void)
{
    int64_t now_ms = pl_wall_ms();

    while (pl_wall_ms() <= now_ms + 1)
        (void)usleep(500);
}

static void write_bytes(int fd, size_t n)
{
    char bytes[256] = { 0 };

    assert_true(n <= sizeof(bytes));
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
}

static void put_artifact(struct rig *r, const char *sha, size_t n)
{
    char path[PATH_MAX];
    int fd;

    assert_ok(cache_new_file(r->cache, path, &fd, &r->err), r->err);
    write_bytes(fd, n);
    (void)close(fd);
    assert_ok(cache_put_artifact(r->cache, path, sha, (int64_t)n, &r->err), r->err);
    a_moment();
}

static struct cache_item *put_unpacked(struct rig *r, const char *sha, size_t n)
{
    char path[PATH_MAX];
    struct cache_item *item;
    int dir, fd;

    assert_ok(cache_new_dir(r->cache, path, &dir, &r->err), r->err);
    fd = openat(dir, "model", O_WRONLY | O_CREAT | O_EXCL, 0600);
    write_bytes(fd, n);
    (void)close(fd);
    (void)close(dir);
    assert_ok(cache_put_unpacked(r->cache, path, sha, (int64_t)n, &item, &r->err), r->err);
    a_moment();
    return item;
}

static void keeps_and_finds(void **state)
{
    struct rig *r = *state;
    struct cache_item *item;
    int64_t bytes;
    int fd;

    open_cache(r, 1000);
    assert_null(cache_take(r->cache, SHA_A));
    assert_int_equal(cache_open_artifact(r->cache, SHA_A, &bytes), -1);
    put_artifact(r, SHA_A, 10);
    assert_null(cache_take(r->cache, SHA_A)); /* fetched, not unpacked */
    fd = cache_open_artifact(r->cache, SHA_A, &bytes);
    assert_true(fd >= 0);
    assert_int_equal(bytes, 10);
    (void)close(fd);
    item = put_unpacked(r, SHA_A, 30);
    assert_string_equal(cache_item_sha256(item), SHA_A);
    assert_int_equal(cache_item_artifact_bytes(item), 10);
    assert_int_equal(cache_item_unpacked_bytes(item), 30);
    assert_int_equal(cache_bytes(r->cache), 40);
    assert_int_equal(cache_room(r->cache), 970); /* what is in use cannot go */
    assert_ptr_equal(cache_take(r->cache, SHA_A), item);
    cache_give(item);
    cache_give(item);
    assert_int_equal(cache_room(r->cache), 1000);
    cache_give(NULL);
}

static void the_same_content_twice_is_kept_once(void **state)
{
    struct rig *r = *state;
    struct cache_item *first, *second;

    open_cache(r, 1000);
    put_artifact(r, SHA_A, 10);
    put_artifact(r, SHA_A, 10);
    first = put_unpacked(r, SHA_A, 30);
    second = put_unpacked(r, SHA_A, 30);
    assert_ptr_equal(first, second);
    assert_int_equal(cache_bytes(r->cache), 40);
    settle(r);
    assert_int_equal(entries(r, "tmp"), 0);
    cache_give(first);
    cache_give(second);
}

static void archives_go_first_then_what_was_used_least_recently(void **state)
{
    struct rig *r = *state;
    struct cache_item *a, *b;

    open_cache(r, 100);
    put_artifact(r, SHA_A, 30);
    a = put_unpacked(r, SHA_A, 30);
    cache_give(a);
    put_artifact(r, SHA_B, 30);
    b = put_unpacked(r, SHA_B, 30); /* 120: the older archive goes, though B's folder came last */
    cache_give(b);
    assert_false(there(r, "artifact/" SHA_A));
    assert_true(there(r, "artifact/" SHA_B) && there(r, "unpacked/" SHA_A) && there(r, "unpacked/" SHA_B));
    a = cache_take(r->cache, SHA_A); /* now B is the one that was used least recently */
    cache_give(a);
    a_moment();
    cache_give(put_unpacked(r, SHA_C, 50));
    assert_true(there(r, "unpacked/" SHA_A) && there(r, "unpacked/" SHA_C));
    assert_false(there(r, "unpacked/" SHA_B) || there(r, "artifact/" SHA_B));
    assert_int_equal(cache_bytes(r->cache), 80);
    settle(r);
    assert_int_equal(entries(r, "tmp"), 0);
}

static void what_is_in_use_stays(void **state)
{
    struct rig *r = *state;
    struct cache_item *a, *b;

    open_cache(r, 50);
    a = put_unpacked(r, SHA_A, 40);
    b = put_unpacked(r, SHA_B, 40);
    assert_int_equal(cache_bytes(r->cache), 80);
    assert_int_equal(cache_room(r->cache), 0);
    assert_true(there(r, "unpacked/" SHA_A) && there(r, "unpacked/" SHA_B));
    cache_give(b); /* nobody uses it: but it is what was used last, and may be wanted again at once */
    assert_true(there(r, "unpacked/" SHA_B));
    cache_give(a);
    assert_int_equal(cache_bytes(r->cache), 40);
}

static void a_restart_finds_what_is_whole(void **state)
{
    struct rig *r = *state;
    pl_cleanup(pl_free_p) char *rubbish = NULL;
    struct cache_item *item;
    struct cache *other;
    int64_t epoch;

    open_cache(r, 1000);
    epoch = cache_epoch(r->cache);
    put_artifact(r, SHA_A, 10);
    cache_give(put_unpacked(r, SHA_A, 30));
    cache_give(put_unpacked(r, SHA_B, 40));
    assert_int_equal(cache_open(&other, r->loop, r->dir, 1000, &r->err), PL_PRECONDITION); /* one worker a folder */
    close_cache(r);
    rubbish = pl_format("mkdir %s/tmp/t-x %s/unpacked/name && touch %s/tmp/t-x/half %s/artifact/" SHA_C "x", r->dir,
                        r->dir, r->dir, r->dir);
    assert_int_equal(system(rubbish), 0);
    open_cache(r, 1000);
    assert_true(cache_epoch(r->cache) > epoch);
    assert_int_equal(entries(r, "tmp"), 0);
    assert_int_equal(cache_bytes(r->cache), 80);
    item = cache_take(r->cache, SHA_A);
    assert_non_null(item);
    assert_int_equal(cache_item_artifact_bytes(item), 10);
    assert_int_equal(cache_item_unpacked_bytes(item), 30);
    cache_give(item);
    close_cache(r);
    open_cache(r, 45); /* a smaller limit: A was used last */
    assert_int_equal(cache_bytes(r->cache), 30);
    item = cache_take(r->cache, SHA_A);
    assert_non_null(item);
    cache_give(item);
    assert_null(cache_take(r->cache, SHA_B));
}

static void what_somebody_removed_is_fetched_again(void **state)
{
    struct rig *r = *state;
    pl_cleanup(pl_free_p) char *remove = pl_format("rm -r %s/unpacked/" SHA_A " %s/artifact/" SHA_A, r->dir, r->dir);
    int64_t bytes;

    open_cache(r, 1000);
    put_artifact(r, SHA_A, 10);
    cache_give(put_unpacked(r, SHA_A, 30));
    assert_int_equal(system(remove), 0);
    assert_null(cache_take(r->cache, SHA_A));
    assert_int_equal(cache_open_artifact(r->cache, SHA_A, &bytes), -1);
    assert_int_equal(cache_bytes(r->cache), 0);
    cache_give(put_unpacked(r, SHA_A, 20));
    assert_int_equal(cache_bytes(r->cache), 20);
}

static void forests_belong_to_their_model(void **state)
{
    struct rig *r = *state;
    pl_cleanup(pl_free_p) char *old = NULL;
    struct cache_item *item;
    char path[PATH_MAX];
    int dir;

    open_cache(r, 1000);
    item = put_unpacked(r, SHA_A, 30);
    assert_false(cache_item_compiled(item));
    old = pl_format("mkdir %s/" FOREST_FOLDER_PREFIX "forest-0", cache_item_dir(item));
    assert_int_equal(system(old), 0);
    assert_ok(cache_new_dir(r->cache, path, &dir, &r->err), r->err);
    (void)close(dir);
    assert_ok(cache_put_forests(item, path, 12, &r->err), r->err);
    assert_true(cache_item_compiled(item));
    assert_int_equal(cache_item_unpacked_bytes(item), 42);
    assert_int_equal(cache_bytes(r->cache), 42);
    assert_true(there(r, "unpacked/" SHA_A "/" FOREST_FOLDER));
    assert_false(there(r, "unpacked/" SHA_A "/" FOREST_FOLDER_PREFIX "forest-0"));
    cache_give(item);
    close_cache(r);
    open_cache(r, 1000);
    item = cache_take(r->cache, SHA_A);
    assert_true(cache_item_compiled(item));
    cache_give(item);
    item = put_unpacked(r, SHA_B, 30);
    cache_item_set_compiled(item); /* given up */
    assert_true(cache_item_compiled(item));
    cache_give(item);
}

static void a_folder_that_cannot_be_is_told(void **state)
{
    struct rig *r = *state;
    struct cache *c;

    assert_int_equal(cache_open(&c, r->loop, "/proc/pilotlight/cache", 1000, &r->err), PL_PRECONDITION);
    assert_text(r->err.message, "/proc/pilotlight/cache");
}

#define R(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        R(keeps_and_finds),
        R(the_same_content_twice_is_kept_once),
        R(archives_go_first_then_what_was_used_least_recently),
        R(what_is_in_use_stays),
        R(a_restart_finds_what_is_whole),
        R(what_somebody_removed_is_fetched_again),
        R(forests_belong_to_their_model),
        R(a_folder_that_cannot_be_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
