/* Groups: made, limited, entered, cleared. Where they lie: cgroup_place.c. */
#include "sandbox/cgroup.h"

#include "base/cleanup.h"
#include "cgroup_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_PERIOD_US 100000
/* Nobody in a group without room for processes makes more of them. */
#define MAX_CLEAR_ROUNDS 100

/* ---- one group ---- */

#define GROUP_NAME 16

static const char *group_name(unsigned number, char out[GROUP_NAME])
{
    (void)snprintf(out, GROUP_NAME, "i%u", number);
    return out;
}

int cgroup_make(struct cgroups *c, unsigned number)
{
    char name[GROUP_NAME];

    for (unsigned i = 0; i < c->count; i++)
        if (mkdirat(c->list[i].fd, group_name(number, name), 0755) != 0 && errno != EEXIST)
            return -1;
    return 0;
}

void cgroup_remove(struct cgroups *c, unsigned number)
{
    char name[GROUP_NAME];

    for (unsigned i = 0; i < c->count; i++)
        (void)unlinkat(c->list[i].fd, group_name(number, name), AT_REMOVEDIR);
}

int cgroup_entrances(struct cgroups *c, unsigned number, int out_fds[CGROUP_MAX_HIERARCHIES])
{
    char path[GROUP_NAME + 16], name[GROUP_NAME];

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", group_name(number, name));
    for (unsigned i = 0; i < c->count; i++) {
        out_fds[i] = openat(c->list[i].fd, path, O_WRONLY | O_CLOEXEC);
        if (out_fds[i] >= 0)
            continue;
        while (i-- > 0)
            (void)close(out_fds[i]);
        return -1;
    }
    return (int)c->count;
}

static int set(int dir, const char *group, const char *file, const char *text)
{
    char path[GROUP_NAME + 48];

    (void)snprintf(path, sizeof(path), "%s/%s", group, file);
    return cgroup_write(dir, path, text);
}

/* Swap counts as memory where swap is accounted; the two limits of version 1 must never cross. */
static int limit_memory(const struct cgroups *c, int dir, const char *group, unsigned mb)
{
    char bytes[24];

    (void)snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)mb << 20);
    if (c->version == 2) {
        (void)set(dir, group, "memory.swap.max", "0");
        (void)set(dir, group, "memory.oom.group", "1");
        return set(dir, group, "memory.max", bytes);
    }
    if (set(dir, group, "memory.limit_in_bytes", bytes) != 0) {
        (void)set(dir, group, "memory.memsw.limit_in_bytes", bytes);
        return set(dir, group, "memory.limit_in_bytes", bytes);
    }
    (void)set(dir, group, "memory.memsw.limit_in_bytes", bytes);
    return 0;
}

static int limit_cpu(const struct cgroups *c, int dir, const char *group, unsigned milli)
{
    char text[48];
    unsigned quota = (unsigned)((unsigned long long)CPU_PERIOD_US * milli / 1000);

    if (c->version == 2)
        (void)snprintf(text, sizeof(text), "%u %d", quota, CPU_PERIOD_US);
    else
        (void)snprintf(text, sizeof(text), "%u", quota);
    return set(dir, group, c->version == 2 ? "cpu.max" : "cpu.cfs_quota_us", text);
}

static int limit_processes(int dir, const char *group, unsigned count)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", count);
    return set(dir, group, "pids.max", text);
}

int cgroup_limit(struct cgroups *c, unsigned number, const struct cgroup_limits *l)
{
    char name[GROUP_NAME];

    (void)group_name(number, name);
    for (unsigned i = 0; i < c->count; i++) {
        const struct hierarchy *h = &c->list[i];

        if (((h->controllers & CGROUP_MEMORY) && limit_memory(c, h->fd, name, l->memory_mb) != 0) ||
            ((h->controllers & CGROUP_CPU) && limit_cpu(c, h->fd, name, l->cpu_milli) != 0) ||
            ((h->controllers & CGROUP_PIDS) && limit_processes(h->fd, name, l->processes) != 0))
            return -1;
    }
    return 0;
}

int cgroup_enter(struct cgroups *c, unsigned number, pid_t pid)
{
    char text[24], name[GROUP_NAME];

    (void)snprintf(text, sizeof(text), "%d", (int)pid);
    (void)group_name(number, name);
    for (unsigned i = 0; i < c->count; i++)
        if (set(c->list[i].fd, name, "cgroup.procs", text) != 0)
            return -1;
    return 0;
}

/* True: there was somebody. Those who are children of others end with those others. Who is listed is killed one by one,
 * too: a kernel may have no way to kill a group (before 5.14, or version 1). */
static bool kill_all(const struct cgroups *c, const char *group)
{
    char path[GROUP_NAME + 16];
    pl_cleanup(pl_free_p) char *text = NULL;
    bool any = false;
    char *next;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    text = cgroup_read(c->list[0].fd, path);
    if (c->version == 2)
        (void)set(c->list[0].fd, group, "cgroup.kill", "1");
    for (char *at = text; at && *at; at = next) {
        long pid = strtol(at, &next, 10);

        if (next == at)
            break;
        any = true;
        if (pid > 0 && kill((pid_t)pid, SIGKILL) == 0)
            (void)waitpid((pid_t)pid, NULL, 0);
    }
    return any;
}

void cgroup_clear(struct cgroups *c, unsigned number)
{
    char name[GROUP_NAME];

    (void)group_name(number, name);
    for (unsigned i = 0; i < c->count; i++)
        if (c->list[i].controllers & CGROUP_PIDS)
            (void)limit_processes(c->list[i].fd, name, 0);
    for (int tries = 0; c->count > 0 && tries < MAX_CLEAR_ROUNDS && kill_all(c, name); tries++)
        ;
}

/* Of a text of lines "KEY NUMBER"; 0 when there is no such line. */
static int64_t number_of(const char *text, const char *key)
{
    size_t n = strlen(key);
    long long number;

    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (strncmp(line, key, n) == 0 && line[n] == ' ' && sscanf(line + n, " %lld", &number) == 1)
            return number;
    return 0;
}

/* Version 2 tells whose limit it was: "oom" counts how often this group's was reached, "oom_kill" who was killed here,
 * whoever's was. */
int64_t cgroup_oom_kills(struct cgroups *c, unsigned number)
{
    for (unsigned i = 0; i < c->count; i++) {
        pl_cleanup(pl_free_p) char *text = NULL;
        char path[GROUP_NAME + 32], name[GROUP_NAME];
        int64_t kills, reached;

        if (!(c->list[i].controllers & CGROUP_MEMORY))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", group_name(number, name),
                       c->version == 2 ? "memory.events" : "memory.oom_control");
        text = cgroup_read(c->list[i].fd, path);
        kills = number_of(text, "oom_kill");
        reached = c->version == 2 ? number_of(text, "oom") : kills;
        return kills < reached ? kills : reached;
    }
    return 0;
}
