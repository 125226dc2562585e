/* The spool: what was appended is read back, whatever a crash left at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX 1000

static char folder[64], path[96];
static struct pl_err err;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/pl-spool-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/spool", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void note(void *arg, const void *bytes, size_t len)
{
    struct pl_buf *seen = arg;
    assert_true(pl_buf_add(seen, bytes, len) && pl_buf_addc(seen, ' '));
}

/* Opens, and says what was in it; the caller closes. */
static struct spool *open_spool(struct pl_buf *seen)
{
    struct spool *s;
    pl_buf_done(seen);
    *seen = PL_BUF_INIT(0);
    assert_true(pl_buf_adds(seen, ""));
    if (spool_open(&s, path, MAX, note, seen, &err) != PL_OK)
        fail_msg("%s", err.message);
    return s;
}

static void append(struct spool *s, const char *text)
{
    assert_int_equal(spool_append(s, text, strlen(text), &err), PL_OK);
}

static void test_read_back(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf seen = PL_BUF_INIT(0);
    (void)state;
    struct spool *s = open_spool(&seen);
    assert_string_equal(seen.data, "");
    append(s, "one");
    append(s, "two");
    spool_close(s);
    s = open_spool(&seen);
    assert_string_equal(seen.data, "one two ");
    append(s, "three");
    spool_close(s);
    s = open_spool(&seen);
    assert_string_equal(seen.data, "one two three ");
    assert_int_equal(spool_clear(s, &err), PL_OK);
    append(s, "four");
    spool_close(s);
    spool_close(open_spool(&seen));
    assert_string_equal(seen.data, "four ");
}

/* Cut at every length, and one bit wrong at every place: never more than was written, and what follows is sound. */
static void test_damage(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf seen = PL_BUF_INIT(0);
    char whole[256];
    struct stat st;
    (void)state;
    struct spool *s = open_spool(&seen);
    append(s, "first");
    append(s, "second");
    spool_close(s);
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    size_t len = (size_t)st.st_size;
    assert_int_equal(read(fd, whole, sizeof(whole)), len);
    (void)close(fd);
    for (size_t i = 0; i < 2 * len; i++) {
        bool cut = i < len;
        char copy[256];
        memcpy(copy, whole, len);
        if (!cut)
            copy[i - len] ^= 4;
        fd = open(path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, copy, cut ? i : len), cut ? i : len);
        (void)close(fd);
        s = open_spool(&seen);
        assert_true(strcmp(seen.data, "") == 0 || strcmp(seen.data, "first ") == 0);
        append(s, "third");
        spool_close(s);
        s = open_spool(&seen);
        assert_non_null(strstr(seen.data, "third "));
        assert_null(strstr(seen.data, "second"));
        spool_close(s);
    }
}

static void test_records_that_are_too_long(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf seen = PL_BUF_INIT(0);
    char text[MAX + 2];
    (void)state;
    memset(text, 'x', MAX + 1);
    text[MAX + 1] = '\0';
    struct spool *s = open_spool(&seen);
    append(s, text); /* by a release with a larger limit */
    spool_close(s);
    spool_close(open_spool(&seen));
    assert_string_equal(seen.data, "");
}

static void test_files_that_cannot_be_used(void **state)
{
    struct spool *s;
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(spool_open(&s, path, MAX, note, NULL, &err), PL_INTERNAL);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(rmdir(path), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_read_back),
        T(test_damage),
        T(test_records_that_are_too_long),
        T(test_files_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
