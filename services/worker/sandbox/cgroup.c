#include "sandbox/cgroup.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "cgroup_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_PREFIX    "pilotlight-"
#define LEAF           "pilotlight-worker"
#define CPU_PERIOD_US  100000
#define TEXT_MAX_BYTES (256 << 10)
/* Nobody in a group without room for processes makes more of them. */
#define MAX_CLEAR_ROUNDS 100

struct hierarchy {
    unsigned controllers;
    int parent_fd; /* in which our folder lies */
    int fd;        /* our folder */
};

struct cgroups {
    int version; /* 0: none */
    struct hierarchy list[CGROUP_MAX_HIERARCHIES];
    unsigned count;
    char name[64]; /* of our folder */
    char why_not[160];
};

static const struct {
    unsigned bit;
    const char *name;
} controllers[] = { { CGROUP_MEMORY, "memory" }, { CGROUP_CPU, "cpu" }, { CGROUP_PIDS, "pids" } };

/* ---- files ---- */

static int write_text(int dir, const char *path, const char *text)
{
    pl_cleanup(pl_close_p) int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* The whole of a small file, the caller's to free; NULL: cannot be read. */
static char *read_text(int dir, const char *path)
{
    pl_cleanup(pl_close_p) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    char *out = fd >= 0 ? pl_new0(1, TEXT_MAX_BYTES) : NULL;
    size_t len = 0;
    ssize_t n = 1;

    while (out && n > 0 && len < TEXT_MAX_BYTES - 1) {
        n = read(fd, out + len, TEXT_MAX_BYTES - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    return out;
}

static int open_folder(int dir, const char *path)
{
    return openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- what others left ---- */

static void remove_groups(int folder)
{
    int fd = open_folder(folder, ".");
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir && fd >= 0)
        (void)close(fd);
    while (dir && (entry = readdir(dir)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            (void)unlinkat(folder, entry->d_name, AT_REMOVEDIR);
    if (dir)
        (void)closedir(dir);
}

/* The folder of a worker that is dead: named by its process id. */
static bool is_left_over(const char *name)
{
    size_t n = strlen(NAME_PREFIX);
    char *end;
    long pid;

    if (strncmp(name, NAME_PREFIX, n) != 0)
        return false;
    pid = strtol(name + n, &end, 10);
    return pid > 0 && *end == '\0' && (pid == getpid() || (kill((pid_t)pid, 0) != 0 && errno == ESRCH));
}

static void remove_left_overs(int parent)
{
    int fd = open_folder(parent, ".");
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir && fd >= 0)
        (void)close(fd);
    while (dir && (entry = readdir(dir))) {
        pl_cleanup(pl_close_p) int folder = is_left_over(entry->d_name) ? open_folder(parent, entry->d_name) : -1;

        if (folder < 0)
            continue;
        remove_groups(folder);
        (void)unlinkat(parent, entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        (void)closedir(dir);
}

/* ---- finding a place ---- */

static void add_hierarchy(struct cgroups *c, int parent_fd, unsigned bits)
{
    struct hierarchy h = { .controllers = bits, .parent_fd = parent_fd };

    remove_left_overs(parent_fd);
    if (mkdirat(parent_fd, c->name, 0755) != 0 && errno != EEXIST) {
        (void)snprintf(c->why_not, sizeof(c->why_not), "cannot make a control group: %s", strerror(errno));
        (void)close(parent_fd);
        return;
    }
    h.fd = open_folder(parent_fd, c->name);
    if (h.fd >= 0)
        c->list[c->count++] = h;
    else
        (void)close(parent_fd);
}

static void open_v1(struct cgroups *c, const char *mountinfo, const char *cgroup)
{
    for (size_t i = 0; i < PL_COUNT(controllers); i++) {
        struct cgroup_place at;
        int fd;

        if (!cgroup_find(mountinfo, cgroup, controllers[i].name, &at))
            continue;
        fd = open_folder(AT_FDCWD, at.own);
        if (fd >= 0)
            add_hierarchy(c, fd, controllers[i].bit);
        else
            (void)snprintf(c->why_not, sizeof(c->why_not), "cannot open '%.100s'", at.own);
    }
    c->version = c->count > 0 ? 1 : 0;
}

static bool lists(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = text; at && (at = strstr(at, word)); at += n)
        if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\n' || at[n] == '\0'))
            return true;
    return false;
}

/* Bits of the controllers that groups in 'folder' have, after asking for all of them. */
static unsigned enable_controllers(int folder)
{
    pl_cleanup(pl_free_p) char *have = NULL;
    unsigned bits = 0;

    for (size_t i = 0; i < PL_COUNT(controllers); i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "+%s", controllers[i].name);
        (void)write_text(folder, "cgroup.subtree_control", text);
    }
    have = read_text(folder, "cgroup.subtree_control");
    for (size_t i = 0; have && i < PL_COUNT(controllers); i++)
        bits |= lists(have, controllers[i].name) ? controllers[i].bit : 0;
    return bits;
}

/* A group with processes of its own cannot limit groups inside it: when we are alone there, we move into a leaf. */
static bool move_to_leaf(int folder)
{
    pl_cleanup(pl_free_p) char *text = read_text(folder, "cgroup.procs");
    char alone[24];

    (void)snprintf(alone, sizeof(alone), "%d\n", (int)getpid());
    if (!text || strcmp(text, alone) != 0 || (mkdirat(folder, LEAF, 0755) != 0 && errno != EEXIST))
        return false;
    return write_text(folder, LEAF "/cgroup.procs", "0") == 0;
}

static bool try_v2(struct cgroups *c, const char *path)
{
    int fd = open_folder(AT_FDCWD, path);
    unsigned bits;

    if (fd < 0)
        return false;
    bits = enable_controllers(fd);
    if (!(bits & CGROUP_MEMORY)) {
        (void)snprintf(c->why_not, sizeof(c->why_not), "no memory controller for groups in '%.100s'", path);
        (void)close(fd);
        return false;
    }
    add_hierarchy(c, fd, bits);
    if (c->count == 0)
        return false;
    c->list[0].controllers = enable_controllers(c->list[0].fd);
    c->version = 2;
    return true;
}

static void open_v2(struct cgroups *c, const char *parent, const char *mountinfo, const char *cgroup)
{
    struct cgroup_place at;
    pl_cleanup(pl_close_p) int own = -1;

    if (parent[0]) {
        (void)try_v2(c, parent);
        return;
    }
    if (!cgroup_find(mountinfo, cgroup, NULL, &at))
        return;
    own = open_folder(AT_FDCWD, at.own);
    if (own >= 0 && move_to_leaf(own) && try_v2(c, at.own))
        return;
    if (geteuid() == 0)
        (void)try_v2(c, at.top);
}

struct cgroups *cgroups_open(const char *parent)
{
    struct cgroups *c = PL_NEW(struct cgroups);
    pl_cleanup(pl_free_p) char *mountinfo = read_text(AT_FDCWD, "/proc/self/mountinfo");
    pl_cleanup(pl_free_p) char *cgroup = read_text(AT_FDCWD, "/proc/self/cgroup");

    (void)snprintf(c->name, sizeof(c->name), NAME_PREFIX "%d", (int)getpid());
    (void)snprintf(c->why_not, sizeof(c->why_not), "no control groups are mounted");
    if (mountinfo && cgroup)
        open_v2(c, parent, mountinfo, cgroup);
    if (c->version == 0 && mountinfo && cgroup && !parent[0])
        open_v1(c, mountinfo, cgroup);
    if (cgroups_controllers(c) == (CGROUP_MEMORY | CGROUP_CPU | CGROUP_PIDS))
        c->why_not[0] = '\0';
    return c;
}

void cgroups_close(struct cgroups *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->count; i++) {
        remove_groups(c->list[i].fd);
        (void)unlinkat(c->list[i].parent_fd, c->name, AT_REMOVEDIR);
        pl_close_p(&c->list[i].fd);
        pl_close_p(&c->list[i].parent_fd);
    }
    free(c);
}

const char *cgroups_driver(const struct cgroups *c)
{
    static const char *const names[] = { "rlimit only", "cgroup v1", "cgroup v2" };

    return names[c->version];
}

unsigned cgroups_controllers(const struct cgroups *c)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < c->count; i++)
        bits |= c->list[i].controllers;
    return bits;
}

const char *cgroups_why_not(const struct cgroups *c)
{
    return c->why_not;
}

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
    return write_text(dir, path, text);
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

/* True: there was somebody. Those who are children of others end with those others. */
static bool kill_all(int dir, const char *path)
{
    pl_cleanup(pl_free_p) char *text = read_text(dir, path);
    bool any = false;
    char *next;

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
    char path[GROUP_NAME + 16], name[GROUP_NAME];

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", group_name(number, name));
    for (unsigned i = 0; i < c->count; i++)
        if (c->list[i].controllers & CGROUP_PIDS)
            (void)limit_processes(c->list[i].fd, name, 0);
    for (int tries = 0; c->count > 0 && tries < MAX_CLEAR_ROUNDS && kill_all(c->list[0].fd, path); tries++)
        ;
}

int64_t cgroup_oom_kills(struct cgroups *c, unsigned number)
{
    for (unsigned i = 0; i < c->count; i++) {
        pl_cleanup(pl_free_p) char *text = NULL;
        char path[GROUP_NAME + 32], name[GROUP_NAME];
        const char *line;
        long long kills;

        if (!(c->list[i].controllers & CGROUP_MEMORY))
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", group_name(number, name),
                       c->version == 2 ? "memory.events" : "memory.oom_control");
        text = read_text(c->list[i].fd, path);
        line = text ? strstr(text, "oom_kill ") : NULL;
        return line && sscanf(line, "oom_kill %lld", &kills) == 1 ? kills : 0;
    }
    return 0;
}
