/* variant_spec - checks a VariantSpec before anything is done for it. Pure. */
#ifndef WORKER_VARIANT_SPEC_H
#define WORKER_VARIANT_SPEC_H

#include "base/err.h"

#include <stdbool.h>

struct Pilotlight__Internal__V1__VariantSpec;
struct runtimes;

/* 'pinned': artifact_sha256 is required. PL_INVALID names the field, its value and the limit. */
PL_MUST_CHECK enum pl_code variant_spec_check(const struct Pilotlight__Internal__V1__VariantSpec *spec, bool pinned,
                                              const struct runtimes *runtimes, struct pl_err *err);

/* Of its environment; NULL: it is not there. */
const char *variant_spec_variable(const struct Pilotlight__Internal__V1__VariantSpec *spec, const char *name);
/* Where code that does not come with the model is: SAGEMAKER_SUBMIT_DIRECTORY, when it is a URI. NULL: no such code. */
const char *variant_spec_code_uri(const struct Pilotlight__Internal__V1__VariantSpec *spec);

#endif
