#include "seats.h"

#include "base/list.h"
#include "base/mem.h"
#include "log/log.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The memory that comes with one vCPU: AWS Lambda's and SageMaker serverless inference's share. */
#define MB_PER_CPU 1769
/* Unused ones that are kept. */
#define MAX_FREE 256

struct seat {
    struct seats *all;
    struct list link;
    unsigned number;
    int memory_mb; /* its limits as they are set; 0 = none yet */
    unsigned processes;
    unsigned limited_processes;
    int64_t overruns; /* seen when it was taken */
};

struct seats {
    struct cgroups *cgroups;
    struct list free;
    unsigned free_count, count, next_number;
    bool complained;
};

static struct seat *make(struct seats *s)
{
    struct seat *seat;

    if (cgroup_make(s->cgroups, s->next_number) != 0) {
        if (!s->complained)
            log_warn("cgroup_not_made", LOG_UINT("number", s->next_number), LOG_STR("error", strerror(errno)));
        s->complained = true;
        return NULL;
    }
    seat = PL_NEW(struct seat);
    seat->all = s;
    seat->number = s->next_number++;
    list_init(&seat->link);
    s->count++;
    return seat;
}

static void discard(struct seat *seat)
{
    cgroup_remove(seat->all->cgroups, seat->number);
    seat->all->count--;
    list_remove(&seat->link);
    free(seat);
}

/* The one given back last: its pages are the most likely to be in some cache. */
struct seat *seats_take(struct seats *s, unsigned processes)
{
    struct seat *seat = list_first(&s->free, struct seat, link);

    if (cgroups_controllers(s->cgroups) == 0)
        return NULL;
    if (seat) {
        list_remove(&seat->link);
        s->free_count--;
    } else {
        seat = make(s);
    }
    if (seat)
        seat->processes = processes;
    return seat;
}

void seats_give(struct seats *s, struct seat *seat)
{
    if (!seat)
        return;
    if (s->free_count == MAX_FREE) {
        discard(seat);
        return;
    }
    list_push_front(&s->free, &seat->link);
    s->free_count++;
}

unsigned seats_count(const struct seats *s)
{
    return s->count;
}

int seat_entrances(struct seat *seat, int *out_fds)
{
    return cgroup_entrances(seat->all->cgroups, seat->number, out_fds);
}

bool seat_limit(struct seat *seat, int memory_size_mb)
{
    struct cgroup_limits l = { .memory_mb = (unsigned)memory_size_mb,
                               .cpu_milli = (unsigned)memory_size_mb * 1000 / MB_PER_CPU,
                               .processes = seat->processes };

    if (seat->memory_mb == memory_size_mb && seat->limited_processes == seat->processes)
        return true;
    if (cgroup_limit(seat->all->cgroups, seat->number, &l) != 0)
        return false;
    seat->memory_mb = memory_size_mb;
    seat->limited_processes = seat->processes;
    return true;
}

bool seat_enter(struct seat *seat, pid_t pid)
{
    return cgroup_enter(seat->all->cgroups, seat->number, pid) == 0;
}

void seat_clear(struct seat *seat)
{
    cgroup_clear(seat->all->cgroups, seat->number);
    seat->limited_processes = 0; /* to be set again */
}

bool seat_limits_memory(const struct seat *seat)
{
    return cgroups_controllers(seat->all->cgroups) & CGROUP_MEMORY;
}

bool seat_overrun(struct seat *seat)
{
    int64_t now = cgroup_oom_kills(seat->all->cgroups, seat->number);
    bool overrun = now > seat->overruns;

    seat->overruns = now;
    return overrun;
}

struct seats *seats_new(struct cgroups *cgroups)
{
    struct seats *s = PL_NEW(struct seats);

    s->cgroups = cgroups;
    list_init(&s->free);
    return s;
}

void seats_free(struct seats *s)
{
    if (!s)
        return;
    for (struct seat *seat; (seat = list_first(&s->free, struct seat, link));)
        discard(seat);
    free(s);
}
