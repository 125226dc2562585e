/* Paths are made absolute and clean. */
#include "paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void paths_are_joined_and_cleaned(void **state)
{
    static const struct {
        const char *folder, *path, *full;
    } cases[] = {
        { "/a/b", "c", "/a/b/c" },    { "/a/b", "./c//d", "/a/b/c/d" }, { "/a/b", "../c", "/a/c" },
        { "/a", "../../../c", "/c" }, { "/a", "/x/./y/", "/x/y" },      { "/a", "..", "/" },
        { "/", "c", "/c" },           { "/a/../b", "c", "/b/c" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *full = paths_resolve(cases[i].folder, cases[i].path);
        assert_string_equal(full, cases[i].full);
        free(full);
    }
}

static void relative_folders_start_here(void **state)
{
    char *here = getcwd(NULL, 0), *full = paths_resolve(".", "x"), *sub = paths_resolve("y", "x");
    (void)state;
    assert_int_equal(strncmp(full, here, strlen(here)), 0);
    assert_string_equal(full + strlen(here), "/x");
    assert_string_equal(sub + strlen(here), "/y/x");
    free(here);
    free(full);
    free(sub);
}

static void folders_of_files(void **state)
{
    static const char *const cases[][2] = {
        { "a/b.yaml", "a" }, { "b.yaml", "." }, { "/b.yaml", "/" }, { "/a/b/c", "/a/b" }
    };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char *folder = paths_folder(cases[i][0]);
        assert_string_equal(folder, cases[i][1]);
        free(folder);
    }
}

static void files_beyond_the_limit_are_refused(void **state)
{
    char path[] = "/tmp/pl-paths-XXXXXX";
    int fd = mkstemp(path);
    struct pl_buf small = PL_BUF_INIT(4), enough = PL_BUF_INIT(100);
    struct pl_err err;
    (void)state;
    assert_int_equal(write(fd, "12345", 5), 5);
    close(fd);
    assert_int_equal(paths_read(path, &small, &err), PL_EXHAUSTED);
    assert_int_equal(paths_read(path, &enough, &err), PL_OK);
    assert_int_equal(enough.len, 5);
    unlink(path);
    pl_buf_done(&small);
    pl_buf_done(&enough);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_joined_and_cleaned),
        cmocka_unit_test(relative_folders_start_here),
        cmocka_unit_test(folders_of_files),
        cmocka_unit_test(files_beyond_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
