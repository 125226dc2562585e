/* scaling - gives variants the provisioned concurrency that their targets' policies and schedules ask for.
 *
 * Once a minute each target is looked at: schedules that are due change its bounds; each policy says what it wants
 * (scaling_rule.c), the largest counts, within the bounds and the cooldowns; what differs from what serves is asked for
 * as UpdateEndpointCapacity does, and noted as an activity. While there are no targets the timer is not set.
 * Effects go through ports, so that tests run whole days on virtual time. Threads: with the turn. */
#ifndef CONTROL_SCALING_H
#define CONTROL_SCALING_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct limits;
struct scaling;
struct store;

struct scaling_ports {
    void *arg;
    int64_t (*wall_ms)(void *arg);
    /* scaling_tick() is wanted at that wall time; INT64_MAX = not at all. Replaces what was wanted before. */
    void (*wake_at)(void *arg, int64_t wall_ms);
    /* The provisioned concurrency of what serves is to be this. */
    enum pl_code (*apply)(void *arg, const char *endpoint, const char *variant, int32_t capacity, struct pl_err *err);
};

struct scaling *scaling_new(struct store *s, const struct limits *l, const struct scaling_ports *ports);
void scaling_free(struct scaling *all); /* NULL is fine */
void scaling_tick(struct scaling *all);
/* Something of a target changed: looked at now. */
void scaling_changed(struct scaling *all);
/* The endpoint is gone, and its targets with it. */
void scaling_endpoint_gone(struct scaling *all, const char *endpoint);

#endif
