/* assignment - binds a blank process to a model: its folders as descriptors, and the memory size, by its channel. */
#ifndef WORKER_ASSIGNMENT_H
#define WORKER_ASSIGNMENT_H

#include "base/err.h"

#include <stdbool.h>

struct sandbox_plan;

struct assignment {
    const char *model; /* the folder; NULL: the process was made for its model */
    const char *code;  /* that did not come with the model; NULL: none */
    bool exec_model;   /* libraries in them may be loaded */
    int door_fd;       /* where its way to the outside is made; -1: it has none. Stays the caller's */
    int memory_size_mb;
    unsigned rlimit_mb; /* 0: a control group limits it */
};

/* Never blocks. PL_INTERNAL: the folder cannot be opened. PL_UNAVAILABLE: the process is gone. */
PL_MUST_CHECK enum pl_code assignment_send(int channel, const struct sandbox_plan *plan, const struct assignment *a,
                                           struct pl_err *err);
/* Under this plan a process is made for its model, which the request names. */
bool assignment_by_name(const struct sandbox_plan *plan);

#endif
