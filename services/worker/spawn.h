/* spawn - the one place where a process is made for untrusted work. A seam: a sandbox, and instances forked from a
 * zygote, come behind these two functions; nobody else knows how a process is made.
 *
 * Today: vfork and exec of pilotlight-runner, with
 *   its own session          a terminal's Ctrl-C reaches the worker only, which drains
 *   descriptors              0 = /dev/null, 1 and 2 = pipes to us, 3 (and 4) = its work; every other one is closed
 *   environment              OMP_NUM_THREADS=1, PATH, LANG; nothing of ours. A model's own travels in LOAD
 *   no_new_privs             set-uid programs are powerless to it
 *   death of the worker      SIGKILL: set here, and again by the runner, because a set-uid exec would clear it
 *   rlimits                  see the table in spawn.c
 *
 * Threads: with the turn, on a thread that lives as long as the worker (the parent-death signal follows the thread).
 * Cost: the caller waits until the child has called exec. */
#ifndef WORKER_SPAWN_H
#define WORKER_SPAWN_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct spawner;

/* PL_PRECONDITION: 'runner' is no program. */
PL_MUST_CHECK enum pl_code spawner_new(struct spawner **out, const char *runner, struct pl_err *err);
void spawner_free(struct spawner *s);

struct spawn_spec {
    int memory_size_mb; /* private memory of the process at most */
};

/* All descriptors are close-on-exec and non-blocking, and the caller's. The process is the caller's to reap. */
struct spawned {
    pid_t pid;
    int pidfd;
    int fd;     /* instance: our end of the socketpair; unpacking: the read end of its stdout */
    int log_fd; /* the read end of its stderr (instance: stdout too) */
};

/* `pilotlight-runner serve`. PL_UNAVAILABLE: no process or descriptor to be had. */
PL_MUST_CHECK enum pl_code spawn_instance(struct spawner *s, const struct spawn_spec *spec, struct spawned *out,
                                          struct pl_err *err);

struct spawn_unpack_spec {
    int archive_fd, dir_fd; /* stay the caller's */
    int64_t max_bytes, max_entries, max_ratio;
};

/* `pilotlight-runner unpack`. */
PL_MUST_CHECK enum pl_code spawn_unpack(struct spawner *s, const struct spawn_unpack_spec *spec, struct spawned *out,
                                        struct pl_err *err);

struct spawn_compile_spec {
    int model_fd, dir_fd; /* of folders; stay the caller's */
};

/* `pilotlight-runner compile`; as unpacking. */
PL_MUST_CHECK enum pl_code spawn_compile(struct spawner *s, const struct spawn_compile_spec *spec, struct spawned *out,
                                         struct pl_err *err);

#endif
