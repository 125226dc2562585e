#include "template_check.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAPS_MAX ((size_t)4 << 20)

/* Copies have one thread; whatever another one held would stay held in them. -1: it is gone. */
static int count_threads(pid_t pid)
{
    char path[32];
    struct dirent *entry;
    int count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    if (!dir)
        return -1;
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

static char *read_maps(pid_t pid)
{
    char path[32];
    pl_cleanup(pl_close_p) int fd = -1;
    char *text;
    size_t len = 0;
    ssize_t n = 1;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    text = pl_new0(MAPS_MAX + 1, 1);
    while (n > 0 && len < MAPS_MAX) {
        n = read(fd, text + len, MAPS_MAX - len);
        len += n > 0 ? (size_t)n : 0;
    }
    return text;
}

/* "55d0-55d1 rw-s 00000000 00:01 123   /dev/zero (deleted)": the second word is rwx and s for shared. */
const char *template_shared_line(const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *rights = line + strcspn(line, " \n");

        if (*rights == ' ' && strlen(rights) > 4 && rights[2] == 'w' && rights[4] == 's')
            return line;
    }
    return NULL;
}

bool template_check(pid_t pid, char *why, size_t size)
{
    pl_cleanup(pl_free_p) char *maps = NULL;
    int threads = count_threads(pid);
    const char *shared;

    if (threads != 1) {
        (void)snprintf(why, size, threads < 0 ? "its process is gone" : "loading the model has left %d threads running",
                       threads);
        return false;
    }
    maps = read_maps(pid);
    shared = maps ? template_shared_line(maps) : NULL;
    if (maps && !shared)
        return true;
    (void)snprintf(why, size,
                   maps ? "the loaded model has memory that its instances would share: %.*s" : "its process is gone",
                   shared ? (int)strcspn(shared, "\n") : 0, shared);
    return false;
}
