#include "command.h"

#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COMMANDS_MAX 32

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++) {
        if (!strcmp(c->name, name))
            return c;
    }
    return NULL;
}

const char *command_nearest(const char *word, bool with_topics)
{
    const char *known[COMMANDS_MAX];
    size_t count = 0, len = strlen(word);
    for (const struct command *c = commands; c->name && count < COMMANDS_MAX; c++)
        known[count++] = c->name;
    for (size_t i = 0; with_topics && help_topics[i] && count < COMMANDS_MAX; i++)
        known[count++] = help_topics[i];
    for (size_t i = 0; i < count; i++) {
        if (!strncmp(known[i], word, len) && len > 0 && strchr(" -", known[i][len]))
            return known[i]; /* its first word */
    }
    return pl_nearest(word, known, count);
}

static enum ctl_exit unknown(const char *word)
{
    const char *near = command_nearest(word, false);
    fprintf(stderr, "pilotlight: unknown command '%s'", word);
    if (near)
        fprintf(stderr, "; did you mean '%s'?\n", near);
    else
        fprintf(stderr, "; `pilotlight help` lists them\n");
    return EXIT_USAGE;
}

/* The options of the command and those of every command. */
static void join_sets(const struct command *c, const struct args_option *out[ARGS_SETS + 2])
{
    size_t n = 0;
    for (size_t i = 0; i < ARGS_SETS && c->sets[i]; i++)
        out[n++] = c->sets[i];
    out[n++] = command_common_options;
    out[n] = NULL;
}

static enum ctl_exit usage_error(const struct command *c, const char *message)
{
    fprintf(stderr, "pilotlight %s: %s\nusage: pilotlight %s %s (try --help)\n", c->name, message, c->name, c->usage);
    return EXIT_USAGE;
}

/* Word 'which' of the usage, when it stands for something: "NAME" of "KIND NAME". */
static enum ctl_exit word_missing(const struct command *c, size_t which)
{
    const char *word = c->usage;
    char message[96] = "say what";
    for (size_t i = 0; i < which; i++)
        word += strcspn(word, " ") + strspn(word + strcspn(word, " "), " ");
    if (isupper((unsigned char)*word))
        snprintf(message, sizeof(message), "%.*s is missing", (int)strcspn(word, " "), word);
    return usage_error(c, message);
}

static enum ctl_exit run(const struct command *c, int argc, const char *const *argv)
{
    const struct args_option *sets[ARGS_SETS + 2];
    struct args a;
    struct pl_err err;
    join_sets(c, sets);
    if (args_parse(&a, sets, argc, argv, &err) != PL_OK)
        return usage_error(c, err.message);
    enum ctl_exit code;
    if (args_flag(&a, "help")) {
        help_command(stdout, c);
        code = EXIT_OK;
    } else if (a.word_count < c->min_words) {
        code = word_missing(c, a.word_count);
    } else if (a.word_count > c->max_words) {
        pl_fail(&err, PL_INVALID, NULL, "'%.64s' is one word too many", a.words[c->max_words]);
        code = usage_error(c, err.message);
    } else {
        code = c->run(&a);
    }
    args_done(&a);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("pilotlight: cannot write the output");
        return code ? code : EXIT_FAILED;
    }
    return code;
}

enum ctl_exit command_main(int argc, const char *const *argv)
{
    if (argc < 2) {
        help_overview(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    else if (!strcmp(name, "--version"))
        name = "version";
    if (argc > 2) {
        char two[64];
        snprintf(two, sizeof(two), "%.30s %.30s", name, argv[2]);
        const struct command *c = command_find(two);
        if (c)
            return run(c, argc - 3, argv + 3);
    }
    const struct command *c = command_find(name);
    return c ? run(c, argc - 2, argv + 2) : unknown(name);
}
