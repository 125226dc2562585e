/* Where on this host groups may be made: finds the place, makes room in it, and says why there is none. */
#include "sandbox/cgroup.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "cgroup_find.h"
#include "cgroup_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAME_PREFIX "pilotlight-"
#define LEAF        "pilotlight-worker"
/* Of a group whose processes make more of them meanwhile. */
#define MAX_MOVE_ROUNDS 20
#define ALL             (CGROUP_MEMORY | CGROUP_CPU | CGROUP_PIDS)

#define ADVICE_MOUNT "mount the control groups: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
#define ADVICE_ROOT  "run the worker as root"
#define ADVICE_DELEGATE                                                                                                \
    "run the worker as root, or where control groups are delegated to it: Delegate=yes in its systemd unit, or "       \
    "systemd-run --user --scope -p Delegate=yes pilotlight up"
#define ADVICE_CONTAINER "let the container write its control groups, as docker run --privileged does"
#define ADVICE_KERNEL    "start the kernel with cgroup_enable=memory and without cgroup_disable"
#define ADVICE_ABOVE                                                                                                   \
    "delegate all three: Delegate=yes in the worker's systemd unit; for users' own units systemctl edit "              \
    "user@.service, [Service] Delegate=cpu memory pids"
#define ADVICE_PARENT                                                                                                  \
    "cgroup_parent must be a group of version 2 without processes in it, the worker's to write, whose "                \
    "cgroup.controllers has memory, cpu and pids"

static const struct {
    unsigned bit;
    const char *name;
} controllers[] = { { CGROUP_MEMORY, "memory" }, { CGROUP_CPU, "cpu" }, { CGROUP_PIDS, "pids" } };

/* What is missing, why, and what to do about it; always false. */
static bool __attribute__((format(printf, 3, 4))) refuse(struct cgroups *c, const char *advice, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(c->why_not, sizeof(c->why_not), format, arguments);
    va_end(arguments);
    (void)snprintf(c->advice, sizeof(c->advice), "%s", advice);
    return false;
}

/* ---- what others left ---- */

static void remove_groups(int folder)
{
    int fd = cgroup_open_folder(folder, ".");
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
    int fd = cgroup_open_folder(parent, ".");
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir && fd >= 0)
        (void)close(fd);
    while (dir && (entry = readdir(dir))) {
        pl_cleanup(pl_close_p) int folder =
            is_left_over(entry->d_name) ? cgroup_open_folder(parent, entry->d_name) : -1;

        if (folder < 0)
            continue;
        remove_groups(folder);
        (void)unlinkat(parent, entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        (void)closedir(dir);
}

/* ---- either version ---- */

static bool add_hierarchy(struct cgroups *c, const char *path, unsigned bits, const char *advice)
{
    struct hierarchy h = { .controllers = bits, .parent_fd = cgroup_open_folder(AT_FDCWD, path), .fd = -1 };
    int failed;

    if (h.parent_fd >= 0) {
        remove_left_overs(h.parent_fd);
        if (mkdirat(h.parent_fd, c->name, 0755) == 0 || errno == EEXIST)
            h.fd = cgroup_open_folder(h.parent_fd, c->name);
    }
    if (h.fd >= 0) {
        c->list[c->count++] = h;
        return true;
    }
    failed = errno;
    pl_close_p(&h.parent_fd);
    return refuse(c, failed == EROFS ? ADVICE_CONTAINER : advice, "cannot make a group in '%.150s': %s", path,
                  strerror(failed));
}

/* ---- version 1 ---- */

static void open_v1(struct cgroups *c, const char *mountinfo, const char *cgroup)
{
    const char *absent = NULL;

    for (size_t i = 0; i < PL_COUNT(controllers); i++) {
        struct cgroup_place at;

        if (!cgroup_find(mountinfo, cgroup, controllers[i].name, &at))
            absent = controllers[i].name;
        else
            (void)add_hierarchy(c, at.own, controllers[i].bit, ADVICE_ROOT);
    }
    c->version = c->count > 0 ? 1 : 0;
    if (c->version == 1 && absent)
        (void)refuse(c, ADVICE_KERNEL, "no %s controller is mounted", absent);
}

/* ---- version 2 ---- */

static bool lists(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = text; at && (at = strstr(at, word)); at += n)
        if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\n' || at[n] == '\0'))
            return true;
    return false;
}

