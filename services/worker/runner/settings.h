/* settings - what a model's environment tells the runner. Names and defaults are the built-in container's. */
#ifndef RUNNER_SETTINGS_H
#define RUNNER_SETTINGS_H

#include "media_type.h"
#include "selectable.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    size_t max_body_bytes;      /* MAX_CONTENT_LENGTH                                            */
    bool ensemble;              /* SAGEMAKER_INFERENCE_ENSEMBLE: all model files, not the first  */
    enum answer_kind answer;    /* SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT                          */
    struct selection selection; /* SAGEMAKER_INFERENCE_OUTPUT                                    */
};

void settings_init(struct settings *s);
/* One variable; those that are not ours are ignored. PL_MODEL 500 naming the variable and what it may be. */
PL_MUST_CHECK enum pl_code settings_set(struct settings *s, const char *name, const char *value, struct pl_err *err);

#endif
