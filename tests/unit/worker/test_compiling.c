/* How a run of the compiler ends, and what it leaves in its folder. The process is a shell; everything else is real. */
#include "compiling.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "layout/forest_folder.h"
#include "loop/loop.h"
#include "spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define HANG_MS 20000

struct rig {
    struct loop *loop;
    struct loop_timer hang;
    struct loop_task made_task;
    char dir[64];
    int dir_fd;
    struct compiling *compiling;
    const char *script;
    bool refused; /* the zygote can make no process */
    bool cancels; /* as soon as there is one */
    bool forgotten;
    spawn_tool_made_fn *made;
    void *made_arg;
    enum pl_code code;
    int64_t bytes;
    char said[512];
    bool ended;
};
static struct rig *rig;

/* ---- the process ---- */

static void make(struct loop_task *t)
{
    int log[2];
    struct pl_err err;
    pid_t pid;

    (void)t;
    if (rig->forgotten)
        return;
    if (rig->refused) {
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "no process is left");
        rig->made(rig->made_arg, NULL, &err);
        return;
    }
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(log[1], STDERR_FILENO);
        (void)execl("/bin/sh", "sh", "-c", rig->script, NULL);
        _exit(127);
    }
    (void)close(log[1]);
    rig->made(rig->made_arg, &(struct spawned){ .pid = pid, .pidfd = pidfd_open(pid, 0), .log_fd = log[0] }, NULL);
    if (rig->cancels)
        compiling_cancel(rig->compiling);
}

enum pl_code spawn_compile(struct spawner *s, const struct spawn_compile_spec *spec, spawn_tool_made_fn *made,
                           void *arg, struct spawn_tool **out, struct pl_err *err)
{
    (void)s;
    (void)err;
    assert_string_equal(spec->dir, rig->dir);
    rig->made = made;
    rig->made_arg = arg;
    loop_post(rig->loop, &rig->made_task);
    *out = (struct spawn_tool *)rig;
    return PL_OK;
}

void spawn_tool_cancel(struct spawn_tool *t)
{
    assert_ptr_equal(t, rig);
    rig->forgotten = true;
}

/* ---- the rig ---- */

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("'%s' does not end", rig->script);
}

static void ended(void *arg, int64_t bytes, const char *said, const struct pl_err *err)
{
    assert_ptr_equal(arg, rig);
    assert_false(rig->ended);
    rig->ended = true;
    rig->bytes = bytes;
    rig->code = err ? err->code : PL_OK;
    (void)snprintf(rig->said, sizeof(rig->said), "%s", said);
    loop_stop(rig->loop);
}

static int set_up(void **state)
{
    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->made_task.run = make;
    rig->hang.fire = hangs;
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    (void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/pilotlight-compiling-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    rig->dir_fd = open(rig->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return 0;
}

static int tear_down(void **state)
{
    pl_cleanup(pl_free_p) char *command = pl_format("rm -rf '%s'", rig->dir);

    (void)state;
    loop_free(rig->loop);
    (void)close(rig->dir_fd);
    assert_int_equal(system(command), 0);
    free(rig);
    return 0;
}

static void start(const char *script, int64_t timeout_ms)
{
    const struct compiling_spec spec = {
        .model_dir = "/nowhere", .dir = rig->dir, .dir_fd = rig->dir_fd, .timeout_ms = timeout_ms
    };
    struct pl_err err;

    rig->script = script;
    assert_ok(compiling_start(&rig->compiling, rig->loop, NULL, &spec, ended, rig, &err), err);
}

static void run(const char *script, int64_t timeout_ms)
{
    start(script, timeout_ms);
    loop_run(rig->loop);
    assert_true(rig->ended);
}

static void why(char out[512])
{
    pl_cleanup(pl_close_p) int fd = openat(rig->dir_fd, FOREST_FOLDER_WHY, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, 511);

    out[n > 0 ? n : 0] = '\0';
}

/* ---- tests ---- */

static void what_it_says_last_is_told(void **state)
{
    char text[512];

    (void)state;
    run("echo first >&2; echo '0.forest: 3 trees' >&2", HANG_MS);
    assert_int_equal(rig->code, PL_OK);
    assert_string_equal(rig->said, "0.forest: 3 trees");
    why(text);
    assert_string_equal(text, "");
}

/* No failure of the model's: the folder says why there is no forest. */
static void a_failed_run_leaves_its_reason(void **state)
{
    char text[512];

    (void)state;
    run("echo 'not a model' >&2; exit 3", HANG_MS);
    assert_int_equal(rig->code, PL_OK);
    assert_text(rig->said, "exited with 3: not a model");
    why(text);
    assert_string_equal(text, rig->said);
    assert_true(rig->bytes > 0);
}

static void a_crash_is_the_models(void **state)
{
    (void)state;
    run("kill -SEGV $$", HANG_MS);
    assert_int_equal(rig->code, PL_OK);
    assert_text(rig->said, "killed by signal 11");
}

static void a_killed_run_may_be_tried_again(void **state)
{
    char text[512];

    (void)state;
    run("kill -KILL $$", HANG_MS);
    assert_int_equal(rig->code, PL_UNAVAILABLE);
    why(text);
    assert_text(text, "killed by signal 9");
    assert_true(rig->bytes > 0);
}

static void one_that_never_began_may_be_tried_again(void **state)
{
    (void)state;
    rig->refused = true;
    run("", HANG_MS);
    assert_int_equal(rig->code, PL_UNAVAILABLE);
    assert_int_equal(rig->bytes, 0);
}

/* Ended by us, with the same signal: it would take too long again. */
static void one_that_takes_too_long_is_not_tried_again(void **state)
{
    char text[512];

    (void)state;
    run("exec sleep 1000", 50);
    assert_int_equal(rig->code, PL_OK);
    why(text);
    assert_text(text, "it was not compiled within");
}

/* It may write to the host's disk, file by file within its limit: the number of files is watched, too. */
static void one_that_writes_without_end_is_ended(void **state)
{
    char text[512];

    (void)state;
    pl_cleanup(pl_free_p) char *script = pl_format("cd '%s' && seq 4200 | xargs touch && exec sleep 1000", rig->dir);
    run(script, HANG_MS);
    assert_int_equal(rig->code, PL_OK);
    why(text);
    assert_text(text, "the compiler wrote more than 2147483648 bytes or 4096 files");
    assert_int_equal(rig->bytes, strlen(text)); /* and nothing of it is kept */
}

static void cancelled_before_it_began(void **state)
{
    (void)state;
    start("exit 0", HANG_MS);
    compiling_cancel(rig->compiling);
    loop_run(rig->loop);
    assert_int_equal(rig->code, PL_CANCELLED);
}

static void cancelled_while_it_runs(void **state)
{
    (void)state;
    start("exec sleep 1000", HANG_MS);
    rig->cancels = true;
    loop_run(rig->loop);
    assert_int_equal(rig->code, PL_CANCELLED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_it_says_last_is_told),
        CASE(a_failed_run_leaves_its_reason),
        CASE(a_crash_is_the_models),
        CASE(a_killed_run_may_be_tried_again),
        CASE(one_that_never_began_may_be_tried_again),
        CASE(one_that_takes_too_long_is_not_tried_again),
        CASE(one_that_writes_without_end_is_ended),
        CASE(cancelled_before_it_began),
        CASE(cancelled_while_it_runs),
    };

    return cmocka_run_group_tests_name("worker/compiling", tests, NULL, NULL);
}
