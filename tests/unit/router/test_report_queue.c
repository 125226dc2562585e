/* Reports on their way to control, and the disk beside them, which may be full for a while. */
#include "report_queue.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HANG_MS 20000

struct rig {
    struct loop *loop;
    struct report_queue *q;
    struct loop_timer hang;
    char dir[40], path[64];
};

static void written(void *arg)
{
    struct rig *r = arg;

    loop_stop(r->loop);
}

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("it was not written");
}

static void open_queue(struct rig *r)
{
    r->q = report_queue_new(r->loop, r->path, 1 << 20, written, r);
}

static void add(struct rig *r, const char *text)
{
    struct pl_buf b = { 0 };

    pl_buf_add(&b, text, strlen(text));
    report_queue_add(r->q, &b);
    report_queue_write(r->q);
    if (report_queue_busy(r->q))
        loop_run(r->loop);
}

static void assert_batch(const struct rig *r, size_t i, const char *text)
{
    const void *bytes;
    size_t n;

    assert_true(report_queue_written(r->q, i, &bytes, &n));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Reports go on to control all the same; as soon as the disk takes them they are on it again. */
static void a_full_disk_is_no_end(void **state)
{
    struct rig r = { .loop = loop_new(1), .hang = { .fire = hangs } };
    struct stat st;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)snprintf(r.dir, sizeof(r.dir), "/tmp/pl-report-queue-XXXXXX");
    assert_non_null(mkdtemp(r.dir));
    (void)snprintf(r.path, sizeof(r.path), "%s/reports", r.dir);
    loop_timer_set(r.loop, &r.hang, pl_now_ms() + HANG_MS);
    open_queue(&r);
    add(&r, "first");
    assert_int_equal(stat(r.path, &st), 0);
    limit_files((rlim_t)st.st_size + 2);
    add(&r, "second");
    assert_batch(&r, 1, "second");
    limit_files(RLIM_INFINITY);
    add(&r, "third");
    assert_batch(&r, 2, "third");
    report_queue_free(r.q);

    open_queue(&r); /* the router was killed */
    assert_batch(&r, 0, "first");
    assert_batch(&r, 1, "third");
    report_queue_drop(r.q, 2);
    limit_files(0);
    report_queue_write(r.q);
    if (report_queue_busy(r.q))
        loop_run(r.loop);
    limit_files(RLIM_INFINITY);
    add(&r, "fourth");
    report_queue_free(r.q);
    open_queue(&r);
    assert_batch(&r, report_queue_bytes(r.q) > strlen("fourth") ? 2 : 0, "fourth");
    report_queue_free(r.q);

    loop_timer_clear(r.loop, &r.hang);
    loop_free(r.loop);
    assert_int_equal(unlink(r.path), 0);
    assert_int_equal(rmdir(r.dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
