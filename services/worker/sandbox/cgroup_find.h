/* cgroup_find - where the control groups of this process are, from the texts of /proc/self/mountinfo and
 * /proc/self/cgroup. Pure. */
#ifndef SANDBOX_CGROUP_FIND_H
#define SANDBOX_CGROUP_FIND_H

#include <limits.h>
#include <stdbool.h>

struct cgroup_place {
    char top[PATH_MAX]; /* where the hierarchy is mounted */
    char own[PATH_MAX]; /* this process's group in it     */
};

/* 'controller' NULL: version 2. False: not mounted. */
bool cgroup_find(const char *mountinfo, const char *cgroup, const char *controller, struct cgroup_place *out);

#endif
