/* variant_spec - checks a VariantSpec before anything is done for it. Pure. */
#ifndef WORKER_VARIANT_SPEC_H
#define WORKER_VARIANT_SPEC_H

#include "base/err.h"

#include <stdbool.h>

struct Pilotlight__Internal__V1__VariantSpec;

/* 'pinned': artifact_sha256 is required. PL_INVALID names the field, its value and the limit. */
PL_MUST_CHECK enum pl_code variant_spec_check(const struct Pilotlight__Internal__V1__VariantSpec *spec, bool pinned,
                                              struct pl_err *err);

/* Runtimes that this host offers; NULL-terminated. */
extern const char *const worker_runtimes[];
#define WORKER_RUNTIME_COUNT 1

#endif
