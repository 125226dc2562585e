/* The file that the router starts from: whole, torn, foreign; and the epoch beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"
#include "snapshot.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pl_err err;

struct here {
    char dir[64], path[96];
    struct loop *loop;
    pthread_t thread;
    struct snapshot *s;
    int64_t sent, version; /* handed over last; that it said was written last */
    unsigned told;         /* how often it said so */
    bool ok;
};

static void on_written(void *arg, int64_t version, bool ok)
{
    struct here *h = arg;

    assert_true(version >= h->version);
    h->version = version;
    h->ok = ok;
    h->told++;
}

static struct snapshot *make(struct here *h, const char *path)
{
    return snapshot_new(&(struct snapshot_options){ .loop = h->loop, .path = path, .written = on_written, .arg = h });
}

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

static int up(void **state)
{
    struct here *h = PL_NEW(struct here);

    (void)snprintf(h->dir, sizeof(h->dir), "/tmp/pl-router-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    (void)snprintf(h->path, sizeof(h->path), "%s/snapshot", h->dir);
    h->loop = loop_new(1);
    assert_int_equal(pthread_create(&h->thread, NULL, run, h->loop), 0);
    h->s = make(h, h->path);
    *state = h;
    return 0;
}

static int down(void **state)
{
    struct here *h = *state;
    char command[128];

    loop_stop(h->loop);
    pthread_join(h->thread, NULL);
    snapshot_free(h->s);
    loop_free(h->loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", h->dir);
    assert_int_equal(system(command), 0);
    free(h);
    return 0;
}

/* Each has a version one higher. */
static void write_text(struct here *h, const char *text)
{
    loop_enter(h->loop);
    snapshot_write(h->s, pl_strdup(text), strlen(text), ++h->sent);
    loop_leave(h->loop);
}

static void wait_written(struct here *h)
{
    int64_t until_ms = pl_now_ms() + 20000;
    bool writing;

    do {
        loop_enter(h->loop);
        writing = snapshot_writing(h->s);
        loop_leave(h->loop);
        assert_true(pl_now_ms() < until_ms);
        usleep(1000);
    } while (writing);
}

static void expect_text(struct here *h, const char *text)
{
    void *bytes;
    size_t n;

    if (snapshot_read(h->s, &bytes, &n, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
    free(bytes);
}

static void newest_is_kept(void **state)
{
    struct here *h = *state;
    void *bytes;
    size_t n;

    assert_int_equal(snapshot_read(h->s, &bytes, &n, &err), PL_NOT_FOUND);
    write_text(h, "first");
    wait_written(h);
    expect_text(h, "first");
    for (int i = 0; i < 50; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "state %d", i);
        write_text(h, text);
    }
    wait_written(h);
    expect_text(h, "state 49");
    assert_true(h->ok && h->version == 51 && h->told <= 51);
    write_text(h, "");
    wait_written(h);
    expect_text(h, "");
}

/* Whatever a crash or a disk leaves: told, not believed. */
static void damage_is_told(void **state)
{
    struct here *h = *state;
    struct stat st;
    void *bytes;
    size_t n;

    write_text(h, "what is to be served");
    wait_written(h);
    assert_int_equal(stat(h->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (off_t len = 0; len < st.st_size; len++) {
        char copy[128];
        int fd = open(h->path, O_RDWR);
        ssize_t got = pread(fd, copy, sizeof(copy), 0);

        assert_int_equal(got, st.st_size);
        assert_int_equal(ftruncate(fd, len), 0);
        assert_int_equal(snapshot_read(h->s, &bytes, &n, &err), PL_DATA_LOSS);
        assert_non_null(strstr(err.message, h->path));
        copy[len] ^= 0x10; /* and every byte flipped */
        assert_int_equal(pwrite(fd, copy, (size_t)got, 0), got);
        assert_int_equal(snapshot_read(h->s, &bytes, &n, &err), PL_DATA_LOSS);
        copy[len] ^= 0x10;
        assert_int_equal(pwrite(fd, copy, (size_t)got, 0), got);
        close(fd);
    }
    expect_text(h, "what is to be served");
}

static int64_t epoch(struct snapshot *s)
{
    int64_t out;

    if (snapshot_next_epoch(s, &out, &err) != PL_OK)
        fail_msg("%s", err.message);
    return out;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* As on a disk without room: nothing new can be made, what is there can be written. */
static void epoch_grows_without_room(void **state)
{
    struct here *h = *state;
    char path[160];
    int64_t first = epoch(h->s);

    (void)snprintf(path, sizeof(path), "%s.epoch.new", h->path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(epoch(h->s) > first);
    assert_int_equal(rmdir(path), 0);
}

static void what_cannot_be_placed_takes_no_room(void **state)
{
    struct here *h = *state;
    char path[160];

    (void)snprintf(path, sizeof(path), "%s.new", h->path);
    assert_int_equal(mkdir(h->path, 0700), 0);
    loop_enter(h->loop);
    snapshot_write(h->s, pl_strdup("x"), 1, 3);
    while (snapshot_writing(h->s)) {
        loop_leave(h->loop);
        usleep(1000);
        loop_enter(h->loop);
    }
    loop_leave(h->loop);
    assert_false(h->ok);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(h->path), 0);
}

static void epoch_grows(void **state)
{
    struct here *h = *state;
    struct snapshot *none = make(h, "");
    char path[128];
    int64_t first = epoch(h->s), second = epoch(h->s);

    assert_true(first >= pl_wall_ms() - 10000 && second > first);
    (void)snprintf(path, sizeof(path), "%s.epoch", h->path);
    write_file(path, "9000000000000"); /* the clock has been set back since */
    assert_true(epoch(h->s) == INT64_C(9000000000001));
    assert_true(epoch(h->s) == INT64_C(9000000000002));
    write_file(path, "no number");
    assert_true(epoch(h->s) <= pl_wall_ms());
    assert_true(epoch(none) >= second);
    snapshot_free(none);
}

static void without_a_file_nothing_is_kept(void **state)
{
    struct here *h = *state;
    struct snapshot *none = make(h, "");
    void *bytes;
    size_t n;

    loop_enter(h->loop);
    snapshot_write(none, pl_strdup("x"), 1, 7);
    assert_false(snapshot_writing(none));
    assert_true(h->ok && h->version == 7);
    loop_leave(h->loop);
    assert_int_equal(snapshot_read(none, &bytes, &n, &err), PL_NOT_FOUND);
    snapshot_free(none);
}

static void folder_that_is_missing(void **state)
{
    struct here *h = *state;
    struct snapshot *s = make(h, "/nonexistent/folder/snapshot");
    int64_t out;

    assert_int_equal(snapshot_next_epoch(s, &out, &err), PL_INTERNAL);
    assert_non_null(strstr(err.message, "/nonexistent/folder/snapshot.epoch"));
    loop_enter(h->loop);
    snapshot_write(s, pl_strdup("x"), 1, 3);
    assert_int_equal(h->told, 0);
    while (snapshot_writing(s)) { /* the job's answer comes with the turn */
        loop_leave(h->loop);
        usleep(1000);
        loop_enter(h->loop);
    }
    loop_leave(h->loop);
    assert_true(h->told == 1 && !h->ok && h->version == 3);
    snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newest_is_kept, up, down),
        cmocka_unit_test_setup_teardown(damage_is_told, up, down),
        cmocka_unit_test_setup_teardown(epoch_grows, up, down),
        cmocka_unit_test_setup_teardown(epoch_grows_without_room, up, down),
        cmocka_unit_test_setup_teardown(what_cannot_be_placed_takes_no_room, up, down),
        cmocka_unit_test_setup_teardown(without_a_file_nothing_is_kept, up, down),
        cmocka_unit_test_setup_teardown(folder_that_is_missing, up, down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
