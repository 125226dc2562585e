/* The root of what runs inside: a small read-only file system in memory with only what the profile names. */
#include "enter.h"

#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT_OPTIONS "mode=755,size=256k,nr_inodes=128"
/* A folder of the host that certainly exists; covered for a moment, in our own namespace only. */
#define STAGING     "/proc"
#define MAX_ENTRIES 40

/* A copy of what is mounted at 'path', attached nowhere: ".." leads out of it for nobody. */
static int copy_mount(const char *path, bool recursive)
{
    return open_tree(AT_FDCWD, path,
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | (recursive ? AT_RECURSIVE : 0));
}

static int restrict_mount(int fd, uint64_t attributes)
{
    struct mount_attr a = { .attr_set = attributes };

    return mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a));
}

static int place_mount(int fd, int dir, const char *path)
{
    return move_mount(fd, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH);
}

/* ---- the zygote ---- */

int root_make_namespace(struct enter *e)
{
    (void)e;
    if (unshare(CLONE_NEWNS) != 0)
        return -1;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* One thing of the host that will appear in the root; taken before anything is covered. */
struct piece {
    const char *path; /* where it appears */
    const char *from;
    enum root_kind kind;
    bool writable;
    int fd;
    bool folder;
    const char *to; /* of ROOT_OWN_LINK */
    char link[256];
};

struct pieces {
    struct piece list[MAX_ENTRIES];
    unsigned count;
};

static void drop_pieces(struct pieces *p)
{
    for (unsigned i = 0; i < p->count; i++)
        pl_close_p(&p->list[i].fd);
}

static int take_link(struct piece *p)
{
    ssize_t n = readlink(p->from, p->link, sizeof(p->link) - 1);

    if (n < 0)
        return -1;
    p->link[n] = '\0';
    return 0;
}

static int take_mount(struct piece *p)
{
    uint64_t attributes = MOUNT_ATTR_NOSUID | (p->writable ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_RDONLY) |
                          (p->kind == ROOT_DEVICE ? 0 : MOUNT_ATTR_NODEV);
    struct stat st;

    if (lstat(p->from, &st) != 0)
        return -1;
    if (S_ISLNK(st.st_mode)) {
        errno = ENOENT; /* there is an entry for the link */
        return -1;
    }
    p->folder = S_ISDIR(st.st_mode);
    p->fd = copy_mount(p->from, p->folder);
    return p->fd < 0 ? -1 : restrict_mount(p->fd, attributes);
}

/* False: it is there and cannot be taken. What is not there is left out, but for our own two folders. */
static bool take_piece(struct enter *e, struct pieces *all, const struct piece *piece, bool must)
{
    struct piece *p = &all->list[all->count];
    int failed = 0;

    *p = *piece;
    p->fd = -1;
    if (p->kind == ROOT_LINK)
        failed = take_link(p);
    else if (p->kind != ROOT_FOLDER && p->kind != ROOT_OWN_LINK)
        failed = take_mount(p);
    if (failed == 0) {
        all->count++;
        return true;
    }
    pl_close_p(&p->fd);
    if (!must && (errno == ENOENT || errno == EINVAL || errno == ENOTDIR))
        return true;
    (void)snprintf(e->detail, sizeof(e->detail), "'%.200s'", p->from);
    return false;
}

static bool take_pieces(struct enter *e, struct pieces *all)
{
    const struct sandbox_plan *plan = e->plan;

    for (const struct root_entry *r = e->profile->root; r && r->path; r++)
        if (!take_piece(e, all, &(struct piece){ .path = r->path, .from = r->path, .kind = r->kind, .to = r->to },
                        false))
            return false;
    for (unsigned i = 0; i < SANDBOX_MAX_FOLDERS && plan->folders[i][0]; i++)
        if (!take_piece(e, all, &(struct piece){ plan->folders[i], plan->folders[i], ROOT_BIND }, true))
            return false;
    if (plan->models[0] && !take_piece(e, all, &(struct piece){ ROOT_MODELS, plan->models, ROOT_BIND }, true))
        return false;
    return !plan->work[0] ||
           take_piece(e, all, &(struct piece){ ROOT_WORK, plan->work, ROOT_BIND, .writable = true }, true);
}

/* The folders above it, as far as they are not there. */
static int put_parents(int root, const char *name)
{
    char path[PATH_MAX];

    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(path, sizeof(path), "%.*s", (int)(slash - name), name);
        if (mkdirat(root, path, 0755) != 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

/* 'root' is the new one; paths lose their slash. */
static int put_piece(int root, const struct piece *p)
{
    const char *name = p->path + 1;

    if (p->kind == ROOT_LINK)
        return symlinkat(p->link, root, name);
    if (p->kind == ROOT_OWN_LINK)
        return symlinkat(p->to, root, name);
    if (p->kind == ROOT_FOLDER)
        return mkdirat(root, name, strcmp(name, "tmp") == 0 ? 01777 : 0755);
    if (put_parents(root, name) != 0)
        return -1;
    if (p->folder ? mkdirat(root, name, 0755) != 0 : mknodat(root, name, S_IFREG | 0444, 0) != 0)
        return -1;
    return place_mount(p->fd, root, name);
}

static int fill_root(struct enter *e, int root, const struct pieces *all)
{
    for (unsigned i = 0; i < all->count; i++)
        if (put_piece(root, &all->list[i]) != 0 && errno != EEXIST) {
            (void)snprintf(e->detail, sizeof(e->detail), "'%.200s'", all->list[i].path);
            return -1;
        }
    return 0;
}

/* The top of the tree only: what is mounted below has its own attributes. */
static int seal_root(int root)
{
    struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

    return mount_setattr(root, "", AT_EMPTY_PATH, &a, sizeof(a));
}

/* The old root goes to where the new one lies, and then away with all that hangs on it. */
static int change_root(int root)
{
    if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0)
        return -1;
    return chdir("/");
}

int root_build(struct enter *e)
{
    pl_cleanup(drop_pieces) struct pieces pieces = { 0 };
    pl_cleanup(pl_close_p) int root = -1;
    mode_t mask = umask(0);
    int failed = -1;

    if (take_pieces(e, &pieces) && mount("pilotlight", STAGING, "tmpfs", MS_NOSUID | MS_NODEV, ROOT_OPTIONS) == 0) {
        root = open(STAGING, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root >= 0 && fill_root(e, root, &pieces) == 0 && seal_root(root) == 0)
            failed = change_root(root);
    }
    (void)umask(mask);
    return failed;
}

/* ---- an instance ---- */

/* Only the top: a model has no mounts below it. */
static int bind_folder(struct enter *e, const char *name, int *out_fd)
{
    uint64_t attributes =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (e->profile->exec_model ? 0 : MOUNT_ATTR_NOEXEC);
    char path[sizeof(ROOT_MODELS) + ZYGOTE_MODEL_BYTES];

    (void)snprintf(path, sizeof(path), ROOT_MODELS "/%s", name);
    *out_fd = copy_mount(path, false);
    if (*out_fd >= 0 && restrict_mount(*out_fd, attributes) == 0)
        return 0;
    (void)snprintf(e->detail, sizeof(e->detail), "'%.128s'", name);
    return -1;
}

int root_bind_model(struct enter *e)
{
    if (bind_folder(e, e->model, &e->model_fd) != 0 || (e->code[0] && bind_folder(e, e->code, &e->code_fd) != 0))
        return -1;
    /* It cannot be unmounted from a namespace with fewer rights than the one it comes from; covered it can be. */
    return mount("none", ROOT_MODELS, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=1");
}

int root_mount_model(struct enter *e)
{
    if (place_mount(e->model_fd, AT_FDCWD, e->profile->model_at) != 0)
        return -1;
    pl_close_p(&e->model_fd);
    return chdir(e->profile->model_at);
}

int root_mount_code(struct enter *e)
{
    if (place_mount(e->code_fd, AT_FDCWD, e->profile->code_at) != 0)
        return -1;
    pl_close_p(&e->code_fd);
    return 0;
}

int root_place_scratch(struct enter *e)
{
    if (place_mount(e->extra, AT_FDCWD, "/tmp") != 0)
        return -1;
    pl_close_p(&e->extra);
    return 0;
}

int root_mount_scratch(struct enter *e)
{
    char options[64];

    (void)snprintf(options, sizeof(options), "mode=" ROOT_SCRATCH_MODE ",size=%um,nr_inodes=" ROOT_SCRATCH_INODES,
                   e->profile->scratch_mb);
    return mount("scratch", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options);
}
