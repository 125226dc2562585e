#include "paths.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Drops empty and "." parts, lets ".." take the part before it away; in place, absolute paths only. */
static void clean(char *path)
{
    char *copy = pl_strdup(path), *rest = copy, *part, *end = path;
    while ((part = strsep(&rest, "/"))) {
        if (!*part || !strcmp(part, "."))
            continue;
        if (!strcmp(part, "..")) {
            while (end > path && *--end != '/')
                continue;
            continue;
        }
        size_t n = strlen(part);
        *end++ = '/';
        memcpy(end, part, n);
        end += n;
    }
    if (end == path)
        *end++ = '/';
    *end = '\0';
    free(copy);
}

char *paths_resolve(const char *folder, const char *path)
{
    pl_cleanup(pl_free_p) char *here = *path == '/' || *folder == '/' ? NULL : getcwd(NULL, 0);
    char *full;
    if (*path == '/')
        full = pl_strdup(path);
    else if (*folder == '/')
        full = pl_format("%s/%s", folder, path);
    else
        full = pl_format("%s/%s/%s", here ? here : "", folder, path);
    clean(full);
    return full;
}

char *paths_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return pl_strdup(".");
    return slash == path ? pl_strdup("/") : pl_strndup(path, (size_t)(slash - path));
}

enum pl_code paths_read(const char *path, struct pl_buf *out, struct pl_err *err)
{
    bool standard = !strcmp(path, "-");
    pl_cleanup(pl_close_p) int opened = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (!standard && opened < 0)
        return pl_fail(err, errno == ENOENT ? PL_NOT_FOUND : PL_INVALID, NULL, "cannot open '%s': %s", path,
                       strerror(errno));
    int fd = standard ? STDIN_FILENO : opened;
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail(err, PL_INVALID, NULL, "cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            return PL_OK;
        if (!pl_buf_add(out, chunk, (size_t)n))
            return pl_fail(err, PL_EXHAUSTED, NULL, "'%s' is larger than %zu bytes", path, out->limit);
    }
}
