#include "disk.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".log"

static void segment_path(char out[PATH_MAX], const char *dir, const char *endpoint, int64_t first_us)
{
    (void)snprintf(out, PATH_MAX, "%s/%s/%" PRId64 SUFFIX, dir, endpoint, first_us);
}

static bool segment_name(const char *name, int64_t *out_first_us)
{
    char digits[32];
    size_t n = strlen(name);

    if (n <= strlen(SUFFIX) || n - strlen(SUFFIX) >= sizeof(digits) || strcmp(name + n - strlen(SUFFIX), SUFFIX) != 0)
        return false;
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)(n - strlen(SUFFIX)), name);
    return pl_parse_i64(digits, 0, INT64_MAX, out_first_us);
}

static void scan_endpoint(int dir_fd, const char *endpoint,
                          void (*found)(void *arg, const char *endpoint, int64_t first_us, int64_t bytes,
                                        int64_t modified_us),
                          void *arg)
{
    int fd = openat(dir_fd, endpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct stat st;
    int64_t first_us;

    if (!dir) {
        pl_close_p(&fd);
        return;
    }
    while ((entry = readdir(dir)))
        if (segment_name(entry->d_name, &first_us) && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode))
            found(arg, endpoint, first_us, st.st_size,
                  (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000);
    (void)closedir(dir);
}

enum pl_code disk_scan(const char *dir,
                       void (*found)(void *arg, const char *endpoint, int64_t first_us, int64_t bytes,
                                     int64_t modified_us),
                       void *arg, struct pl_err *err)
{
    struct dirent *entry;
    DIR *d;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return pl_fail(err, PL_PRECONDITION, "logs.dir", "logs.dir: cannot create '%.300s': %s", dir, strerror(errno));
    d = opendir(dir);
    if (!d || access(dir, W_OK | X_OK) != 0) {
        (void)pl_fail(err, PL_PRECONDITION, "logs.dir", "logs.dir: cannot use '%.300s': %s", dir, strerror(errno));
        if (d)
            (void)closedir(d);
        return err->code;
    }
    while ((entry = readdir(d)))
        if (entry->d_name[0] != '.')
            scan_endpoint(dirfd(d), entry->d_name, found, arg);
    (void)closedir(d);
    return PL_OK;
}

bool disk_append(const char *dir, const char *endpoint, int64_t first_us, const char *bytes, size_t n)
{
    char path[PATH_MAX];
    pl_cleanup(pl_close_p) int fd = -1;

    segment_path(path, dir, endpoint, first_us);
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == ENOENT) {
        char folder[PATH_MAX];

        (void)snprintf(folder, sizeof(folder), "%s/%s", dir, endpoint);
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return false;
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    while (fd >= 0 && n > 0) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        n -= (size_t)written;
    }
    return fd >= 0;
}

bool disk_load(const char *dir, const char *endpoint, int64_t first_us, struct pl_buf *out)
{
    char path[PATH_MAX];
    pl_cleanup(pl_close_p) int fd = -1;

    segment_path(path, dir, endpoint, first_us);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    while (out->len < DISK_SEGMENT_MAX) {
        char *room = pl_buf_room(out, 64 << 10);
        ssize_t n = room ? read(fd, room, 64 << 10) : -1;

        if (n < 0 && room && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        out->len += (size_t)n;
    }
    return true;
}

void disk_remove(const char *dir, const char *endpoint, int64_t first_us)
{
    char path[PATH_MAX];

    segment_path(path, dir, endpoint, first_us);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, endpoint);
    (void)rmdir(path); /* fails while there is another */
}