/* One by one: a kernel without one of them refuses all that are asked for together. */
static void enable_controllers(int folder, int out_errors[PL_COUNT(controllers)])
{
    for (size_t i = 0; i < PL_COUNT(controllers); i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "+%s", controllers[i].name);
        out_errors[i] = cgroup_write(folder, "cgroup.subtree_control", text) == 0 ? 0 : errno;
    }
}

/* The top of all groups, or of what a container sees of them, is told apart by what only a group below it has. */
static bool is_root(int folder)
{
    return faccessat(folder, "cgroup.controllers", F_OK, 0) == 0 && faccessat(folder, "cgroup.events", F_OK, 0) != 0;
}

/* Bits of the controllers that groups in 'folder' have, after asking for all of them; why one is missing. */
static unsigned take_controllers(struct cgroups *c, int folder, const char *path, const char *advice)
{
    pl_cleanup(pl_free_p) char *given = cgroup_read(folder, "cgroup.controllers");
    pl_cleanup(pl_free_p) char *have = NULL;
    int errors[PL_COUNT(controllers)];
    unsigned bits = 0;

    enable_controllers(folder, errors);
    have = cgroup_read(folder, "cgroup.subtree_control");
    for (size_t i = PL_COUNT(controllers); i-- > 0;) {
        const char *name = controllers[i].name;

        if (lists(have, name))
            bits |= controllers[i].bit;
        else if (!lists(given, name))
            (void)refuse(c, advice, "'%.150s' has no %s controller", path, name);
        else
            (void)refuse(c, advice, "groups in '%.150s' get no %s controller: %s", path, name, strerror(errors[i]));
    }
    return bits;
}

/* A folder that somebody has just made has the controllers that the folders above it hand down, which may be none yet.
 * Nothing is lost where that fails: what is missing is said of the folder itself. */
static void enable_above(const char *top, const char *path)
{
    char above[PATH_MAX];
    size_t n = strlen(top);

    while (strncmp(path, top, strlen(top)) == 0 && path[n] == '/' && n < sizeof(above)) {
        pl_cleanup(pl_close_p) int fd = -1;
        int errors[PL_COUNT(controllers)];

        (void)snprintf(above, sizeof(above), "%.*s", (int)n, path);
        fd = cgroup_open_folder(AT_FDCWD, above);
        if (fd >= 0)
            enable_controllers(fd, errors);
        n += 1 + strcspn(path + n + 1, "/");
    }
}

static bool has_attribute(int folder, const char *name)
{
    char value[2];

    return fgetxattr(folder, name, value, sizeof(value)) == 1 && value[0] == '1';
}

/* Ours with all that is in it: systemd has marked it so, or it is all that a container sees. */
static bool is_delegated(int folder, bool top)
{
    return top || has_attribute(folder, "user.delegate") || has_attribute(folder, "trusted.delegate");
}

static bool move_to_leaf(int folder)
{
    for (int rounds = 0; rounds < MAX_MOVE_ROUNDS; rounds++) {
        pl_cleanup(pl_free_p) char *text = cgroup_read(folder, "cgroup.procs");
        char *next;

        if (!text || !text[0])
            return text;
        for (char *at = strtok_r(text, "\n", &next); at; at = strtok_r(NULL, "\n", &next))
            (void)cgroup_write(folder, LEAF "/cgroup.procs", at);
    }
    return false;
}

/* A group with processes of its own cannot limit groups inside it. Where we are alone, or where all of it is ours, they
 * move into a leaf. */
