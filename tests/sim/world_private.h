/* world_private - what a world is made of, for its files: world.c has its time and things, world_actions.c what the
 * core asks for, world_events.c what comes of that, world_moves.c what tests do to it. */
#ifndef SIM_WORLD_PRIVATE_H
#define SIM_WORLD_PRIVATE_H

#include "world.h"

#include "base/list.h"

/* Messages between router and host take this long, and up to as much again. */
#define WIRE_US (100)

struct machine {
    struct core_host *core;
    char id[24];
    unsigned capacity;
    bool up;    /* calls reach it, and their answers come back */
    bool heard; /* the router has its stream */
};

/* An instance as its host has it. */
struct process {
    struct list link;
    struct machine *host;
    struct core_instance *core; /* the router's object while a call about it is under way */
    uint64_t id;
    char endpoint[32];
    int64_t generation;
    bool ready, busy, stopping;
};

struct request {
    struct list link;
    struct core_request core;
    unsigned number;
    char endpoint[32];
    struct process *at;   /* may have had it */
    bool in, ended, left; /* admitted; an end was told; its caller left */
};

/* What will happen. */
enum event_kind { READY, STARTED, START_FAILED, ANSWERED, GONE, DIED_WITH_IT, STOPPED, TOLD_DEAD };
struct event {
    int64_t at_us;
    uint64_t order;
    enum event_kind kind;
    struct core_instance *instance;
    struct request *request;
    struct process *process;
    enum pl_code code;
    struct machine *host; /* TOLD_DEAD */
    uint64_t id;
};

struct world {
    struct world_settings s;
    struct core *core;
    int64_t now_us;
    uint64_t random, order, next_process;
    int64_t next_generation;
    struct event *events;
    size_t event_count, event_room;
    struct machine machines[16];
    unsigned machine_count;
    struct list processes, requests;
    unsigned next_request;
    struct world_counts counts;
    struct pl_buf story;
};

/* A breach ends the program: seed, time and the end of the story are printed. */
void world_check(const struct world *w, bool holds, const char *what);
int64_t world_between(struct world *w, int64_t min, int64_t max);
bool world_chance(struct world *w, unsigned in_1000);
/* A line of the story. */
__attribute__((format(printf, 2, 3))) void world_tell(struct world *w, const char *fmt, ...);

/* To be filled in; valid until the next call. */
struct event *world_later(struct world *w, int64_t after_us, enum event_kind kind);
/* How long a message takes. */
int64_t world_wire(struct world *w);
/* 'first' leaves the list, its time becomes now, and the core hears of it. */
void world_happen(struct world *w, struct event *first);

void world_process_free(struct world *w, struct process *p);
/* NULL: its host has no such process. */
struct process *world_process_of(struct world *w, const struct core_host *h, uint64_t id);
unsigned world_processes_on(struct world *w, const struct machine *m);

void world_request_end(struct world *w, struct request *r, unsigned *count, const char *how);
void world_request_free(struct request *r);
/* Carries out all that the core asks for. */
void world_act(struct world *w);

#endif
