/* What has been written below a folder, as it is seen while that goes on; and that it can all be removed. */
#include "disk_watch.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache_disk.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB     ((int64_t)1 << 20)
#define HANG_MS 20000

struct rig {
    struct loop *loop;
    struct loop_timer write, hang;
    struct disk_watch *watch;
    char dir[64];
    int dir_fd, file;
    int64_t written;
    bool full;
};
static struct rig *rig;

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nobody says that it is full: %lld bytes", (long long)rig->written);
}

static int set_up(void **state)
{
    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->hang.fire = hangs;
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    (void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/pilotlight-watch-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    rig->dir_fd = open(rig->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    disk_watch_end(rig->watch);
    loop_free(rig->loop);
    (void)close(rig->dir_fd);
    cache_disk_remove(rig->dir);
    assert_int_not_equal(access(rig->dir, F_OK), 0);
    free(rig);
    return 0;
}

static void fill(int dir, const char *name, size_t bytes)
{
    pl_cleanup(pl_free_p) char *text = pl_new0(bytes, 1);
    pl_cleanup(pl_close_p) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, bytes), bytes);
}

static void what_is_there_is_counted_once(void **state)
{
    int64_t bytes, entries, before;

    (void)state;
    assert_true(disk_watch_sum(rig->dir, &before, &entries));
    assert_int_equal(entries, 0);
    assert_int_equal(mkdirat(rig->dir_fd, "a", 0700), 0);
    fill(rig->dir_fd, "a/one", (size_t)MIB);
    assert_int_equal(linkat(rig->dir_fd, "a/one", rig->dir_fd, "two", 0), 0);
    assert_int_equal(symlinkat("/usr", rig->dir_fd, "out"), 0); /* what is there is not ours */
    assert_true(disk_watch_sum(rig->dir, &bytes, &entries));
    assert_int_equal(entries, 4);
    assert_in_range(bytes - before, MIB, MIB + 64 * 1024);
}

/* Space that no size shows, and size that takes no space. */
static void space_counts_not_size(void **state)
{
    int64_t bytes, entries;
    pl_cleanup(pl_close_p) int fd = openat(rig->dir_fd, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_int_equal(ftruncate(fd, 64 * MIB), 0);
    assert_true(disk_watch_sum(rig->dir, &bytes, &entries));
    assert_in_range(bytes, 0, MIB);
}

/* Deeper than a path can tell: that is no reason to overlook it, nor to leave it there. */
static void depth_hides_nothing(void **state)
{
    char name[201];
    int64_t bytes, entries;
    int dir = dup(rig->dir_fd);

    (void)state;
    memset(name, 'd', 200);
    name[200] = '\0';
    for (int i = 0; i < 40; i++) {
        int below;

        assert_int_equal(mkdirat(dir, name, 0700), 0);
        below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        fill(dir, "file", 10);
        (void)close(dir);
        dir = below;
    }
    (void)close(dir);
    if (disk_watch_sum(rig->dir, &bytes, &entries)) /* or it says that it could not look there, which is too much */
        assert_int_equal(entries, 80);
}

static void is_full(void *arg)
{
    assert_ptr_equal(arg, rig);
    assert_false(rig->full);
    rig->full = true;
    loop_stop(rig->loop);
}

/* File after file, each as large as one may be. */
static void write_one(struct loop_timer *t)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "%lld", (long long)rig->written);
    fill(rig->dir_fd, name, (size_t)MIB);
    rig->written += MIB;
    loop_timer_set(rig->loop, t, pl_now_ms() + 2);
}

static void many_files_together_are_too_much(void **state)
{
    (void)state;
    rig->write.fire = write_one;
    loop_timer_set(rig->loop, &rig->write, pl_now_ms());
    rig->watch = disk_watch_begin(rig->loop, rig->dir, 4 * MIB, 1000, is_full, rig);
    loop_run(rig->loop);
    assert_true(rig->full && rig->written > 4 * MIB);
}

static void more_entries_are_too_much(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char name[] = { (char)('a' + i), '\0' };

        assert_int_equal(mkdirat(rig->dir_fd, name, 0700), 0);
    }
    rig->watch = disk_watch_begin(rig->loop, rig->dir, MIB, 2, is_full, rig);
    loop_run(rig->loop);
    assert_true(rig->full);
}

static void ends(struct loop_timer *t)
{
    (void)t;
    loop_stop(rig->loop);
}

static void what_is_within_is_left_alone(void **state)
{
    struct loop_timer end = { .fire = ends };

    (void)state;
    fill(rig->dir_fd, "file", (size_t)MIB);
    rig->watch = disk_watch_begin(rig->loop, rig->dir, 2 * MIB, 1, is_full, rig);
    loop_timer_set(rig->loop, &end, pl_now_ms() + 150); /* some looks */
    loop_run(rig->loop);
    assert_false(rig->full);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_there_is_counted_once),    CASE(space_counts_not_size),     CASE(depth_hides_nothing),
        CASE(many_files_together_are_too_much), CASE(more_entries_are_too_much), CASE(what_is_within_is_left_alone),
    };

    return cmocka_run_group_tests_name("worker/disk_watch", tests, NULL, NULL);
}
