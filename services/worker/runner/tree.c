#include "tree.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void tree_init(struct tree *t, int root)
{
    *t = (struct tree){ .root = root };
}

void tree_done(struct tree *t)
{
    for (unsigned i = 0; i < t->link_count; i++) {
        free(t->links[i].path);
        free(t->links[i].target);
    }
    free(t->links);
    *t = (struct tree){ .root = -1 };
}

static enum pl_code refused(struct pl_err *err, const char *path, const char *why)
{
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL, "entry '%.200s': %s", path, why);
}

static enum pl_code cannot(struct pl_err *err, const char *what, const char *path)
{
    return pl_fail(err, PL_INTERNAL, NULL, "cannot %s '%.200s': %s", what, path, strerror(errno));
}

enum pl_code tree_path(const char *name, char out[TREE_MAX_PATH], struct pl_err *err)
{
    const char *s = name;
    size_t at = 0, depth = 0;

    if (name[0] == '/')
        return refused(err, name, "the path is absolute");
    while (*s) {
        size_t n = strcspn(s, "/");

        if (n == 2 && memcmp(s, "..", 2) == 0)
            return refused(err, name, "the path contains '..'");
        if (n > NAME_MAX || at + n + 2 > TREE_MAX_PATH)
            return refused(err, name, "the name is too long");
        if (n > 0 && !(n == 1 && *s == '.')) {
            if (++depth > TREE_MAX_DEPTH)
                return refused(err, name, "the path is too deep");
            if (at > 0)
                out[at++] = '/';
            memcpy(out + at, s, n);
            at += n;
        }
        s += n + (s[n] == '/');
    }
    out[at] = '\0';
    return PL_OK;
}

/* Opens the folder 'name' in 'dir' (closing 'dir' unless it is the root), making it when it is missing. */
static int enter(struct tree *t, int dir, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, fd, saved;

    fd = openat(dir, name, flags);
    if (fd < 0 && errno == ENOENT && mkdirat(dir, name, 0755) == 0) {
        t->folders++;
        fd = openat(dir, name, flags);
    }
    saved = errno;
    if (dir != t->root)
        close(dir);
    errno = saved;
    return fd;
}

/* The folder that holds the last component of 'path', and that component. Close the folder unless it is the root. */
static enum pl_code walk(struct tree *t, const char *path, int *out_dir, const char **out_leaf, struct pl_err *err)
{
    const char *s = path, *slash;
    int dir = t->root;

    for (; (slash = strchr(s, '/')); s = slash + 1) {
        char name[NAME_MAX + 1];

        memcpy(name, s, (size_t)(slash - s));
        name[slash - s] = '\0';
        dir = enter(t, dir, name);
        if (dir < 0 && (errno == ENOTDIR || errno == ELOOP))
            return refused(err, path, "a part of the path is not a folder");
        if (dir < 0)
            return cannot(err, "make the folders of", path);
    }
    *out_dir = dir;
    *out_leaf = s;
    return PL_OK;
}

static void leave(const struct tree *t, int dir)
{
    int saved = errno;

    if (dir != t->root)
        close(dir);
    errno = saved;
}

enum pl_code tree_folder(struct tree *t, const char *path, struct pl_err *err)
{
    const char *leaf;
    int dir, fd;

    if (path[0] == '\0')
        return PL_OK;
    if (walk(t, path, &dir, &leaf, err) != PL_OK)
        return err->code;
    fd = enter(t, dir, leaf);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return refused(err, path, "a part of the path is not a folder");
    if (fd < 0)
        return cannot(err, "make folder", path);
    close(fd);
    return PL_OK;
}

/* A file of that name that an earlier entry has made is written anew. It is not removed first: what unpacks may remove
 * nothing, so that nothing it has written can be out of sight (worker/disk_watch.h). */
static int open_again(int dir, const char *leaf, mode_t mode)
{
    int fd = openat(dir, leaf, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && ftruncate(fd, 0) == 0 &&
        fchmod(fd, mode) == 0)
        return fd;
    close(fd);
    errno = EMLINK;
    return -1;
}

