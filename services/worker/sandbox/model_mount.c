#include "sandbox/model_mount.h"

#include "base/cleanup.h"
#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

int sandbox_scratch_mount(enum sandbox_profile p)
{
    pl_cleanup(pl_close_p) int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    char size[16];

    (void)snprintf(size, sizeof(size), "%um", sandbox_profiles[p].scratch_mb);
    if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "mode", ROOT_SCRATCH_MODE, 0) != 0 ||
        fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) != 0 ||
        fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", ROOT_SCRATCH_INODES, 0) != 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return -1;
    return fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}
