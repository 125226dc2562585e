#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_fills_every_field(void **state)
{
    (void)state;
    struct pl_err err;
    memset(&err, 0x5a, sizeof(err));
    enum pl_code code =
        pl_fail(&err, PL_INVALID, "variants[0].memory_size_mb", "%d MB is above the limit of %d MB", 9, 6);
    assert_int_equal(code, PL_INVALID);
    assert_int_equal(err.code, PL_INVALID);
    assert_string_equal(err.field, "variants[0].memory_size_mb");
    assert_string_equal(err.reason, "");
    assert_string_equal(err.message, "9 MB is above the limit of 6 MB");
    assert_int_equal(err.retry_after_ms, 0);
    assert_int_equal(err.model_status, 0);
}

static void test_no_field_and_no_struct(void **state)
{
    (void)state;
    struct pl_err err;
    assert_int_equal(pl_fail(&err, PL_INTERNAL, NULL, "x"), PL_INTERNAL);
    assert_string_equal(err.field, "");
    assert_int_equal(pl_fail(NULL, PL_DENIED, "f", "x"), PL_DENIED);
    assert_int_equal(pl_fail_reason(NULL, PL_EXHAUSTED, "R", "f", "x"), PL_EXHAUSTED);
}

static void test_reason(void **state)
{
    (void)state;
    struct pl_err err;
    assert_int_equal(pl_fail_reason(&err, PL_EXHAUSTED, "MAX_CONCURRENCY", "e", "limit %d", 5), PL_EXHAUSTED);
    assert_string_equal(err.reason, "MAX_CONCURRENCY");
    pl_fail(&err, PL_INTERNAL, NULL, "another");
    assert_string_equal(err.reason, "");
}

/* A failure is often made from another one in the same struct. */
static void test_arguments_may_lie_in_the_struct(void **state)
{
    (void)state;
    struct pl_err err;
    pl_fail_reason(&err, PL_NOT_FOUND, "WHY", "name", "no such model");
    pl_fail_reason(&err, PL_UNAVAILABLE, err.reason, err.field, "upstream: %s", err.message);
    assert_string_equal(err.message, "upstream: no such model");
    assert_string_equal(err.field, "name");
    assert_string_equal(err.reason, "WHY");
}

static void test_prefix(void **state)
{
    (void)state;
    struct pl_err err;
    pl_fail(&err, PL_NOT_FOUND, "uri", "no such file");
    assert_int_equal(pl_err_prefix(&err, "artifact '%s'", "m.tar.gz"), PL_NOT_FOUND);
    assert_string_equal(err.message, "artifact 'm.tar.gz': no such file");
    assert_string_equal(err.field, "uri");
}

static void assert_utf8_of(const char *message, size_t len, const char *end)
{
    size_t n = strlen(message);
    assert_int_equal(n, len);
    assert_string_equal(message + n - strlen(end), end);
}

/* Characters of 2, 3 and 4 bytes, at each distance from the end of the field. */
static void test_cut_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = { "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9a\x80" };
    struct pl_err err;
    size_t room = sizeof(err.message) - 1;
    for (size_t c = 0; c < PL_COUNT(characters); c++) {
        size_t bytes = strlen(characters[c]);
        for (size_t short_of = 0; short_of <= 5; short_of++) {
            char text[2048];
            size_t lead = room - short_of;
            memset(text, 'a', lead);
            snprintf(text + lead, sizeof(text) - lead, "%s%s%s", characters[c], characters[c], characters[c]);
            pl_fail(&err, PL_INVALID, text, "%s", text);
            size_t fit = short_of / bytes;
            assert_utf8_of(err.message, lead + fit * bytes, fit > 0 ? characters[c] : "a");
            assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
        }
    }
}

static void test_prefix_is_cut_too(void **state)
{
    (void)state;
    struct pl_err err;
    char text[1500];
    memset(text, 'b', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    pl_fail(&err, PL_INVALID, NULL, "end");
    pl_err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    pl_fail(&err, PL_INVALID, NULL, "%s", text);
    pl_err_prefix(&err, "front");
    assert_int_equal(strncmp(err.message, "front: bbb", 10), 0);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

static void test_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    struct pl_err err;
    pl_fail(&err, PL_INVALID, "f\xff", "a\x80z \xc3( \xed\xa0\x80 ok \xc3\xa4");
    assert_string_equal(err.message, "a?z ?( ??? ok \xc3\xa4");
    assert_string_equal(err.field, "f?");
    pl_fail(&err, PL_INVALID, NULL, "cut off \xe2\x82");
    assert_string_equal(err.message, "cut off ??");
}

/* What an instance says ends on somebody's terminal. */
static void test_control_characters(void **state)
{
    (void)state;
    struct pl_err err;
    (void)pl_fail(&err, PL_MODEL, NULL, "%s",
                  "a\x1b]0;b\x07 \xc2\x9b"
                  "2J\x7f line\n\tnext \xc2\xa0.");
    assert_string_equal(err.message, "a?]0;b? ?2J? line\n\tnext \xc2\xa0.");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(pl_code_name(PL_OK), "OK");
    assert_string_equal(pl_code_name(PL_NOT_FOUND), "NOT_FOUND");
    for (int a = 0; a < PL_CODE_COUNT; a++) {
        assert_non_null(pl_code_name((enum pl_code)a));
        for (int b = 0; b < a; b++)
            assert_string_not_equal(pl_code_name((enum pl_code)a), pl_code_name((enum pl_code)b));
    }
    assert_string_equal(pl_code_name(PL_CODE_COUNT), "UNKNOWN");
    assert_string_equal(pl_code_name((enum pl_code) - 1), "UNKNOWN");
}

static void test_die_says_why(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        pl_die("out of %s", "luck");
    }
    close(ends[1]);
    char said[256] = "";
    ssize_t n = read(ends[0], said, sizeof(said) - 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(ends[0]);
    assert_true(n > 0);
    assert_non_null(strstr(said, ": fatal: out of luck\n"));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_every_field),
        cmocka_unit_test(test_no_field_and_no_struct),
        cmocka_unit_test(test_reason),
        cmocka_unit_test(test_arguments_may_lie_in_the_struct),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_cut_between_characters),
        cmocka_unit_test(test_prefix_is_cut_too),
        cmocka_unit_test(test_bytes_that_are_not_utf8),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_die_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
