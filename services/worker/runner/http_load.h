/* http_load - a LoadRequest of the http runtime, as what http_app.h needs.
 * Memory: owns everything that 'spec' points to, which must live as long as the app. */
#ifndef RUNNER_HTTP_LOAD_H
#define RUNNER_HTTP_LOAD_H

#include "http_app.h"

#include <stddef.h>
#include <stdint.h>

struct http_load {
    struct http_app_spec spec;
    char **env;
    size_t env_count;
    char *model_dir, *code_dir;
};

/* PL_MODEL: malformed, or a variable of the contract has a bad value. */
PL_MUST_CHECK enum pl_code http_load_read(struct http_load *out, const uint8_t *payload, size_t n, struct pl_err *err);
void http_load_done(struct http_load *l);

#endif
