/* load - LOAD frames: the host's LoadRequest in, LoadResponse or RunnerError out (runner.proto). */
#ifndef RUNNER_LOAD_H
#define RUNNER_LOAD_H

#include "base/cleanup.h"
#include "base/err.h"
#include "settings.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct model_facts;
struct pl_buf;

struct load_request {
    char model_dir[PATH_MAX];
    char runtime[32];
    struct settings settings;
};

/* PL_MODEL 500: not a LoadRequest, another runtime, or an environment variable of ours with a wrong value. */
PL_MUST_CHECK enum pl_code load_request_read(struct load_request *out, const uint8_t *payload, size_t n,
                                             struct pl_err *err);

void load_response_write(struct pl_buf *out, const struct model_facts *facts, int64_t load_us, int64_t warm_us);
void runner_error_write(struct pl_buf *out, const struct pl_err *err);

#endif
