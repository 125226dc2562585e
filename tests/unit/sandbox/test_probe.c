/* What the probe says, and that what it says is what is used. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void as_root_nothing_is_missing(void **state)
{
    (void)state;
    if (!rig_host.probe.privileged)
        skip();
    if (rig_host.probe.features != SANDBOX_ALL)
        print_message("this host is weaker than a plain Debian host as root\n");
    assert_true(rig_has(SANDBOX_SECCOMP_BIT));
}

static void what_is_missing_has_a_reason(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++)
        assert_int_equal(rig_has((enum sandbox_feature)i), rig_host.probe.why[i][0] == '\0');
}

static void no_user_of_its_own_when_asked_for_root(void **state)
{
    struct sandbox_probe p;
    struct pl_err err;

    (void)state;
    assert_int_equal(sandbox_probe(&p, rig_host.program, 0, &err), PL_OK);
    assert_false(SANDBOX_HAS(p.features, OWN_UID));
    assert_true(p.why[SANDBOX_OWN_UID_BIT][0] != '\0');
}

static void no_such_program(void **state)
{
    struct sandbox_probe p;
    struct pl_err err;

    (void)state;
    assert_int_equal(sandbox_probe(&p, "/nowhere/runner", 1, &err), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "/nowhere/runner"));
    assert_int_equal(sandbox_probe(&p, "runner", 1, &err), PL_PRECONDITION);
}

/* A program that is no zygote: the probe says so instead of giving up everything. */
static void not_a_zygote(void **state)
{
    struct sandbox_probe p;
    struct pl_err err;

    (void)state;
    assert_int_equal(sandbox_probe(&p, "/bin/true", 1, &err), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "no instance comes up"));
}

/* User namespaces can be forbidden for all that we start; the rest of the machine does not notice. */
static void without_user_namespaces(void **state)
{
    char command[512], line[4096] = "";
    size_t n;
    FILE *f;

    (void)state;
    if (!rig_has(SANDBOX_USER_NS_BIT))
        skip();
    (void)snprintf(command, sizeof(command),
                   "unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec %s probe' 2>&1",
                   RUNNER_PROGRAM);
    f = popen(command, "re");
    assert_non_null(f);
    n = fread(line, 1, sizeof(line) - 1, f);
    line[n] = '\0';
    if (pclose(f) != 0)
        skip(); /* no such tool, or the program cannot be reached */
    assert_non_null(strstr(line, "\"key\":\"USER_NS\",\"name\":\"user namespace\",\"ok\":false"));
    assert_non_null(strstr(line, "\"key\":\"SECCOMP\",\"name\":\"system call filter\",\"ok\":true"));
    assert_non_null(strstr(line, "\"kind\":\"plan\""));
}

static int tests(void)
{
    const struct CMUnitTest list[] = {
        cmocka_unit_test(as_root_nothing_is_missing),
        cmocka_unit_test(what_is_missing_has_a_reason),
        cmocka_unit_test(no_user_of_its_own_when_asked_for_root),
        cmocka_unit_test(no_such_program),
        cmocka_unit_test(not_a_zygote),
        cmocka_unit_test(without_user_namespaces),
    };

    return cmocka_run_group_tests(list, NULL, NULL);
}

int main(int argc, char **argv)
{
    return rig_main(argc, argv, HOSTILE_PROGRAM, tests);
}