static bool make_room(struct cgroups *c, int folder, const char *path, bool top)
{
    pl_cleanup(pl_free_p) char *text = cgroup_read(folder, "cgroup.procs");
    char alone[24];

    (void)snprintf(alone, sizeof(alone), "%d\n", (int)getpid());
    if (is_root(folder) || (text && !text[0]))
        return true;
    if (!text || (strcmp(text, alone) != 0 && !is_delegated(folder, top)))
        return refuse(c, ADVICE_DELEGATE, "'%.150s' has processes in it and is not delegated to the worker", path);
    if (mkdirat(folder, LEAF, 0755) != 0 && errno != EEXIST)
        return refuse(c, errno == EROFS ? ADVICE_CONTAINER : ADVICE_DELEGATE, "cannot make a group in '%.150s': %s",
                      path, strerror(errno));
    return move_to_leaf(folder) ||
           refuse(c, ADVICE_DELEGATE, "cannot move the processes in '%.150s' out of the way", path);
}

/* Groups inside a group with processes can be threads' groups only, with CPU and pids and without memory. */
static bool has_processes(int folder)
{
    pl_cleanup(pl_free_p) char *text = cgroup_read(folder, "cgroup.procs");

    return text && text[0] && !is_root(folder);
}

/* 'wanted': it is no place for us without these controllers. */
static bool try_v2(struct cgroups *c, const char *path, const char *parent, unsigned wanted)
{
    const char *advice = parent[0] ? ADVICE_PARENT : ADVICE_DELEGATE, *above = parent[0] ? ADVICE_PARENT : ADVICE_ABOVE;
    pl_cleanup(pl_close_p) int fd = cgroup_open_folder(AT_FDCWD, path);
    unsigned bits;

    if (fd < 0)
        return refuse(c, advice, "cannot open '%.150s': %s", path, strerror(errno));
    if (has_processes(fd))
        return refuse(c, advice, "'%.150s' has processes in it", path);
    if (is_root(fd))
        above = ADVICE_KERNEL;
    bits = take_controllers(c, fd, path, above);
    if (bits == 0 || (bits & wanted) != wanted || !add_hierarchy(c, path, bits, advice))
        return false;
    c->list[0].controllers = take_controllers(c, c->list[0].fd, path, above);
    c->version = 2;
    return true;
}

/* Our own group; or the one above, when it is the leaf that some worker has made there. */
static void without_leaf(struct cgroup_place *at)
{
    char *last = strrchr(at->own, '/');

    if (last && strlen(at->own) > strlen(at->top) && strcmp(last + 1, LEAF) == 0)
        *last = '\0';
}

static void open_v2(struct cgroups *c, const char *parent, const char *mountinfo, const char *cgroup)
{
    static const unsigned wanted[] = { ALL, CGROUP_MEMORY, 0 };
    struct cgroup_place at;
    bool room, top;

    if (!cgroup_find(mountinfo, cgroup, NULL, &at))
        return;
    if (parent[0]) {
        enable_above(at.top, parent);
        (void)try_v2(c, parent, parent, 0);
        return;
    }
    without_leaf(&at);
    top = strcmp(at.own, at.top) == 0;
    pl_cleanup(pl_close_p) int own = cgroup_open_folder(AT_FDCWD, at.own);
    room = own >= 0 && make_room(c, own, at.own, top);
    for (size_t i = 0; i < PL_COUNT(wanted); i++)
        if ((room && try_v2(c, at.own, "", wanted[i])) || (geteuid() == 0 && !top && try_v2(c, at.top, "", wanted[i])))
            return;
}

/* ---- all of them ---- */

struct cgroups *cgroups_open(const char *parent)
{
    struct cgroups *c = PL_NEW(struct cgroups);
    pl_cleanup(pl_free_p) char *mountinfo = cgroup_read(AT_FDCWD, "/proc/self/mountinfo");
    pl_cleanup(pl_free_p) char *cgroup = cgroup_read(AT_FDCWD, "/proc/self/cgroup");

    (void)snprintf(c->name, sizeof(c->name), NAME_PREFIX "%d", (int)getpid());
    (void)refuse(c, ADVICE_MOUNT, "no control groups are mounted");
    if (mountinfo && cgroup)
        open_v2(c, parent, mountinfo, cgroup);
    if (c->version == 0 && mountinfo && cgroup && !parent[0])
        open_v1(c, mountinfo, cgroup);
    if (cgroups_controllers(c) == ALL)
        (void)refuse(c, "", "%s", "");
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

const char *cgroups_advice(const struct cgroups *c)
{
    return c->advice;
}
