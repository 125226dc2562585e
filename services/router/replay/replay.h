/* replay - a trace, decided by the router's core under one keep-alive time: what it would have cost, and who would have
 * waited.
 *
 * The core (router/core) is the very code that decides in a router; around it are a clock that jumps from event to
 * event, and one host with room for everything, where each start takes its endpoint's init_ms and each call its
 * duration_ms. So a replay says what a policy does, not what a full machine does.
 *
 * Idle time is counted from an instance being ready, or its last answer, until its next request or its end, and no
 * further than the horizon. Starting and serving are not idle. */
#ifndef REPLAY_REPLAY_H
#define REPLAY_REPLAY_H

#include "trace.h"

/* Of one endpoint, or of all. */
struct replay_figures {
    int64_t served, throttled, starts;
    int64_t waited;    /* of the served: had to wait for a start, or for somebody else's answer */
    int64_t waited_ms; /* their sum */
    double idle_gb_s;  /* GB of configured memory x seconds */
    /* What each that waited did wait. */
    uint32_t *waits_ms;
    size_t wait_room;
};

struct replay {
    int64_t keep_alive_ms;
    struct replay_figures all;
    struct replay_figures *endpoints; /* by index; they have no waits_ms */
    size_t endpoint_count;
};

void replay_run(struct replay *out, const struct trace *t, int64_t keep_alive_ms);
void replay_done(struct replay *r);

/* The wait that 'percent' of the served requests did not exceed (nearest rank), those that did not wait included. */
int64_t replay_wait_ms(const struct replay_figures *f, double percent);
/* Idle memory and waits in one unit: GB.s, when a request that waits is worth 'price' of them. */
double replay_cost(const struct replay_figures *f, double price);

#endif
