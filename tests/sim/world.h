/* world - a network, worker hosts and callers around the router's core, all of it on virtual time.
 *
 * The core's actions become events some time later; what it says is checked as it says it. Nothing here knows how the
 * core decides. The same seed gives the same world.
 *
 * Checked always (a breach ends the program with the seed):
 *     an instance has one request at a time, and only while it is ready and alive
 *     a request ends exactly once, and is never with two instances, nor with one again that may have had it
 *     in flight is never above max concurrency
 *     a start is asked for only while requests wait without one, or the floor (or the policy) wants an instance
 *     START, DISPATCH and STOP are asked for in states where they make sense */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/buf.h"
#include "core/core.h"

#define MS     INT64_C(1000)
#define SECOND (1000 * MS)

struct world;

struct world_settings {
    uint64_t seed;
    int64_t keep_alive_us, capacity_wait_us;
    /* Ranges of what hosts and models take. */
    int64_t start_min_us, start_max_us;
    int64_t model_min_us, model_max_us;
    /* Chances in 1000. */
    unsigned start_fails, instance_dies;
    bool story; /* every action and event becomes a line of world_story() */
};

struct world *world_new(const struct world_settings *s);
void world_free(struct world *w);
struct core *world_core(struct world *w);
int64_t world_now(const struct world *w);
const char *world_story(struct world *w);
uint64_t world_random(struct world *w, uint64_t below);

/* Chances in 1000, from now on. */
void world_chances(struct world *w, unsigned start_fails, unsigned instance_dies);

/* All variants are called main and have the runtime "xgboost". */
void world_endpoint(struct world *w, const char *name, unsigned max_concurrency, unsigned provisioned,
                    int64_t keep_alive_us);
void world_endpoint_remove(struct world *w, const char *name);
/* Connected, with room for 'capacity' instances. */
unsigned world_host(struct world *w, unsigned capacity);
void world_host_fails(struct world *w, unsigned host);         /* contact and all its instances are lost */
void world_host_loses_contact(struct world *w, unsigned host); /* its instances live */
void world_host_loses_stream(struct world *w, unsigned host);  /* and calls to it go on */
void world_host_returns(struct world *w, unsigned host);
void world_kill(struct world *w); /* a random instance, however busy */
void world_lose(struct world *w); /* likewise, and the router hears of it late */

/* The number of the request; 0: refused. */
unsigned world_request(struct world *w, const char *endpoint);
/* Its caller leaves, unless it has ended. */
void world_cancel(struct world *w, unsigned request);

/* Lets time pass. */
void world_run(struct world *w, int64_t us);
/* Until nothing is under way but time itself. */
void world_settle(struct world *w);

struct world_counts {
    unsigned requests, answered, failed, cancelled, refused, cold, starts, most_instances;
};
const struct world_counts *world_counts(const struct world *w);
unsigned world_alive(const struct world *w, const char *endpoint); /* instances that hosts have, ready or starting */

#endif
