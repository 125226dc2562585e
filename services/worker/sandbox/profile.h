/* profile - what each kind of process may have: files, limits, system calls. Tables only; steps.c acts on them. */
#ifndef SANDBOX_PROFILE_H
#define SANDBOX_PROFILE_H

#include "sandbox/plan.h"

#include <stdbool.h>
#include <sys/resource.h>

#define ROOT_SCRATCH_MODE   "1777"
#define ROOT_SCRATCH_INODES "16384"

enum root_kind {
    ROOT_FOLDER,   /* an empty folder                                         */
    ROOT_BIND,     /* the host's file or folder, read-only, no devices        */
    ROOT_DEVICE,   /* the host's device file                                  */
    ROOT_LINK,     /* a symbolic link, as on the host; left out if it is none */
    ROOT_OWN_LINK, /* a symbolic link to 'to', whatever the host has there    */
};

/* One entry of the root folder, in order: parents first. What the host lacks is left out. */
struct root_entry {
    const char *path;
    enum root_kind kind;
    const char *to;
};

/* Groups of system calls, filter_rules.c. */
enum filter_group {
    FILTER_BASE = 1u << 0,     /* memory, time, reading, the channel               */
    FILTER_THREADS = 1u << 1,  /* more threads of this process, never a process    */
    FILTER_WRITE = 1u << 2,    /* files below the folders that may be written      */
    FILTER_CREATE = 1u << 7,   /* of that, what leaves all that is there in sight */
    FILTER_EVENTS = 1u << 3,   /* pipes, epoll, eventfd: what an event loop needs  */
    FILTER_PROGRAMS = 1u << 4, /* processes of its own, and programs in them       */
    FILTER_SOCKETS = 1u << 5,  /* of a network namespace that it is alone in       */
    FILTER_TEMPLATE = 1u << 6, /* copies of itself, each in namespaces of its own  */
};

struct profile {
    const struct root_entry *root; /* ends with a NULL path; NULL = nothing but empty folders */
    const char *model_at;          /* where the model is mounted; NULL: it is the current folder only */
    const char *code_at;           /* where code that did not come with the model is mounted; NULL: none does */
    bool own_ids;                  /* it creates files, so its user id must exist in its user namespace */
    bool loopback;                 /* its network namespace gets one */
    bool exec_model;               /* libraries may be loaded from the model's folder */
    /* The last steps wait until the model is known, because mounting it needs rights that they give up. */
    bool late_lock;
    bool templates;  /* template.h */
    unsigned filter; /* enum filter_group */
    unsigned scratch_mb;
    struct {
        rlim_t processes, files, file_bytes;
    } limit;
};

extern const struct profile sandbox_profiles[SANDBOX_PROFILE_COUNT];

#endif
