/* spawner_parts - what spawn_tool.c needs of a spawner. */
#ifndef WORKER_SPAWNER_PARTS_H
#define WORKER_SPAWNER_PARTS_H

#include "sandbox/plan.h"

struct loop;
struct seats;
struct spawner;

const char *spawner_runner(const struct spawner *s);
struct loop *spawner_loop(const struct spawner *s);
struct seats *spawner_seats(const struct spawner *s);
/* For a process of this profile; folders are the caller's to fill in. */
struct sandbox_plan spawner_plan(const struct spawner *s, enum sandbox_profile profile);

#endif
