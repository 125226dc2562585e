/* command - what `pilotlight` can do, as one table: dispatch, help and shell completion are read from it.
 *
 * A command is a function that gets its parsed arguments and returns an exit code. It prints results to stdout,
 * everything else to stderr. One of them, normally:
 *
 *     command.c       finds the command's row (commands.c); args.c parses the line by the row's options
 *     cmd_NAME.c      conducts it; manifest*.c reads what people wrote, apply_plan.c and diff.c compare it with what is
 *                     there, endpoint_wait.c waits, invoke_run.c makes many calls
 *     api.c           methods of the public API by kind of resource (kinds.c), over client.c, which makes the calls
 *     output*.c       tables, JSON, YAML; exits.c an error's text and the exit code
 *
 * `pilotlight up` is another program in this one: up.c, up_*.c. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "args.h"
#include "exits.h"

#include <stdio.h>

struct command {
    const char *name;                          /* "apply"; two words with a space: "config check" */
    const char *summary;                       /* one line */
    const char *usage;                         /* what follows the name: "KIND [NAME]" */
    const char *details;                       /* paragraphs and examples for --help */
    const struct args_option *sets[ARGS_SETS]; /* NULL-terminated */
    size_t min_words, max_words;
    const char *const *words; /* what the first word may be, NULL-terminated; for completion */
    bool completes_names; /* its names can be listed: the word after a kind, or with no 'words' the first (endpoints) */
    enum ctl_exit (*run)(const struct args *a);
};

extern const struct command commands[]; /* ends with a row without a name */

/* Finds the command of argv[1] (and argv[2]), parses and runs it. */
enum ctl_exit command_main(int argc, const char *const *argv);
/* By its full name; NULL when there is none. */
const struct command *command_find(const char *name);
/* What 'word' may have been meant to be, of all commands and, if asked for, the topics of help; NULL: nothing is near. */
const char *command_nearest(const char *word, bool with_topics);

/* Option tables that several commands share. */
extern const struct args_option command_server_options[];
extern const struct args_option command_output_options[];
extern const struct args_option command_common_options[]; /* --help: added to every command */

void help_overview(FILE *out);
void help_command(FILE *out, const struct command *c);
extern const char *const help_topics[];
/* False: no such topic. */
bool help_topic(FILE *out, const char *topic);

/* The bash completion script of the whole table. */
void completion_bash(FILE *out);

enum ctl_exit cmd_up(const struct args *a);
enum ctl_exit cmd_credentials(const struct args *a);
enum ctl_exit cmd_apply(const struct args *a);
enum ctl_exit cmd_get(const struct args *a);
enum ctl_exit cmd_describe(const struct args *a);
enum ctl_exit cmd_delete(const struct args *a);
enum ctl_exit cmd_invoke(const struct args *a);
enum ctl_exit cmd_metrics(const struct args *a);
enum ctl_exit cmd_top(const struct args *a);
enum ctl_exit cmd_cost(const struct args *a);
enum ctl_exit cmd_cost_estimate(const struct args *a);
enum ctl_exit cmd_logs(const struct args *a);
enum ctl_exit cmd_doctor(const struct args *a);
enum ctl_exit cmd_config_check(const struct args *a);
enum ctl_exit cmd_completion(const struct args *a);
enum ctl_exit cmd_version(const struct args *a);
enum ctl_exit cmd_help(const struct args *a);

#endif
