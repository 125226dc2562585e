/* Options and words of a command line: every type, every way to write it, every refusal. */
#include "args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct args_option own[] = {
    { 'f', "file", ARGS_LIST, "FILE", .help = "" },
    { 0, "dry-run", ARGS_FLAG, .help = "" },
    { 'v', "verbose", ARGS_FLAG, .help = "" },
    { 'q', "quiet", ARGS_FLAG, .help = "" },
    { 'n', "repeat", ARGS_COUNT, "N", .min = 1, .max = 100, .help = "" },
    { 0, "timeout", ARGS_DURATION, "TIME", .fallback = "4s", .min = 1, .max = 60000, .help = "" },
    { 0, "name", ARGS_TEXT, "TEXT", .help = "" },
    { 0 },
};
static const struct args_option output[] = {
    { 'o', "output", ARGS_CHOICE, "FORMAT", .fallback = "table",
      .choices = (const char *const[]){ "table", "json", NULL }, .help = "" },
    { 0 },
};
static const struct args_option *const sets[] = { own, output, NULL };

static int count(const char *const *argv)
{
    int n = 0;
    while (argv[n])
        n++;
    return n;
}

static void values_and_words_mix(void **state)
{
    const char *argv[] = { "get",      "-f", "a", "--file=b", "-fc", "-vq", "--dry-run", "x",
                           "--repeat", "7",  "-", "-1.5,2",   "-.5", "--",  "--name",    NULL };
    struct args a;
    struct pl_err err;
    const char *files[3];
    (void)state;
    assert_int_equal(args_parse(&a, sets, count(argv), argv, &err), PL_OK);
    assert_int_equal(args_list(&a, "file", files, 3), 3);
    assert_string_equal(files[0], "a");
    assert_string_equal(files[1], "b");
    assert_string_equal(files[2], "c");
    assert_true(args_flag(&a, "verbose") && args_flag(&a, "quiet") && args_flag(&a, "dry-run"));
    assert_int_equal(args_number(&a, "repeat"), 7);
    assert_int_equal(a.word_count, 6);
    const char *words[] = { "get", "x", "-", "-1.5,2", "-.5", "--name" };
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(a.words[i], words[i]);
    args_done(&a);
}

static void what_is_not_given_falls_back(void **state)
{
    const char *argv[] = { NULL };
    struct args a;
    struct pl_err err;
    (void)state;
    assert_int_equal(args_parse(&a, sets, 0, argv, &err), PL_OK);
    assert_string_equal(args_text(&a, "output"), "table");
    assert_int_equal(args_number(&a, "timeout"), 4000);
    assert_false(args_given(&a, "timeout"));
    assert_false(args_flag(&a, "dry-run"));
    assert_null(args_text(&a, "name"));
    assert_int_equal(args_number(&a, "repeat"), 0);
    args_done(&a);
}

static void the_last_one_counts(void **state)
{
    const char *argv[] = { "--timeout", "1s", "--timeout=250ms", NULL };
    struct args a;
    struct pl_err err;
    (void)state;
    assert_int_equal(args_parse(&a, sets, count(argv), argv, &err), PL_OK);
    assert_int_equal(args_number(&a, "timeout"), 250);
    assert_true(args_given(&a, "timeout"));
    args_done(&a);
}

static void refusals_name_option_value_and_limits(void **state)
{
    static const struct {
        const char *argv[3];
        const char *message;
    } cases[] = {
        { { "--dry-rum" }, "unknown option '--dry-rum'; did you mean '--dry-run'?" },
        { { "--zzzzzzzz" }, "unknown option '--zzzzzzzz'" },
        { { "-z" }, "unknown option '-z'" },
        { { "-vz" }, "unknown option '-z'" },
        { { "--timeot=1s" }, "unknown option '--timeot'; did you mean '--timeout'?" },
        { { "--repeat", "0" }, "--repeat: '0' is not a whole number from 1 to 100" },
        { { "-n", "ten" }, "--repeat: 'ten' is not a whole number from 1 to 100" },
        { { "--repeat" }, "--repeat needs a value: N" },
        { { "-n" }, "-n needs a value: N" },
        { { "--timeout", "2h" },
          "--timeout: '2h' is not a duration with its unit from 1ms to 1m, like 500ms, 10s or 5m" },
        { { "--timeout", "5" },
          "--timeout: '5' is not a duration with its unit from 1ms to 1m, like 500ms, 10s or 5m" },
        { { "-o", "xml" }, "--output: 'xml' is none of: table, json" },
        { { "--dry-run=yes" }, "--dry-run takes no value, but 'yes' was given" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct args a;
        struct pl_err err;
        const char *argv[4] = { cases[i].argv[0], cases[i].argv[1], cases[i].argv[2], NULL };
        assert_int_equal(args_parse(&a, sets, count(argv), argv, &err), PL_INVALID);
        assert_string_equal(err.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_words_mix),
        cmocka_unit_test(what_is_not_given_falls_back),
        cmocka_unit_test(the_last_one_counts),
        cmocka_unit_test(refusals_name_option_value_and_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
