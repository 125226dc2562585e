#include "command.h"
#include "manifest_fields.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

const char *const help_topics[] = { "exit-codes", "manifest", NULL };

static const char manifest_text[] =
    "A manifest is a YAML file of documents, separated by '---'. Each describes a model, an endpoint config or an "
    "endpoint:\n"
    "\n"
    "  kind: Model\n"
    "  name: fraud\n"
    "  spec:\n"
    "    artifact_uri: model.tar.gz        # relative to this file, or file://, https://, s3://\n"
    "  ---\n"
    "  kind: EndpointConfig\n"
    "  name: fraud-1\n"
    "  spec:\n"
    "    variants:\n"
    "      - name: main\n"
    "        model_name: fraud\n"
    "        memory_size_mb: 1024\n"
    "        max_concurrency: 10\n"
    "        keep_alive: 5m\n"
    "  ---\n"
    "  kind: Endpoint\n"
    "  name: fraud\n"
    "  tags: { team: risk }\n"
    "  spec:\n"
    "    endpoint_config_name: fraud-1\n"
    "\n";

void help_overview(FILE *out)
{
    fprintf(out,
            "pilotlight: machine learning models served from nothing\n\nusage: pilotlight COMMAND [ARGUMENTS]\n\n");
    for (const struct command *c = commands; c->name; c++)
        fprintf(out, "  %-14s %s\n", c->name, c->summary);
    fprintf(out,
            "\n`pilotlight help COMMAND` explains one; `pilotlight help exit-codes` and `help manifest` the rest.\n");
}

/* Breaks 'text' at spaces so that no line passes column 120; continued lines start at 'indent'. */
static void print_wrapped(FILE *out, const char *text, size_t indent)
{
    size_t column = indent;
    while (*text) {
        size_t n = strcspn(text, " ");
        bool first = column == indent, fits = column + 1 + n <= 120;
        if (!first && !fits) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)n, text);
        column += n;
        text += n + (text[n] == ' ');
    }
    fputc('\n', out);
}

static void print_options(FILE *out, const struct args_option *o)
{
    for (; o->name; o++) {
        char left[64];
        snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                 o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(out, "  %-30s ", left);
        print_wrapped(out, o->help, 33);
    }
}

void help_command(FILE *out, const struct command *c)
{
    fprintf(out, "pilotlight %s: %s\n\nusage: pilotlight %s%s%s\n\n%s\nOptions:\n", c->name, c->summary, c->name,
            *c->usage ? " " : "", c->usage, c->details);
    for (size_t i = 0; i < ARGS_SETS && c->sets[i]; i++)
        print_options(out, c->sets[i]);
    print_options(out, command_common_options);
}

bool help_topic(FILE *out, const char *topic)
{
    if (!strcmp(topic, "exit-codes")) {
        fprintf(out, "Exit codes of pilotlight:\n\n");
        exit_codes_print(out);
        return true;
    }
    if (!strcmp(topic, "manifest")) {
        fputs(manifest_text, out);
        manifest_fields_print(out);
        return true;
    }
    return false;
}

enum ctl_exit cmd_help(const struct args *a)
{
    if (a->word_count == 0) {
        help_overview(stdout);
        return EXIT_OK;
    }
    pl_cleanup(pl_free_p) char *name =
        a->word_count == 2 ? pl_format("%s %s", a->words[0], a->words[1]) : pl_strdup(a->words[0]);
    const struct command *c = command_find(name);
    if (c) {
        help_command(stdout, c);
        return EXIT_OK;
    }
    if (help_topic(stdout, name))
        return EXIT_OK;
    const char *near = command_nearest(name, true);
    fprintf(stderr, "pilotlight help: no command or topic '%s'; ", name);
    if (near)
        fprintf(stderr, "did you mean '%s'?\n", near);
    else
        fprintf(stderr, "`pilotlight help` lists them\n");
    return EXIT_USAGE;
}
