/* Memory: the limit kills one instance and leaves its neighbour alone, or refuses it more, and both can be told apart.
 */
#include "rig.h"

#include "base/sanitizer.h"
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MB 64

static void refused_by_itself(void **state)
{
    struct inmate i;
    struct rig r;
    char answer[64];

    (void)state;
    if (PL_SANITIZED)
        skip();
    rig_start(&r, SANDBOX_TREES, "serve");
    rig_make(&r, &(struct rig_wish){ .rlimit_mb = LIMIT_MB }, &i);
    assert_true(rig_say(&i, "memory 16", answer, sizeof(answer)));
    assert_string_equal(answer, "done");
    assert_true(rig_say(&i, "memory 80", answer, sizeof(answer)));
    assert_string_equal(answer, "ENOMEM");
    assert_int_equal(rig_reap(&i), 0);
    rig_stop(&r);
}

/* What unpacks and what compiles write to the host's disk: no file there grows beyond what they were started with. */
static void large_files_are_refused(void **state)
{
    static const enum sandbox_profile tools[] = { SANDBOX_UNPACK, SANDBOX_COMPILE };

    (void)state;
    if (!rig_has(SANDBOX_ROOT_BIT))
        skip();
    for (size_t t = 0; t < PL_COUNT(tools); t++) {
        struct inmate i;
        struct rig r;
        char answer[64];

        rig_start(&r, tools[t], tools[t] == SANDBOX_UNPACK ? "tool" : "serve");
        rig_make(&r, &(struct rig_wish){ .file_mb = 2 }, &i);
        assert_true(rig_say(&i, "file 2 /out", answer, sizeof(answer)));
        assert_string_equal(answer, "done");
        assert_true(rig_say(&i, "file 3 /out", answer, sizeof(answer)));
        assert_string_equal(answer, "EFBIG");
        assert_int_equal(rig_reap(&i), 0);
        rig_stop(&r);
    }
}

static void make_in_group(struct rig *r, struct cgroups *c, unsigned number, struct inmate *out)
{
    struct rig_wish w = { 0 };
    struct cgroup_limits l = { .memory_mb = LIMIT_MB, .cpu_milli = 500, .processes = 1 };
    int count;

    assert_int_equal(cgroup_make(c, number), 0);
    assert_int_equal(cgroup_limit(c, number, &l), 0);
    count = cgroup_entrances(c, number, w.cgroups);
    assert_true(count > 0);
    w.cgroup_count = (unsigned)count;
    rig_make(r, &w, out);
    for (int i = 0; i < count; i++)
        (void)close(w.cgroups[i]);
}

static void killed_by_its_group(void **state)
{
    struct cgroups *c = cgroups_open("");
    struct inmate greedy, neighbour;
    struct rig r;
    char answer[64];
    int status;

    (void)state;
    if (!(cgroups_controllers(c) & CGROUP_MEMORY)) {
        print_message("no memory control group: %s\n", cgroups_why_not(c));
        cgroups_close(c);
        skip();
    }
    rig_start(&r, SANDBOX_TREES, "serve");
    make_in_group(&r, c, 0, &greedy);
    make_in_group(&r, c, 1, &neighbour);
    assert_true(rig_say(&neighbour, "memory 16", answer, sizeof(answer)));
    assert_string_equal(answer, "done");
    assert_int_equal(cgroup_oom_kills(c, 0), 0);
    assert_false(rig_say(&greedy, "memory 80", answer, sizeof(answer)));
    status = rig_reap(&greedy);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_true(cgroup_oom_kills(c, 0) > 0);
    assert_int_equal(cgroup_oom_kills(c, 1), 0);
    assert_true(rig_say(&neighbour, "read model", answer, sizeof(answer)));
    assert_string_equal(answer, "done");
    assert_int_equal(rig_reap(&neighbour), 0);
    rig_stop(&r);
    cgroup_remove(c, 0);
    cgroup_remove(c, 1);
    cgroups_close(c);
}

/* Folders of this process, anywhere below the control groups. */
static bool left_over(void)
{
    char command[160];

    (void)snprintf(command, sizeof(command),
                   "find /sys/fs/cgroup -maxdepth 6 -name 'pilotlight-%d' 2>/dev/null | grep -q .", (int)getpid());
    return system(command) == 0;
}

static void closing_leaves_nothing(void **state)
{
    struct cgroups *c = cgroups_open("");

    (void)state;
    if (cgroups_controllers(c) == 0) {
        cgroups_close(c);
        skip();
    }
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(cgroup_make(c, i), 0);
    assert_int_equal(cgroup_make(c, 4), 0);
    assert_true(left_over());
    cgroups_close(c);
    assert_false(left_over());
}

static void what_the_dead_left_is_removed(void **state)
{
    struct cgroups *c;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        c = cgroups_open("");
        _exit(cgroups_controllers(c) == 0 || cgroup_make(c, 0) != 0 ? 77 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 77)
        skip();
    c = cgroups_open("");
    cgroups_close(c);
    char command[160];
    (void)snprintf(command, sizeof(command),
                   "find /sys/fs/cgroup -maxdepth 6 -name 'pilotlight-%d' 2>/dev/null | grep -q .", (int)pid);
    assert_int_not_equal(system(command), 0);
}

/* A folder that is no control group has no controllers: said, not crashed over. */
static void parent_without_controllers(void **state)
{
    struct cgroups *c = cgroups_open(rig_host.work);

    (void)state;
    assert_int_equal(cgroups_controllers(c), 0);
    assert_string_equal(cgroups_driver(c), "rlimit only");
    assert_non_null(strstr(cgroups_why_not(c), "memory"));
    assert_int_equal(cgroup_oom_kills(c, 0), 0);
    cgroups_close(c);
}

static int tests(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(large_files_are_refused),       cmocka_unit_test(refused_by_itself),
        cmocka_unit_test(killed_by_its_group),           cmocka_unit_test(closing_leaves_nothing),
        cmocka_unit_test(what_the_dead_left_is_removed), cmocka_unit_test(parent_without_controllers),
    };

    return cmocka_run_group_tests(list, NULL, NULL);
}

int main(int argc, char **argv)
{
    return rig_main(argc, argv, HOSTILE_PROGRAM, tests);
}
