/* completion - the bash script, from the command table: commands, their options, values of options, kinds, and names
 * that the server knows. */
#include "command.h"

#include <string.h>

static const char head[] = "# bash completion of pilotlight; made by `pilotlight completion bash`, do not edit.\n"
                           "\n"
                           "# Names of a kind as the server knows them; nothing when it does not answer at once.\n"
                           "_pilotlight_names()\n"
                           "{\n"
                           "    timeout 2 pilotlight get \"$1\" -o name 2>/dev/null\n"
                           "}\n"
                           "\n"
                           "_pilotlight()\n"
                           "{\n"
                           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} "
                           "command=${COMP_WORDS[1]} words= more=\n"
                           "    COMPREPLY=()\n";

static const char tail[] = "    COMPREPLY=($(compgen -W \"$more$words\" -- \"$cur\"))\n"
                           "}\n"
                           "complete -F _pilotlight pilotlight\n";

/* The first word of a name; of "config check" it is "config". */
static int first_word(const struct command *c)
{
    return (int)strcspn(c->name, " ");
}

/* Whether a row before 'c' begins with the same word. */
static bool word_was_there(const struct command *c)
{
    for (const struct command *other = commands; other != c; other++) {
        if (first_word(other) == first_word(c) && !memcmp(other->name, c->name, (size_t)first_word(c)))
            return true;
    }
    return false;
}

static void print_first_words(FILE *out)
{
    for (const struct command *c = commands; c->name; c++) {
        if (!word_was_there(c))
            fprintf(out, "%s%.*s", c == commands ? "" : " ", first_word(c), c->name);
    }
}

/* The second words of commands that begin with the first one of 'c'. */
static void print_second_words(FILE *out, const struct command *c)
{
    for (const struct command *other = commands; other->name; other++) {
        const char *space = strchr(other->name, ' ');
        if (space && first_word(other) == first_word(c) && !memcmp(other->name, c->name, (size_t)first_word(c)))
            fprintf(out, "%s ", space + 1);
    }
}

static bool has_second_words(const struct command *c)
{
    for (const struct command *other = commands; other->name; other++) {
        if (strchr(other->name, ' ') && first_word(other) == first_word(c) &&
            !memcmp(other->name, c->name, (size_t)first_word(c)))
            return true;
    }
    return false;
}

/* Commands of two words are one word more to complete, and then like any other. */
static void print_commands(FILE *out)
{
    fprintf(out, "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"");
    print_first_words(out);
    fprintf(out, "\"\n        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n        return\n    fi\n");
    fprintf(out, "    case $COMP_CWORD:$command in\n");
    for (const struct command *c = commands; c->name; c++) {
        if (!has_second_words(c) || word_was_there(c))
            continue;
        fprintf(out, "    2:%.*s) more=\"", first_word(c), c->name);
        print_second_words(out, c);
        fprintf(out, "\" ;;\n");
    }
    fprintf(out, "    esac\n    if [ \"$COMP_CWORD\" -gt 2 ]; then\n        case \"$command ${COMP_WORDS[2]}\" in\n");
    for (const struct command *c = commands; c->name; c++) {
        if (strchr(c->name, ' '))
            fprintf(out, "        \"%s\") command=\"%s\" ;;\n", c->name, c->name);
    }
    fprintf(out, "        esac\n    fi\n");
}

static void print_value(FILE *out, const struct args_option *o)
{
    if (o->type == ARGS_FLAG || (o->type != ARGS_CHOICE && strcmp(o->value, "FILE") && strcmp(o->value, "DIR")))
        return;
    fprintf(out, "        ");
    if (o->letter)
        fprintf(out, "-%c | ", o->letter);
    fprintf(out, "--%s) ", o->name);
    if (o->type == ARGS_CHOICE) {
        fprintf(out, "COMPREPLY=($(compgen -W \"");
        for (const char *const *c = o->choices; *c; c++)
            fprintf(out, "%s%s", c == o->choices ? "" : " ", *c);
        fprintf(out, "\" -- \"$cur\"))");
    } else {
        fprintf(out, "COMPREPLY=($(compgen -%c -- \"$cur\"))", strcmp(o->value, "DIR") ? 'f' : 'd');
    }
    fprintf(out, "; return ;;\n");
}

static void print_options(FILE *out, const struct args_option *o)
{
    for (; o->name; o++)
        fprintf(out, " --%s", o->name);
}

static void print_words(FILE *out, const struct command *c)
{
    fprintf(out, "        if [[ $cur == -* ]]; then\n            words=\"");
    for (size_t i = 0; i < ARGS_SETS && c->sets[i]; i++)
        print_options(out, c->sets[i]);
    print_options(out, command_common_options);
    fprintf(out, "\"\n");
    if (c->words) {
        fprintf(out, "        elif [ \"$COMP_CWORD\" -eq 2 ]; then\n            words=\"");
        for (const char *const *w = c->words; *w; w++)
            fprintf(out, "%s%s", w == c->words ? "" : " ", *w);
        if (c->run == cmd_help) {
            fputc(' ', out);
            print_first_words(out);
        }
        fprintf(out, "\"\n");
        if (c->completes_names)
            fprintf(out,
                    "        elif [ \"$COMP_CWORD\" -eq 3 ]; then\n            words=$(_pilotlight_names \"$prev\")\n");
    } else if (c->completes_names) {
        fprintf(out,
                "        elif [ \"$COMP_CWORD\" -eq 2 ]; then\n            words=$(_pilotlight_names endpoints)\n");
    }
    fprintf(out, "        fi\n");
}

void completion_bash(FILE *out)
{
    fputs(head, out);
    print_commands(out);
    fprintf(out, "    case $command in\n");
    for (const struct command *c = commands; c->name; c++) {
        fprintf(out, "    \"%s\")\n        case $prev in\n", c->name);
        for (size_t i = 0; i < ARGS_SETS && c->sets[i]; i++) {
            for (const struct args_option *o = c->sets[i]; o->name; o++)
                print_value(out, o);
        }
        fprintf(out, "        esac\n");
        print_words(out, c);
        fprintf(out, "        ;;\n");
    }
    fprintf(out, "    esac\n");
    fputs(tail, out);
}

enum ctl_exit cmd_completion(const struct args *a)
{
    if (strcmp(a->words[0], "bash")) {
        fprintf(stderr, "pilotlight completion: no completion for '%s'; there is one for bash\n", a->words[0]);
        return EXIT_USAGE;
    }
    completion_bash(stdout);
    return EXIT_OK;
}
