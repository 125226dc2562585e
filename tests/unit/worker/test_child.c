/* Processes that end, are ended, and change hands. */
#include "child.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_MS 20000

struct rig {
    struct loop *loop;
    struct loop_timer hang;
    struct child child;
    struct pl_err err;
    bool ended;
    int status;
    char how[CHILD_HOW_MAX];
};
static struct rig *rig;

static void exited(struct child *c, int status, const char *how)
{
    assert_ptr_equal(c, &rig->child);
    assert_false(rig->ended);
    assert_int_equal(c->watch.fd, -1);
    rig->ended = true;
    rig->status = status;
    (void)snprintf(rig->how, sizeof(rig->how), "%s", how);
    loop_stop(rig->loop);
}

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nobody ended");
}

static int set_up(void **state)
{
    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->hang.fire = hangs;
    rig->child.watch.fd = -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    child_end(&rig->child); /* harmless */
    loop_timer_clear(rig->loop, &rig->hang);
    loop_free(rig->loop);
    free(rig);
    return 0;
}

/* One that exits with 'code', or waits for ever. */
static pid_t start(int code, int *out_pidfd)
{
    pid_t pid = fork();

    if (pid == 0) {
        while (code < 0)
            (void)pause();
        _exit(code);
    }
    assert_true(pid > 0);
    *out_pidfd = pidfd_open(pid, 0);
    assert_true(*out_pidfd >= 0);
    return pid;
}

static void watch(int code)
{
    int pidfd;
    pid_t pid = start(code, &pidfd);

    assert_ok(child_watch(&rig->child, rig->loop, pid, pidfd, exited, &rig->err), rig->err);
}

static void ends_with(const char *how)
{
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    loop_run(rig->loop);
    assert_true(rig->ended);
    assert_string_equal(rig->how, how);
}

static bool reaped(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void one_that_exits(void **state)
{
    (void)state;
    watch(7);
    ends_with("exited with 7");
    assert_int_equal(WEXITSTATUS(rig->status), 7);
    assert_true(reaped(rig->child.pid));
    child_kill(&rig->child); /* harmless after the end */
}

static void one_that_is_killed(void **state)
{
    (void)state;
    watch(-1);
    child_kill(&rig->child);
    child_kill(&rig->child);
    ends_with("killed by signal 9 (Killed)");
}

static void one_that_crashes(void **state)
{
    (void)state;
    watch(-1);
    assert_int_equal(kill(rig->child.pid, SIGABRT), 0);
    ends_with("killed by signal 6 (Aborted)");
}

static void one_that_is_ended(void **state)
{
    (void)state;
    watch(-1);
    child_end(&rig->child);
    assert_true(reaped(rig->child.pid));
    assert_false(rig->ended);
}

static void one_that_changes_hands(void **state)
{
    pid_t pid;
    int pidfd;

    (void)state;
    watch(-1);
    child_release(&rig->child, &pid, &pidfd);
    child_end(&rig->child); /* not its any more */
    assert_int_equal(kill(pid, 0), 0);
    assert_ok(child_watch(&rig->child, rig->loop, pid, pidfd, exited, &rig->err), rig->err);
    child_kill(&rig->child);
    ends_with("killed by signal 9 (Killed)");
}

static void one_that_nobody_watches(void **state)
{
    int pidfd;
    pid_t pid = start(-1, &pidfd);

    (void)state;
    child_abandon(pid, pidfd);
    assert_true(reaped(pid));
}

#define R(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        R(one_that_exits),    R(one_that_is_killed),     R(one_that_crashes),
        R(one_that_is_ended), R(one_that_changes_hands), R(one_that_nobody_watches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
