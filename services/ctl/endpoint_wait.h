/* endpoint_wait - waiting until an endpoint's status is what a command is after.
 * Follows the watch stream, and opens it again when control goes away in between, until the time is over. */
#ifndef CTL_ENDPOINT_WAIT_H
#define CTL_ENDPOINT_WAIT_H

#include "base/err.h"

#include <stdint.h>
#include <stdio.h>

struct client;

enum endpoint_goal {
    ENDPOINT_SETTLED, /* IN_SERVICE, FAILED or gone */
    ENDPOINT_GONE,
};

struct endpoint_state {
    int status; /* pilotlight.v1.EndpointStatus; meaningless when gone */
    bool gone;
    char config[128];
    char reason[1100]; /* failure_reason */
};

/* 'progress' (NULL: silent) gets a line for each new status. PL_OK: the goal is reached, see '*out'. PL_DEADLINE: not
 * in time;
 * '*out' is then the last state seen. */
PL_MUST_CHECK enum pl_code endpoint_wait(struct client *c, const char *name, enum endpoint_goal goal,
                                         int64_t timeout_ms, FILE *progress, struct endpoint_state *out,
                                         struct pl_err *err);

/* Whether an endpoint that settled serves 'config' (PL_OK), or why not. Pure. */
PL_MUST_CHECK enum pl_code endpoint_verdict(const char *name, const struct endpoint_state *s, const char *config,
                                            struct pl_err *err);

#endif
