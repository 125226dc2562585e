#include "options.h"
#include "unit_test.h"

#include <stdlib.h>

#define WORDS_MAX 8

static enum pl_code parse(struct options *o, struct pl_err *err, const char *const *words)
{
    char *argv[WORDS_MAX + 1] = { (char *)"pilotlight-replay" };
    int argc = 1;

    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    return options_parse(o, argc, argv, err);
}
#define PARSE(o, err, ...) parse(o, err, (const char *const[WORDS_MAX]){ __VA_ARGS__ })

static void what_is_not_said_has_a_value(void **state)
{
    struct options o;
    struct pl_err err;

    (void)state;
    assert_ok(PARSE(&o, &err, "day"), err);
    assert_string_equal(o.trace, "day");
    assert_int_equal(o.keep_alive_count, 7);
    assert_int_equal(o.keep_alives_ms[0], 0);
    assert_int_equal(o.keep_alives_ms[6], 4 * 3600 * 1000);
    assert_true(o.price == 5000 && !o.by_endpoint && !o.json && !o.help && !o.version);
}

static void all_can_be_said(void **state)
{
    struct options o;
    struct pl_err err;

    (void)state;
    assert_ok(PARSE(&o, &err, "--keep-alive", "10m,1s", "--price=latency", "-o", "json", "--by-endpoint", "day"), err);
    assert_int_equal(o.keep_alive_count, 2);
    assert_int_equal(o.keep_alives_ms[0], 1000);
    assert_int_equal(o.keep_alives_ms[1], 600000);
    assert_true(o.price == 15000 && o.by_endpoint && o.json);
    assert_ok(PARSE(&o, &err, "day", "--price", "0.5", "--output=table"), err);
    assert_true(o.price == 0.5 && !o.json);
    assert_ok(PARSE(&o, &err, "-h"), err);
    assert_true(o.help);
    assert_ok(PARSE(&o, &err, "--version"), err);
    assert_true(o.version);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *words[WORDS_MAX], *says;
    } cases[] = {
        { { NULL }, "which trace?" },
        { { "a", "b" }, "one trace at a time: 'a' and 'b' are two" },
        { { "--keep-alives", "1m", "a" }, "unknown option '--keep-alives'; did you mean '--keep-alive'?" },
        { { "-x", "a" }, "unknown option '-x'" },
        { { "a", "--price" }, "--price needs a value" },
        { { "a", "--help=yes" }, "--help takes no value" },
        { { "a", "--price", "cheap" }, "--price: 'cheap' is neither cost, balanced, latency nor 0 to 1000000000" },
        { { "a", "--price", "-1" }, "--price: '-1'" },
        { { "a", "--price", "nan" }, "--price: 'nan'" },
        { { "a", "--price", "2000000000" }, "--price: '2000000000'" },
        { { "a", "-o", "yaml" }, "--output: 'yaml' is neither table nor json" },
        { { "a", "--keep-alive", "1m,,2m" }, "--keep-alive: '' is no time of 0s to 7d" },
        { { "a", "--keep-alive", "8d" }, "--keep-alive: '8d' is no time of 0s to 7d" },
        { { "a", "--keep-alive", "60s,1m" }, "--keep-alive: 1m is there twice" },
        { { "a", "--keep-alive",
            "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33" },
          "--keep-alive: more than 32 times" },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct options o;
        struct pl_err err = { 0 };

        assert_int_equal(parse(&o, &err, cases[i].words), PL_INVALID);
        assert_text(err.message, cases[i].says);
    }
}

static void help_names_every_option(void **state)
{
    static const char *const names[] = {
        "--keep-alive", "--price", "--by-endpoint", "--output", "--help", "--version"
    };
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    (void)state;
    options_help(out);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < PL_COUNT(names); i++)
        assert_text(text, names[i]);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(what_is_not_said_has_a_value),
        T(all_can_be_said),
        T(what_is_wrong_is_named),
        T(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