enum pl_code tree_file(struct tree *t, const char *path, bool executable, int *out_fd, struct pl_err *err)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, dir;
    mode_t mode = executable ? 0755 : 0644;
    const char *leaf;

    if (path[0] == '\0')
        return refused(err, path, "a file without a name");
    if (walk(t, path, &dir, &leaf, err) != PL_OK)
        return err->code;
    *out_fd = openat(dir, leaf, flags, mode);
    if (*out_fd < 0 && errno == EEXIST)
        *out_fd = open_again(dir, leaf, mode);
    leave(t, dir);
    if (*out_fd < 0 && errno == EISDIR)
        return refused(err, path, "there is a folder of that name");
    if (*out_fd < 0 && errno == EMLINK)
        return refused(err, path, "it would replace a file that has hard links");
    return *out_fd < 0 ? cannot(err, "create", path) : PL_OK;
}

static enum pl_code link_files(int from_dir, const char *from, int to_dir, const char *to, const char *path,
                               struct pl_err *err)
{
    struct stat st, there;

    if (fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return refused(err, path, "a hard link to something that is not a file of this archive");
    if (fstatat(to_dir, to, &there, AT_SYMLINK_NOFOLLOW) == 0)
        return st.st_ino == there.st_ino ? PL_OK : refused(err, path, "a hard link in the place of something else");
    if (linkat(from_dir, from, to_dir, to, 0) != 0)
        return cannot(err, "link", path);
    return PL_OK;
}

enum pl_code tree_hard_link(struct tree *t, const char *path, const char *to, struct pl_err *err)
{
    const char *leaf, *to_leaf;
    int dir, to_dir;
    enum pl_code code;

    if (path[0] == '\0' || to[0] == '\0' || strcmp(path, to) == 0)
        return refused(err, path, "a hard link to nothing");
    if (walk(t, to, &to_dir, &to_leaf, err) != PL_OK)
        return err->code;
    code = walk(t, path, &dir, &leaf, err);
    if (code == PL_OK) {
        code = link_files(to_dir, to_leaf, dir, leaf, path, err);
        leave(t, dir);
    }
    leave(t, to_dir);
    return code;
}

/* Up first, down after, never above the root; a link in the root is at depth 0. */
static bool stays_inside(const char *path, const char *target)
{
    size_t depth = 0;
    bool went_down = false;

    if (target[0] == '/' || target[0] == '\0' || strlen(target) >= TREE_MAX_PATH)
        return false;
    for (const char *s = path; (s = strchr(s, '/')); s++)
        depth++;
    while (*target) {
        size_t n = strcspn(target, "/");
        bool up = n == 2 && memcmp(target, "..", 2) == 0;

        if (up && (went_down || depth-- == 0))
            return false;
        if (!up && n > 0 && !(n == 1 && *target == '.'))
            went_down = true;
        target += n + (target[n] == '/');
    }
    return true;
}

enum pl_code tree_symbolic_link(struct tree *t, const char *path, const char *target, struct pl_err *err)
{
    if (path[0] == '\0' || !stays_inside(path, target))
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL,
                              "entry '%.200s': the symbolic link to '%.200s' may lead out of the archive", path,
                              target);
    if (t->link_count == TREE_MAX_LINKS)
        return refused(err, path, "too many symbolic links");
    if (!t->links)
        t->links = pl_new0(TREE_MAX_LINKS, sizeof(*t->links));
    t->links[t->link_count++] = (struct tree_link){ .path = pl_strdup(path), .target = pl_strdup(target) };
    return PL_OK;
}

enum pl_code tree_finish(struct tree *t, struct pl_err *err)
{
    for (unsigned i = 0; i < t->link_count; i++) {
        const struct tree_link *link = &t->links[i];
        const char *leaf;
        int dir, failed;

        if (walk(t, link->path, &dir, &leaf, err) != PL_OK)
            return err->code;
        failed = symlinkat(link->target, dir, leaf);
        leave(t, dir);
        if (failed && errno == EEXIST)
            return refused(err, link->path, "a symbolic link in the place of something else");
        if (failed)
            return cannot(err, "link", link->path);
    }
    return PL_OK;
}
