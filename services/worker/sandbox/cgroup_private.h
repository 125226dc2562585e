/* cgroup_private - what the files that make up cgroup.h share: cgroup_place.c finds a place for the groups, cgroup.c
 * makes them there. */
#ifndef SANDBOX_CGROUP_PRIVATE_H
#define SANDBOX_CGROUP_PRIVATE_H

#include "sandbox/cgroup.h"

struct hierarchy {
    unsigned controllers;
    int parent_fd; /* in which our folder lies */
    int fd;        /* our folder */
};

struct cgroups {
    int version; /* 0: none */
    struct hierarchy list[CGROUP_MAX_HIERARCHIES];
    unsigned count;
    char name[64]; /* of our folder */
    char why_not[256];
    char advice[256];
};

/* 0, or -1 with errno. */
int cgroup_write(int dir, const char *path, const char *text);
/* The whole of a small file, the caller's to free; NULL: cannot be read. */
char *cgroup_read(int dir, const char *path);
/* A descriptor, or -1 with errno. */
int cgroup_open_folder(int dir, const char *path);

struct cgroup_place;
/* The least of what 'file' says in a group and in all above it; INT64_MAX: none says anything. */
int64_t cgroup_least_limit(const struct cgroup_place *at, const char *file);

#endif
