/* file:// artifacts. The path is opened without looking at what it names (O_PATH), then the kernel is asked where that
 * really is; so a link or a folder that is swapped meanwhile cannot lead out of the roots.
 *
 * Whoever may create a model names the file, and code of theirs may read what it holds. A worker that is root therefore
 * takes only what everybody on this host may read, unless the operator has named the folder. */
#include "artifact_uri.h"
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)256 << 10)

static enum pl_code refused(struct pl_err *err, const char *reason, const char *why)
{
    return pl_fail_reason(err, PL_PRECONDITION, reason, "artifact_uri", "%s", why);
}

static bool inside(const char *path, const char *root)
{
    char real[PATH_MAX];
    size_t n;

    if (!realpath(root, real))
        return false;
    n = strlen(real);
    return strcmp(real, "/") == 0 || (strncmp(path, real, n) == 0 && path[n] == '/');
}

static bool is_everything(const char *root)
{
    return root[strspn(root, "/")] == '\0';
}

enum place { OUTSIDE, ANYWHERE, NAMED };

static enum place place_of(const struct fetch_options *o, const char *path)
{
    enum place best = OUTSIDE;

    for (size_t i = 0; i < o->root_count; i++)
        if (is_everything(o->roots[i]) && best == OUTSIDE)
            best = ANYWHERE;
        else if (!is_everything(o->roots[i]) && inside(path, o->roots[i]))
            best = NAMED;
    return best;
}

static enum pl_code check_place(const struct fetch_options *o, const char *fd_path, int fd, struct pl_err *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink(fd_path, path, sizeof(path) - 1);
    struct stat st;
    enum place place;

    if (n < 0 || fstat(fd, &st) != 0)
        return pl_fail(err, PL_INTERNAL, NULL, "cannot tell where the file is: %s", strerror(errno));
    path[n] = '\0';
    place = place_of(o, path);
    if (place == OUTSIDE)
        return refused(err, "ARTIFACT_DENIED", "lies outside of the folders in this host's file_roots");
    if (place == ANYWHERE && geteuid() == 0 && S_ISREG(st.st_mode) && !(st.st_mode & S_IROTH))
        return refused(err, "ARTIFACT_DENIED",
                       "may not be read by everybody: the worker is root and takes such files only from folders that"
                       " its file_roots names");
    return PL_OK;
}

static enum pl_code check_file(const struct fetch_options *o, int fd, struct pl_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return pl_fail(err, PL_INTERNAL, NULL, "cannot stat the file: %s", strerror(errno));
    if (S_ISDIR(st.st_mode))
        return refused(err, "ARTIFACT_REFUSED", "is a folder; an artifact is a model.tar.gz or one model file");
    if (!S_ISREG(st.st_mode))
        return refused(err, "ARTIFACT_REFUSED", "is not a regular file");
    if (st.st_size > o->limit_bytes)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_TOO_LARGE", "artifact_uri",
                              "%lld bytes, larger than this host's artifact_limit of %lld bytes", (long long)st.st_size,
                              (long long)o->limit_bytes);
    return PL_OK;
}

static enum pl_code copy(const struct fetch_attempt *a, int fd, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *block = malloc(COPY_BYTES);
    ssize_t n;

    if (!block)
        return pl_fail(err, PL_INTERNAL, NULL, "out of memory");
    while ((n = read(fd, block, COPY_BYTES)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail_reason(err, PL_UNAVAILABLE, "ARTIFACT_SOURCE", "artifact_uri", "cannot be read: %s",
                                  strerror(errno));
        if (atomic_load(a->cancelled))
            return pl_fail(err, PL_CANCELLED, NULL, "cancelled");
        if (sink_write(a->sink, block, (size_t)n, err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

enum pl_code fetch_file(const struct fetch_attempt *a, struct pl_err *err)
{
    char fd_path[32];
    pl_cleanup(pl_close_p) int place = open(a->uri->path, O_PATH | O_CLOEXEC);
    pl_cleanup(pl_close_p) int fd = -1;

    if (place < 0) {
        bool denied = errno == EACCES || errno == EPERM;

        return pl_fail_reason(err, PL_PRECONDITION, denied ? "ARTIFACT_DENIED" : "ARTIFACT_MISSING", "artifact_uri",
                              "cannot be opened: %s", strerror(errno));
    }
    (void)snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", place);
    if (check_place(a->options, fd_path, place, err) != PL_OK || check_file(a->options, place, err) != PL_OK)
        return err->code;
    fd = open(fd_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_DENIED", "artifact_uri", "cannot be opened: %s",
                              strerror(errno));
    return copy(a, fd, err);
}
