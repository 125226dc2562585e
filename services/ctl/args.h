/* args - the words of a command line, read by a table of options.
 *
 * A table row says what an option is called, what its value may be and what it is for; reading, checking, help and
 * shell completion come from it. Options and words may be mixed; "--" ends the options; "-" alone and negative numbers
 * are words. Errors: PL_INVALID naming the option, its value and its limits, and the nearest known option for an
 * unknown one. Memory: values point into argv, which must outlive the struct; args_done() frees the rest. */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include "base/err.h"

#include <stddef.h>

enum args_type {
    ARGS_FLAG,
    ARGS_TEXT,
    ARGS_LIST,     /* text; may be given several times  */
    ARGS_COUNT,    /* integer, min..max                 */
    ARGS_DURATION, /* "10s"; milliseconds, min..max     */
    ARGS_CHOICE,   /* one of 'choices'                  */
};

struct args_option {
    char letter;      /* 0 = only the long name */
    const char *name; /* without the dashes; NULL ends a table */
    enum args_type type;
    const char *value;    /* what help calls the value: "FILE" */
    const char *fallback; /* as it would be typed; NULL = not given */
    int64_t min, max;
    const char *const *choices; /* NULL-terminated */
    const char *help;
};

#define ARGS_SETS 4 /* tables that a command may combine */

struct args {
    const struct args_option *const *sets; /* NULL-terminated */
    struct args_value *values;
    size_t value_count;
    const char **words;
    size_t word_count;
};

/* 'argv' starts at the first word after the command's name. '*out' is filled only on success. */
PL_MUST_CHECK enum pl_code args_parse(struct args *out, const struct args_option *const *sets, int argc,
                                      const char *const *argv, struct pl_err *err);
void args_done(struct args *a);

/* The option must be in the table and of that type (a bug otherwise). The last one given counts. */
bool args_flag(const struct args *a, const char *name);
bool args_given(const struct args *a, const char *name);
const char *args_text(const struct args *a,
                      const char *name); /* ARGS_TEXT and ARGS_CHOICE; NULL = not given, no fallback */
int64_t args_number(const struct args *a,
                    const char *name); /* ARGS_COUNT and ARGS_DURATION; 0 = not given, no fallback */
size_t args_list(const struct args *a, const char *name, const char **out, size_t max); /* returns how many there are */

#endif
