/* The parts of common/service: options.c (the command line), service.c (one run, in order). */
#ifndef SERVICE_PRIVATE_H
#define SERVICE_PRIVATE_H

#include "service/service.h"

enum options_mode { OPTIONS_RUN, OPTIONS_CHECK, OPTIONS_PRINT, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
    enum options_mode mode;
    const char *config; /* path, or NULL */
};

/* PL_INVALID: no such option, or a value is missing. */
PL_MUST_CHECK enum pl_code options_parse(struct options *out, int argc, char **argv, struct pl_err *err);
void options_help(const struct service_def *def);

/* "PILOTLIGHT_ROUTER"; the caller's to free(). */
char *options_env_prefix(const struct service_def *def);

/* Tells the supervisor, where there is one (systemd's Type=notify): "READY=1", "STOPPING=1". */
void notify(const char *state);

#endif
