/* Files of the kernel's that are read whole and written in one go. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "cgroup_private.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX_BYTES (256 << 10)

int cgroup_write(int dir, const char *path, const char *text)
{
    pl_cleanup(pl_close_p) int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

char *cgroup_read(int dir, const char *path)
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

int cgroup_open_folder(int dir, const char *path)
{
    return openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
