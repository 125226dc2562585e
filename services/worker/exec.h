/* exec - a new process from a program on disk: vfork and exec, with
 *
 *     its own session          a terminal's Ctrl-C reaches the worker only, which drains
 *     descriptors              0..3 as given; every other one is closed
 *     signals                  as a program expects to find them
 *     death of the worker      SIGKILL: set here, and again by the program, because a set-uid exec would clear it
 *
 * Only zygotes are made this way; they lock themselves in (sandbox/zygote.h).
 *
 * Threads: with the turn, on a thread that lives as long as the worker (the parent-death signal follows the thread).
 * Cost: the caller waits until the child has called exec. */
#ifndef WORKER_EXEC_H
#define WORKER_EXEC_H

#include "base/err.h"

#include <sys/types.h>

#define EXEC_FDS 4
/* Descriptors that a child will get as 0..3 must not be among those numbers in our own process. */
#define EXEC_SAFE_FD 10

struct exec_spec {
    const char *program;
    char *const *argv;
    char *const *envp;
    int fds[EXEC_FDS]; /* becomes descriptor i; above EXEC_SAFE_FD */
};

/* 'out_pidfd' is close-on-exec; the process is the caller's to reap. PL_UNAVAILABLE: no process to be had. */
PL_MUST_CHECK enum pl_code exec_start(const struct exec_spec *spec, pid_t *out_pid, int *out_pidfd, struct pl_err *err);

/* Moves a descriptor out of the way of 0..3. False, with errno: it is as it was. */
bool exec_lift(int *fd);

#endif
