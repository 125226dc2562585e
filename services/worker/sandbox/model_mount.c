#include "sandbox/model_mount.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

int sandbox_model_mount(const char *folder, bool exec)
{
    struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                        (exec ? 0 : MOUNT_ATTR_NOEXEC) };
    int fd = open_tree(AT_FDCWD, folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int error;

    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a)) == 0)
        return fd;
    error = errno;
    pl_close_p(&fd);
    errno = error;
    return -1;
}
