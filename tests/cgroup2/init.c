/* init - the first process of the machine that tests/cgroup2/run starts: from the archive in memory to the real root.
 *
 * Loads the modules that lie in /modules, in the order of their names, mounts the two folders that the host shares (what the
 * run gives, over the host's own tree) with a layer of memory on top, and hands over to systemd there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHARE_OPTIONS "trans=virtio,version=9p2000.L,msize=262144,cache=loose"
#define NEXT_INIT     "/lib/systemd/systemd"

static void give_up(const char *what, const char *name)
{
    (void)fprintf(stderr, "init: cannot %s '%s': %s\n", what, name, strerror(errno));
    (void)reboot(RB_POWER_OFF);
    _exit(1);
}

static void load(const char *name)
{
    char path[300];
    int fd;

    (void)snprintf(path, sizeof(path), "/modules/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST))
        give_up("load", name);
    (void)close(fd);
}

static void load_modules(void)
{
    struct dirent **names;
    int n = scandir("/modules", &names, NULL, alphasort);

    for (int i = 0; i < n; i++)
        if (names[i]->d_name[0] != '.')
            load(names[i]->d_name);
}

static void folder(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        give_up("make", path);
}

static void put(const char *source, const char *at, const char *type, unsigned long flags, const char *options)
{
    folder(at);
    if (mount(source, at, type, flags, options) != 0)
        give_up("mount", at);
}

int main(void)
{
    load_modules();
    put("given", "/given", "9p", MS_RDONLY, SHARE_OPTIONS);
    put("host", "/host", "9p", MS_RDONLY, SHARE_OPTIONS);
    put("tmpfs", "/memory", "tmpfs", 0, "mode=755,size=70%");
    folder("/memory/upper");
    folder("/memory/work");
    put("root", "/root", "overlay", 0, "lowerdir=/given:/host,upperdir=/memory/upper,workdir=/memory/work");
    if (chdir("/root") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
        give_up("enter", "/root");
    /* The tree may be a container's, which this machine is not: systemd would not read its own options there. */
    (void)unlink("/.dockerenv");
    (void)execl(NEXT_INIT, NEXT_INIT, (char *)NULL);
    give_up("run", NEXT_INIT);
}
