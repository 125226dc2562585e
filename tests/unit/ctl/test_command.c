/* The command table: complete, consistent, and the same in help, in completion and in the shipped completion script. */
#include "command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char *capture(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    print(f);
    fclose(f);
    return text;
}

static void shipped_completion_is_the_table(void **state)
{
    char *made = capture(completion_bash);
    char *shipped = calloc(1, 1 << 20);
    FILE *f = fopen("../../../deploy/completion/pilotlight.bash", "r");
    (void)state;
    assert_non_null(f); /* pilotlight completion bash > deploy/completion/pilotlight.bash */
    assert_true(fread(shipped, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    assert_string_equal(made, shipped);
    free(made);
    free(shipped);
}

static void options_have_one_meaning_and_help(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        bool letters[128] = { false };
        assert_true(*c->summary && *c->details && c->run && c->min_words <= c->max_words);
        for (size_t i = 0; i < ARGS_SETS && c->sets[i]; i++) {
            for (const struct args_option *o = c->sets[i]; o->name; o++) {
                assert_true(*o->help);
                assert_true(o->type == ARGS_FLAG || o->value);
                assert_true(o->type != ARGS_CHOICE || o->choices);
                assert_false(o->letter && letters[(int)o->letter]);
                letters[(int)o->letter] = true;
                for (size_t k = 0; k < i; k++) {
                    for (const struct args_option *other = c->sets[k]; other->name; other++)
                        assert_string_not_equal(o->name, other->name);
                }
            }
        }
    }
}

static void help_of_each_shows_its_options(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        char *text = NULL;
        size_t len;
        FILE *f = open_memstream(&text, &len);
        help_command(f, c);
        fclose(f);
        assert_non_null(strstr(text, c->summary));
        assert_non_null(strstr(text, "pilotlight "));
        for (size_t i = 0; i < ARGS_SETS && c->sets[i]; i++) {
            for (const struct args_option *o = c->sets[i]; o->name; o++) {
                char option[64];
                snprintf(option, sizeof(option), "--%s", o->name);
                assert_non_null(strstr(text, option));
            }
        }
        free(text);
    }
    char *overview = capture(help_overview);
    for (const struct command *c = commands; c->name; c++)
        assert_non_null(strstr(overview, c->name));
    free(overview);
}

static void topics_are_there(void **state)
{
    (void)state;
    for (size_t i = 0; help_topics[i]; i++) {
        char *text = NULL;
        size_t len;
        FILE *f = open_memstream(&text, &len);
        assert_true(help_topic(f, help_topics[i]));
        fclose(f);
        assert_true(len > 100);
        free(text);
    }
    assert_false(help_topic(stderr, "nothing"));
}

/* Runs a command line with stderr in '*out_errors' and stdout away; returns the exit code. */
static enum ctl_exit run(const char *const *argv, char *out_errors, size_t size)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
    FILE *away = tmpfile(), *errors = tmpfile();
    assert_true(away && errors);
    fflush(NULL);
    dup2(fileno(away), STDOUT_FILENO);
    dup2(fileno(errors), STDERR_FILENO);
    enum ctl_exit code = command_main(argc, argv);
    fflush(NULL);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    rewind(errors);
    out_errors[fread(out_errors, 1, size - 1, errors)] = '\0';
    fclose(errors);
    fclose(away);
    return code;
}

static void wrong_usage_is_refused_before_anything_runs(void **state)
{
    static const struct {
        const char *argv[6];
        const char *says;
    } cases[] = {
        { { "pilotlight" }, "usage: pilotlight COMMAND" },
        { { "pilotlight", "aply" }, "unknown command 'aply'; did you mean 'apply'?" },
        { { "pilotlight", "qqqqqqq" }, "unknown command 'qqqqqqq'; `pilotlight help` lists them" },
        { { "pilotlight", "apply", "--dry-rum" }, "did you mean '--dry-run'?" },
        { { "pilotlight", "apply" }, "say which manifest: -f FILE" },
        { { "pilotlight", "apply", "-f", "/nonexistent/x.yaml" }, "cannot open '/nonexistent/x.yaml'" },
        { { "pilotlight", "apply", "word" }, "'word' is one word too many" },
        { { "pilotlight", "config" }, "unknown command 'config'; did you mean 'config check'?" },
        { { "pilotlight", "get" }, "KIND is missing" },
        { { "pilotlight", "invoke" }, "ENDPOINT is missing" },
        { { "pilotlight", "completion" }, "say what" },
        { { "pilotlight", "get", "endpoint-confgs" }, "unknown kind 'endpoint-confgs'; did you mean endpoint-configs" },
        { { "pilotlight", "describe", "model" }, "NAME is missing" },
        { { "pilotlight", "describe", "hosts", "x" }, "unknown kind 'hosts'" },
        { { "pilotlight", "delete" }, "KIND NAME, or -f FILE" },
        { { "pilotlight", "delete", "model" }, "KIND NAME, or -f FILE" },
        { { "pilotlight", "get", "models", "--server", "host:0" }, "the port must be 1..65522" },
        { { "pilotlight", "get", "models", "--server", "http://x" }, "is not HOST or HOST:PORT" },
        { { "pilotlight", "invoke", "e", "1,2", "-f", "x" }, "not both" },
        { { "pilotlight", "up", "--port", "65530" }, "not a whole number from 1 to 65522" },
        { { "pilotlight", "completion", "fish" }, "no completion for 'fish'" },
        { { "pilotlight", "help", "nothing" }, "no command or topic 'nothing'; `pilotlight help` lists them" },
        { { "pilotlight", "help", "exit" }, "did you mean 'exit-codes'?" },
        { { "pilotlight", "help", "manifests" }, "did you mean 'manifest'?" },
        { { "pilotlight", "config", "check" }, "say which manifest" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char errors[8192];
        const char *argv[7];
        memcpy(argv, cases[i].argv, sizeof(cases[i].argv));
        argv[6] = NULL;
        assert_int_equal(run(argv, errors, sizeof(errors)), EXIT_USAGE);
        if (!strstr(errors, cases[i].says))
            fail_msg("'%s' is not in '%s'", cases[i].says, errors);
    }
}

static void help_is_no_failure(void **state)
{
    const char *lines[][4] = { { "pilotlight", "--help" },
                               { "pilotlight", "help" },
                               { "pilotlight", "help", "invoke" },
                               { "pilotlight", "get", "--help" },
                               { "pilotlight", "up", "-h" },
                               { "pilotlight", "help", "manifest" },
                               { "pilotlight", "completion", "bash" } };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char errors[1024];
        const char *argv[5] = { lines[i][0], lines[i][1], lines[i][2], lines[i][3], NULL };
        assert_int_equal(run(argv, errors, sizeof(errors)), EXIT_OK);
        assert_string_equal(errors, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_completion_is_the_table),
        cmocka_unit_test(options_have_one_meaning_and_help),
        cmocka_unit_test(help_of_each_shows_its_options),
        cmocka_unit_test(topics_are_there),
        cmocka_unit_test(wrong_usage_is_refused_before_anything_runs),
        cmocka_unit_test(help_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
