/* options - the command line of pilotlight-replay. */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_KEEP_ALIVES_MAX 32
#define OPTIONS_KEEP_ALIVE_MAX  INT64_C(604800000) /* 7 days, as everywhere */

struct options {
    int64_t keep_alives_ms[OPTIONS_KEEP_ALIVES_MAX]; /* ascending */
    size_t keep_alive_count;
    double price;
    bool by_endpoint, json;
    bool help, version; /* nothing else is asked for */
    const char *trace;
};

/* PL_INVALID naming the option, its value and its limits. Texts point into argv. */
PL_MUST_CHECK enum pl_code options_parse(struct options *out, int argc, char **argv, struct pl_err *err);
void options_help(FILE *out);

#endif
