#include "runtimes.h"

#include "base/mem.h"
#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A prefix with an interpreter, and our own code, in a folder that is not below /usr. */
struct world {
    char dir[64];
    char interpreter[96], folder[96], item[128];
    struct worker_config c;
    char *interpreters[2], *preload[2], *folders[8];
};

static void put_file(const char *path, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    (void)fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static int enter(void **state)
{
    struct world *w = PL_NEW(struct world);
    char path[128];

    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/pilotlight-runtimes-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(path, sizeof(path), "%s/bin", w->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    (void)snprintf(w->interpreter, sizeof(w->interpreter), "%s/bin/python3", w->dir);
    put_file(w->interpreter, 0755);
    (void)snprintf(w->folder, sizeof(w->folder), "%s/ours", w->dir);
    assert_int_equal(mkdir(w->folder, 0755), 0);
    (void)snprintf(w->item, sizeof(w->item), "python-next=%s", w->interpreter);
    w->interpreters[0] = w->item;
    w->preload[0] = (char *)"numpy";
    w->c = (struct worker_config){ .python_interpreters = { w->interpreters, 1 },
                                   .python_preload = { w->preload, 1 },
                                   .python_folders = { w->folders, 0 },
                                   .python_folder = w->folder,
                                   .http_enabled = true };
    *state = w;
    return 0;
}

static int leave(void **state)
{
    struct world *w = *state;
    char path[128];

    (void)unlink(w->interpreter);
    (void)rmdir(w->folder);
    (void)snprintf(path, sizeof(path), "%s/bin", w->dir);
    (void)rmdir(path);
    (void)rmdir(w->dir);
    free(w);
    return 0;
}

static struct runtimes *made(struct world *w)
{
    struct runtimes *r = NULL;
    struct pl_err err = { 0 };

    assert_int_equal(runtimes_check(&w->c, &err), PL_OK);
    assert_int_equal(runtimes_new(&r, &w->c, "/opt/pl/bin/pilotlight-runner", &err), PL_OK);
    return r;
}

static void refused(struct world *w, const char *why)
{
    struct pl_err err = { 0 };

    assert_int_equal(runtimes_check(&w->c, &err), PL_INVALID);
    if (!strstr(err.message, why))
        fail_msg("'%s' is not in '%s'", why, err.message);
}

static void all_three(void **state)
{
    struct runtimes *r = made(*state);

    assert_int_equal(runtimes_count(r), 3);
    assert_string_equal(runtimes_names(r)[0], "xgboost");
    assert_string_equal(runtimes_names(r)[1], "python-next");
    assert_string_equal(runtimes_names(r)[2], "http");
    assert_false(runtimes_find(r, "xgboost")->own_code);
    assert_true(runtimes_find(r, "python-next")->own_code);
    assert_true(runtimes_find(r, "http")->own_code);
    assert_null(runtimes_find(r, "python"));
    runtimes_free(r);
}

static void how_python_starts(void **state)
{
    struct world *w = *state;
    struct runtimes *r = made(w);
    const struct runtime *p = runtimes_find(r, "python-next");
    const char *const expected[] = { w->interpreter, "-I",     "-B",
                                     w->folder,      "zygote", "/opt/pl/bin/libpilotlight-sandbox.so",
                                     "numpy" };

    assert_int_equal(p->profile, SANDBOX_PYTHON);
    for (size_t i = 0; i < PL_COUNT(expected); i++)
        assert_string_equal(p->argv[i], expected[i]);
    assert_null(p->argv[PL_COUNT(expected)]);
    runtimes_free(r);
}

/* Our own folder and the interpreter's prefix are outside /usr here; each once. */
static void folders_in_sight(void **state)
{
    struct world *w = *state;
    const struct runtime *p;
    struct runtimes *r;

    w->folders[0] = w->dir;
    w->folders[1] = (char *)"/usr/share";
    w->c.python_folders.count = 2;
    r = made(w);
    p = runtimes_find(r, "python-next");
    assert_string_equal(p->folders[0], w->folder);
    assert_string_equal(p->folders[1], w->dir);
    assert_null(p->folders[2]);
    assert_null(runtimes_find(r, "http")->folders[0]);
    runtimes_free(r);
}

static void what_is_not_here_is_left_out(void **state)
{
    struct world *w = *state;
    struct runtimes *r;

    w->interpreters[0] = (char *)"python-next=/nowhere/python3";
    r = made(w);
    assert_int_equal(runtimes_count(r), 2);
    runtimes_free(r);
    w->interpreters[0] = w->item;
    w->c.python_folder = (char *)"/nowhere";
    r = made(w);
    assert_int_equal(runtimes_count(r), 2);
    assert_null(runtimes_find(r, "python-next"));
    runtimes_free(r);
}

static void dropped(void **state)
{
    struct runtimes *r = made(*state);

    runtimes_drop(r, "python-next");
    runtimes_drop(r, "nobody");
    assert_int_equal(runtimes_count(r), 2);
    assert_string_equal(runtimes_names(r)[1], "http");
    assert_string_equal(runtimes_find(r, "http")->argv[2], "http");
    assert_null(runtimes_names(r)[2]);
    runtimes_free(r);
}

static void http_can_be_off(void **state)
{
    struct world *w = *state;
    struct runtimes *r;

    w->c.http_enabled = false;
    r = made(w);
    assert_null(runtimes_find(r, "http"));
    runtimes_free(r);
}

static void settings_that_are_refused(void **state)
{
    static const struct {
        const char *item, *why;
    } cases[] = {
        { "python", "'python' is not NAME=PATH" },
        { "=/usr/bin/python3", "'' cannot be the name of a runtime" },
        { "http=/usr/bin/python3", "'http' cannot be the name" },
        { "xgboost=/usr/bin/python3", "'xgboost' cannot be the name" },
        { "Python=/usr/bin/python3", "'Python' cannot be the name" },
        { "python=python3", "'python3' is not an absolute path" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        w->interpreters[0] = (char *)cases[i].item;
        refused(w, cases[i].why);
    }
    w->interpreters[0] = w->interpreters[1] = w->item;
    w->c.python_interpreters.count = 2;
    refused(w, "'python-next' is there twice");
    w->c.python_interpreters.count = 1;
    w->folders[0] = (char *)"relative";
    w->c.python_folders.count = 1;
    refused(w, "python.folders: 'relative' is not an absolute path");
}

static void too_many_folders(void **state)
{
    static const char *const several[] = { "/etc", "/var", "/dev", "/proc", "/sys", "/tmp" };
    struct world *w = *state;
    struct runtimes *r = NULL;
    struct pl_err err = { 0 };

    for (size_t i = 0; i < PL_COUNT(several); i++)
        w->folders[i] = (char *)several[i];
    w->c.python_folders.count = PL_COUNT(several);
    assert_int_equal(runtimes_new(&r, &w->c, "/opt/pl/bin/pilotlight-runner", &err), PL_INVALID);
    assert_string_equal(err.field, "python.folders");
    assert_null(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_three, enter, leave),
        cmocka_unit_test_setup_teardown(how_python_starts, enter, leave),
        cmocka_unit_test_setup_teardown(folders_in_sight, enter, leave),
        cmocka_unit_test_setup_teardown(what_is_not_here_is_left_out, enter, leave),
        cmocka_unit_test_setup_teardown(dropped, enter, leave),
        cmocka_unit_test_setup_teardown(http_can_be_off, enter, leave),
        cmocka_unit_test_setup_teardown(settings_that_are_refused, enter, leave),
        cmocka_unit_test_setup_teardown(too_many_folders, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
