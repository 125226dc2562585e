#include "cache_disk.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALK_FDS 16

static enum pl_code failed(struct pl_err *err, const char *what, const char *path)
{
    return pl_fail(err, PL_PRECONDITION, "cache_dir", "cache_dir: cannot %s '%.300s': %s", what, path, strerror(errno));
}

static enum pl_code make_dir(const char *path, struct pl_err *err)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? PL_OK : failed(err, "create", path);
}

enum pl_code cache_disk_lock(const char *dir, int *out_fd, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *path = pl_format("%s/lock", dir);
    pl_cleanup(pl_close_p) int fd = -1;

    if (make_dir(dir, err) != PL_OK)
        return err->code;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(err, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return pl_fail(err, PL_PRECONDITION, "cache_dir", "cache_dir: another worker uses '%.300s'", dir);
    *out_fd = pl_take_fd(fd);
    return PL_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)walk;
    /* An unpacked folder may have come without the right to look into it. */
    if (type == FTW_DNR || type == FTW_NS)
        (void)chmod(path, 0700);
    (void)remove(path);
    return 0;
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)walk;
    if ((type == FTW_D || type == FTW_DNR) && (st->st_mode & 0700) != 0700)
        (void)chmod(path, 0700);
    return 0;
}

/* A folder, never what a link leads to: it gives up its entries, and may be moved. */
static bool open_up_at(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
           fchmodat(dir, name, 0700, 0) == 0;
}

/* What is in the folder 'name' goes, or moves up, and then the folder. */
static bool dissolve(int top, const char *name, unsigned *number)
{
    int fd = open_up_at(top, name) ? openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;

    if (!d) {
        pl_close_p(&fd);
        return false;
    }
    while ((e = readdir(d))) {
        char up[32];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || unlinkat(fd, e->d_name, 0) == 0)
            continue;
        (void)snprintf(up, sizeof(up), ".deep-%u", (*number)++);
        if (open_up_at(fd, e->d_name))
            (void)renameat(fd, e->d_name, top, up);
    }
    (void)closedir(d);
    return unlinkat(top, name, AT_REMOVEDIR) == 0;
}

/* Folders in folders, so deep that no path can name them: whoever made them meant it. */
static void remove_deep(const char *path)
{
    pl_cleanup(pl_close_p) int top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    unsigned number = 0;
    bool progress = top >= 0;

    while (progress) {
        DIR *d = opendir(path);
        struct dirent *e;

        progress = false;
        while (d && (e = readdir(d)))
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                progress |= unlinkat(top, e->d_name, 0) == 0 || dissolve(top, e->d_name, &number);
        if (d)
            (void)closedir(d);
    }
    (void)rmdir(path);
}

void cache_disk_remove(const char *path)
{
    struct stat st;

    (void)nftw(path, open_up, WALK_FDS, FTW_PHYS);
    (void)nftw(path, remove_one, WALK_FDS, FTW_PHYS | FTW_DEPTH);
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        remove_deep(path);
}

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return walk->level > 0 ? remove_one(path, st, type, walk) : 0;
}

void cache_disk_empty(const char *path)
{
    (void)nftw(path, open_up, WALK_FDS, FTW_PHYS);
    (void)nftw(path, remove_below, WALK_FDS, FTW_PHYS | FTW_DEPTH);
}

enum pl_code cache_disk_prepare(const char *dir, struct pl_err *err)
{
    static const char *const folders[] = { "artifact", "unpacked", "tmp" };
    pl_cleanup(pl_free_p) char *tmp = pl_format("%s/tmp", dir);

    cache_disk_remove(tmp);
    for (size_t i = 0; i < PL_COUNT(folders); i++) {
        pl_cleanup(pl_free_p) char *path = pl_format("%s/%s", dir, folders[i]);

        if (make_dir(path, err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

static int64_t read_epoch(const char *path)
{
    char text[32] = "";
    int64_t epoch = 0;
    pl_cleanup(pl_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return pl_parse_i64(text, 0, INT32_MAX * (int64_t)64, &epoch) ? epoch : 0;
}

static enum pl_code write_epoch(const char *path, const char *tmp, int64_t epoch, struct pl_err *err)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%" PRId64 "\n", epoch);
    pl_cleanup(pl_close_p) int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) != 0 || rename(tmp, path) != 0)
        return failed(err, "write", path);
    return PL_OK;
}

enum pl_code cache_disk_next_epoch(const char *dir, int64_t *out_epoch, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *path = pl_format("%s/epoch", dir);
    pl_cleanup(pl_free_p) char *tmp = pl_format("%s/tmp/epoch", dir);
    int64_t now_s = pl_wall_ms() / 1000;
    int64_t epoch = read_epoch(path) + 1;

    if (epoch < now_s)
        epoch = now_s;
    if (write_epoch(path, tmp, epoch, err) != PL_OK)
        return err->code;
    *out_epoch = epoch;
    return PL_OK;
}

/* nftw() passes no argument on; scanning happens on one thread, but tests may have several. */
static _Thread_local int64_t tree_bytes;

static int add_size(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)path, (void)walk;
    if (type == FTW_F)
        tree_bytes += st->st_size;
    return 0;
}

int64_t cache_disk_size(const char *path)
{
    tree_bytes = 0;
    (void)nftw(path, add_size, WALK_FDS, FTW_PHYS);
    return tree_bytes;
}

enum pl_code cache_disk_scan(const char *dir, const char *folder,
                             void (*found)(void *arg, const char *name, int64_t bytes, int64_t modified_ms), void *arg,
                             struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *path = pl_format("%s/%s", dir, folder);
    DIR *d = opendir(path);
    struct dirent *e;

    if (!d)
        return failed(err, "read", path);
    while ((e = readdir(d))) {
        pl_cleanup(pl_free_p) char *entry = pl_format("%s/%s", path, e->d_name);
        struct stat st;

        if (e->d_name[0] == '.' || lstat(entry, &st) != 0)
            continue;
        found(arg, e->d_name, cache_disk_size(entry), (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    }
    (void)closedir(d);
    return PL_OK;
}
