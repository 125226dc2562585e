/* How much memory the groups above this process leave it. */
#include "sandbox/cgroup.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "cgroup_find.h"
#include "cgroup_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* "max", or what cannot be read, is no limit. */
static int64_t limit_in(const char *folder, const char *file)
{
    pl_cleanup(pl_free_p) char *path = pl_format("%s/%s", folder, file);
    pl_cleanup(pl_free_p) char *text = cgroup_read(AT_FDCWD, path);
    int64_t limit;

    if (!text)
        return INT64_MAX;
    text[strcspn(text, "\n")] = '\0';
    return pl_parse_i64(text, 1, INT64_MAX, &limit) ? limit : INT64_MAX;
}

int64_t cgroup_least_limit(const struct cgroup_place *at, const char *file)
{
    pl_cleanup(pl_free_p) char *folder = pl_strdup(at->own);
    size_t top = strlen(at->top);
    int64_t least = INT64_MAX;

    for (;;) {
        int64_t limit = limit_in(folder, file);
        char *last = strrchr(folder, '/');

        least = limit < least ? limit : least;
        if (!last || strlen(folder) <= top)
            return least;
        *last = '\0';
    }
}

int64_t cgroups_memory_given(void)
{
    static const struct {
        const char *controller, *file;
    } versions[] = { { NULL, "memory.max" }, { "memory", "memory.limit_in_bytes" } };
    pl_cleanup(pl_free_p) char *mountinfo = cgroup_read(AT_FDCWD, "/proc/self/mountinfo");
    pl_cleanup(pl_free_p) char *cgroup = cgroup_read(AT_FDCWD, "/proc/self/cgroup");
    int64_t least = INT64_MAX;

    for (size_t i = 0; mountinfo && cgroup && i < PL_COUNT(versions); i++) {
        struct cgroup_place at;
        int64_t limit = INT64_MAX;

        if (cgroup_find(mountinfo, cgroup, versions[i].controller, &at))
            limit = cgroup_least_limit(&at, versions[i].file);
        least = limit < least ? limit : least;
    }
    return least;
}
