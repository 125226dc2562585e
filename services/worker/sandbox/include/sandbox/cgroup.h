/* cgroup - limits of memory, CPU and processes for one instance, by whatever control groups this host lets us have.
 *
 * A worker makes one folder of its own per hierarchy (version 2: one hierarchy; version 1: one per controller), and in
 * it one numbered group per instance. What the host does not let us have is simply not there: cgroups_controllers()
 * says what is, and who limits memory must then use RLIMIT_DATA.
 *
 *     version 2   our own group, when it holds nobody but us or all of it is ours (systemd has marked it as delegated, or
 *                 it is all that a container sees): what is in it moves into a leaf of it, "pilotlight-worker", because
 *                 a group with processes cannot limit groups inside it; else, as root, the top of the hierarchy; or
 *                 the folder that the operator names
 *     version 1   below our own group in each of memory, cpu and pids
 *
 * Threads: one at a time.  Memory: owns its descriptors; cgroups_close() removes the folders.
 * Cost: a group 30 to 100 us to make, 20 to 50 to remove, some 30 per limit: groups are kept and used again (seats.h).
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_MEMORY          1u
#define CGROUP_CPU             2u
#define CGROUP_PIDS            4u
#define CGROUP_MAX_HIERARCHIES 3

struct cgroups;

/* What each controller is for, in words for people; ends with a row without a key. */
struct cgroup_text {
    unsigned controller;
    const char *key, *name, *lost; /* 'lost': what is so without it */
};
extern const struct cgroup_text cgroup_texts[];

/* Never NULL. 'parent': the folder in which to make ours, version 2 only; "" = found as above. Removes what a dead
 * worker left there. */
struct cgroups *cgroups_open(const char *parent);
void cgroups_close(struct cgroups *c); /* NULL is fine; the groups must be empty of processes */

const char *cgroups_driver(const struct cgroups *c);   /* "cgroup v2", "cgroup v1", "rlimit only" */
unsigned cgroups_controllers(const struct cgroups *c); /* bits of CGROUP_* */
const char *cgroups_why_not(const struct cgroups *c);  /* what is missing is missing because ...; "" */
const char *cgroups_advice(const struct cgroups *c);   /* what to do about that; "" */

/* Bytes of memory that the group of this process and those above it leave to all in them; INT64_MAX: no limit. */
int64_t cgroups_memory_given(void);

/* Group 'number'. 0, or -1 with errno; what is there already is used. */
int cgroup_make(struct cgroups *c, unsigned number);
void cgroup_remove(struct cgroups *c, unsigned number);
/* Opens the files through which a process enters by writing "0": count, or -1 with errno. */
int cgroup_entrances(struct cgroups *c, unsigned number, int out_fds[CGROUP_MAX_HIERARCHIES]);

/* Puts a process there: 0, or -1 with errno. */
int cgroup_enter(struct cgroups *c, unsigned number, pid_t pid);
/* Kills all that is in it, children of this process, and reaps them. Blocks for as long as the kernel takes. */
void cgroup_clear(struct cgroups *c, unsigned number);

struct cgroup_limits {
    unsigned memory_mb, cpu_milli, processes;
};
int cgroup_limit(struct cgroups *c, unsigned number, const struct cgroup_limits *l);
/* Processes of this group that its memory limit has killed, ever; 0 when not known. Version 1 also counts those that a
 * limit further up, or the machine's, has killed. */
int64_t cgroup_oom_kills(struct cgroups *c, unsigned number);

#endif
