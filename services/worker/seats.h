/* seats - control groups for instances, made ahead and used again: a group costs more to make and to remove than to
 * clean, and one that is removed while pages are still charged to it lingers in the kernel.
 *
 * Threads: with the turn.  Memory: a seat is taken, and given back when its process has been reaped. */
#ifndef WORKER_SEATS_H
#define WORKER_SEATS_H

#include <stdbool.h>
#include <sys/types.h>

struct cgroups;
struct seat;
struct seats;

/* 'cgroups' stays the caller's. */
struct seats *seats_new(struct cgroups *cgroups);
void seats_free(struct seats *s); /* all have been given back; NULL is fine */

/* For a process that may have so many processes and threads; NULL: this host has no control groups, or no more. */
struct seat *seats_take(struct seats *s, unsigned processes);
void seats_give(struct seats *s, struct seat *seat); /* NULL is fine */
unsigned seats_count(const struct seats *s);         /* groups that exist */

/* The files through which a process enters, opened: count, or -1 with errno; at most CGROUP_MAX_HIERARCHIES. */
int seat_entrances(struct seat *seat, int *out_fds);
/* From outside, for a process that another one of it has made. False: it cannot, with errno. */
bool seat_enter(struct seat *seat, pid_t pid);
/* Ends whatever is left in it, and waits for that. */
void seat_clear(struct seat *seat);
/* Sets what the memory size allows: memory, and CPU by its share. False: the kernel refuses, with errno. */
bool seat_limit(struct seat *seat, int memory_size_mb);
/* Its memory is limited by its group, not by the process itself. */
bool seat_limits_memory(const struct seat *seat);
/* A process in it has been killed at its memory limit since it was taken. */
bool seat_overrun(struct seat *seat);

#endif
