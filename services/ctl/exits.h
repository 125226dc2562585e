/* exits - what the exit codes of `pilotlight` mean, and how a failure is told on stderr.
 * One table feeds the mapping, the help topic and the tests. */
#ifndef CTL_EXITS_H
#define CTL_EXITS_H

#include <stdio.h>

struct pl_err;

enum ctl_exit {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_THROTTLED = 4,
    EXIT_MODEL = 5,
    EXIT_UNAVAILABLE = 6,
};

/* The exit code that stands for a failed call. */
enum ctl_exit exit_for(const struct pl_err *err);
/* "NOT_FOUND", "MAX_CONCURRENCY": the reason when the server gave one, else the code's name; lives as long as 'err'. */
const char *exit_label(const struct pl_err *err);
/* Writes the message, then one line of code, reason, field, retry time and model status as far as there are any.
 * Returns exit_for(err). */
enum ctl_exit exit_report(FILE *out, const struct pl_err *err);
/* With another text than the error's own, which has no room for more. */
enum ctl_exit exit_report_text(FILE *out, const struct pl_err *err, const char *text);
/* As exit_report() on stderr, but a wrong manifest, option or other local input exits with EXIT_USAGE. */
enum ctl_exit exit_report_input(const struct pl_err *err);
/* The table as text, for `pilotlight help exit-codes`. */
void exit_codes_print(FILE *out);

#endif
